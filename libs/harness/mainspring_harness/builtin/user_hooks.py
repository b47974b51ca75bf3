"""Asks code of the user at named points of a turn: it lets pass, changes or blocks."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Final, Literal, get_args

import msgspec
from msgspec import Struct

from mainspring_harness.capability import Applied, Capability, Info
from mainspring_schema.messages import Json

ID: Final = "user_hooks"
Point = Literal["session_start", "user_prompt_submit", "pre_tool_use", "post_tool_use", "turn_end"]
POINTS: Final[tuple[Point, ...]] = get_args(Point)
HOOKS_MAX: Final = 16
"""They are asked one after another, each within its own time."""
TIMEOUT_MS_DEFAULT: Final = 5_000
TIMEOUT_MS_MAX: Final = 30_000
REASON_CHARS_MAX: Final = 500
"""Of what a hook says about itself: the model and people read it."""


class Hook(Struct, frozen=True, kw_only=True):
    """One hook. `on_error` is what an answer that does not come, or cannot be read, counts as.

    `secret` names the secret of the session that a webhook is signed with.
    """

    point: Point
    type: Literal["webhook", "command"]
    id: str = ""
    url: str = ""
    command: str = ""
    tools: tuple[str, ...] = ("*",)
    timeout_ms: int = TIMEOUT_MS_DEFAULT
    on_error: Literal["block", "allow", "warn"] = "block"
    secret: str = ""

    def looks_at(self, point: Point, tool: str | None) -> bool:
        return self.point == point and (
            tool is None or any(fnmatchcase(tool, pattern) for pattern in self.tools)
        )


class Verdict(Struct, frozen=True, kw_only=True):
    """A hook's answer. `value` stands in the place of what it was asked about (`mutate`)."""

    decision: Literal["allow", "mutate", "block"] = "allow"
    reason: str = ""
    value: object = None


class _Hooks(Struct, frozen=True, kw_only=True):
    hooks: tuple[Hook, ...] = ()


_VERDICT: Final = msgspec.json.Decoder(Verdict)


def hooks(applied: Iterable[Applied]) -> tuple[Hook, ...]:
    """The hooks of an agent, in their order, each with an id."""
    config = next((one.config for one in applied if one.id == ID), None)
    if config is None:
        return ()
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
    return tuple(
        f"hooks.{index}.{problem}" for index, hook in enumerate(found) for problem in _wrong(hook)
    )


def _wrong(hook: Hook) -> Iterator[str]:
    if hook.type == "webhook" and not hook.url:
        yield "url: a webhook needs it"
    if hook.type == "command" and not hook.command:
        yield "command: a command needs it"
    if hook.type == "command" and hook.secret:
        yield "secret: only what goes out is signed"


_HOOK: Final[Json] = {
    "type": "object",
    "properties": {
        "point": {
            "type": "string",
            "enum": list(POINTS),
            "description": (
                "A session that begins; a message taken up; a call before, its result after; the "
                "last answer."
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
            "minimum": 100,
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
            "or blocks."
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
)
