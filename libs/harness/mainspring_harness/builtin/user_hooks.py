"""Asks code of the user at named points of a turn: it lets pass, changes or blocks."""

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Struct

from mainspring_harness.capability import Capability, Info
from mainspring_schema.hooks import (
    HOOKS_MAX,
    POINTS,
    TIMEOUT_MS_DEFAULT,
    TIMEOUT_MS_MAX,
    TIMEOUT_MS_MIN,
    Hook,
    Verdict,
    flaws,
)
from mainspring_schema.messages import Json

ID: Final = "user_hooks"
REASON_CHARS_MAX: Final = 500
"""Of what a hook says about itself: the model and people read it."""


class _Hooks(Struct, frozen=True, kw_only=True):
    hooks: tuple[Hook, ...] = ()


class _Wish(Struct, frozen=True, kw_only=True):
    """What is written of a hook, before a default stands in for it."""

    on_error: str = ""


class _Wishes(Struct, frozen=True, kw_only=True):
    hooks: tuple[_Wish, ...] = ()


_VERDICT: Final = msgspec.json.Decoder(Verdict)


def _hooks(config: Json) -> tuple[Hook, ...]:
    """In their order, each with an id."""
    return tuple(
        hook if hook.id else msgspec.structs.replace(hook, id=f"hook_{index}")
        for index, hook in enumerate(msgspec.convert(config, _Hooks).hooks)
    )


def verdict(answer: bytes) -> Verdict:
    """An answer without a word allows. Raises ValueError for one that is no verdict."""
    if not answer.strip():
        return Verdict()
    try:
        said = _VERDICT.decode(answer)
    except RecursionError as error:
        message = "the answer is nested too deeply"
        raise ValueError(message) from error
    return msgspec.structs.replace(said, reason=said.reason[:REASON_CHARS_MAX])


def _problems(config: Json) -> tuple[str, ...]:
    found = msgspec.convert(config, _Hooks).hooks
    wishes = msgspec.convert(config, _Wishes).hooks
    return tuple(
        f"hooks.{index}.{problem}"
        for index, (hook, wish) in enumerate(zip(found, wishes, strict=True))
        for problem in (*flaws(hook), *_vain(hook, wish))
    )


def _vain(hook: Hook, wish: _Wish) -> Iterator[str]:
    """What somebody asks for in words, and would not get."""
    if hook.point == "session_end" and wish.on_error == "block":
        yield "on_error: a session's end cannot be blocked"


_HOOK: Final[Json] = {
    "type": "object",
    "properties": {
        "point": {
            "type": "string",
            "enum": list(POINTS),
            "description": (
                "A session that begins; a message taken up; a call before, its result after; the "
                "last answer; a session that was deleted, which only webhooks are told."
            ),
        },
        "type": {"type": "string", "enum": ["webhook", "command"]},
        "id": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"},
        "url": {
            "type": "string",
            "maxLength": 2_000,
            "pattern": "^https?://",
            "description": "Of a webhook: a public host, also by the agent's network rules.",
        },
        "command": {
            "type": "string",
            "maxLength": 20_000,
            "description": "A bash script for the sandbox, without host, network or workspace.",
        },
        "tools": {
            "type": "array",
            "items": {"type": "string", "minLength": 1, "maxLength": 200},
            "maxItems": 100,
            "description": "Names of tools, with * and ?. Default: all.",
        },
        "timeout_ms": {
            "type": "integer",
            "minimum": TIMEOUT_MS_MIN,
            "maximum": TIMEOUT_MS_MAX,
            "description": f"Default: {TIMEOUT_MS_DEFAULT}.",
        },
        "on_error": {
            "type": "string",
            "enum": ["block", "allow", "warn"],
            "description": "`warn` allows and writes it down. Default: block.",
        },
        "secret": {
            "type": "string",
            "pattern": "^[A-Za-z0-9_.-]{1,128}$",
            "description": "Of a webhook: the session's secret, by name, that signs what is sent.",
        },
    },
    "required": ["point", "type"],
    "additionalProperties": False,
}
USER_HOOKS: Final = Capability(
    info=Info(
        id=ID,
        name="User Hooks",
        description=(
            "Asks a webhook or a script when a session begins, before a message is answered, "
            "before and after a call of a tool, and before an answer counts: it lets pass, changes "
            "or blocks. Tells a webhook when a session is deleted."
        ),
        status="available",
        category="safety",
        icon="webhook",
        config_schema={
            "type": "object",
            "properties": {"hooks": {"type": "array", "items": _HOOK, "maxItems": HOOKS_MAX}},
            "additionalProperties": False,
        },
        risk_level="medium",
        is_guardrail=True,
    ),
    config_problems=_problems,
    hooks=_hooks,
)
