"""Scripts: what the simulator shall say, written into a prompt as a fenced block.

A block that starts with ```llmsim and holds a JSON object counts in the newest input message, else
in the system prompt. So a script works over plain REST, with any model of the simulator. The forms
stand in `docs/simulator.md`.
"""

import re
from collections.abc import Sequence
from typing import Final, Literal

import msgspec
from msgspec import Struct

from mainspring_schema.messages import Json
from mainspring_worker.ports.failures import Kind, failure
from mainspring_worker.ports.model import ModelFailure


class ScriptedCall(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tool call. `raw` is sent instead of `arguments`, as text, JSON or not."""

    name: str
    arguments: Json = {}
    raw: str | None = None


ErrorKind = Literal[
    "rate_limit",
    "timeout",
    "transport",
    "overloaded",
    "authentication",
    "quota",
    "unsupported_model",
    "invalid_response",
    "context_overflow",
    "other",
]

KINDS: Final[dict[ErrorKind, Kind]] = {
    "rate_limit": Kind.RATE_LIMITED,
    "timeout": Kind.TIMEOUT,
    "transport": Kind.CONNECTION_FAILED,
    "overloaded": Kind.OVERLOADED,
    "authentication": Kind.MISCONFIGURED,
    "quota": Kind.QUOTA_EXHAUSTED,
    "unsupported_model": Kind.MODEL_NOT_AVAILABLE,
    "invalid_response": Kind.BAD_OUTPUT,
    "context_overflow": Kind.TOO_LONG,
    "other": Kind.UNKNOWN,
}


class ScriptedError(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A failure after `after_chars` of the step's text; in the first `attempts` only, if given."""

    kind: ErrorKind
    message: str = "scripted error"
    retry_after_ms: int | None = None
    after_chars: int = 0
    attempts: int | None = None

    def failure(self) -> ModelFailure:
        """What the driver raises."""
        return failure(KINDS[self.kind], self.message, retry_after_ms=self.retry_after_ms)


class Stall(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Silence after `after_chars` of the text, until a timer or a cancel ends the call.

    In the first `attempts` only, if given.
    """

    after_chars: int = 0
    attempts: int | None = None


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one model call answers."""

    text: str = ""
    thinking: str | None = None
    tool_calls: tuple[ScriptedCall, ...] = ()
    error: ScriptedError | None = None
    stall: Stall | None = None
    finish_reason: str | None = None


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step for the first model call of a turn whose newest input contains a text."""

    contains: str
    then: Step


class Latency(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Milliseconds before the first token, and between tokens."""

    ttft_ms: int = 0
    token_ms: int = 0


class Script(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole block; exactly one of the forms from `fixed` to `turns`, or `when` alone."""

    fixed: str | None = None
    echo: bool = False
    lorem: int | None = None
    empty: bool = False
    sequence: tuple[str, ...] = ()
    turns: tuple[Step, ...] = ()
    on_exhausted: Literal["repeat_last", "error", "loop"] = "repeat_last"
    scope: Literal["script", "turn"] = "script"
    when: tuple[Rule, ...] = ()
    latency: Latency | None = None


_BLOCK: Final = re.compile(r"```llmsim[ \t]*\n(.*?)```", re.DOTALL)
_DECODER: Final = msgspec.json.Decoder(Script)


def has_script(text: str) -> bool:
    """Whether a text may hold a block; cheap, for the many that hold none."""
    return "```llmsim" in text


def parse(text: str) -> Script | None:
    """The script in a text, None where there is none.

    Raises ModelFailure, which says what is wrong, for a block that cannot be read.
    """
    found = _BLOCK.search(text) if has_script(text) else None
    if found is None:
        return None
    try:
        script = _DECODER.decode(found.group(1))
    except (ValueError, RecursionError) as error:
        raise failure(Kind.REJECTED, f"llmsim script: {error}") from error
    forms = (
        script.fixed is not None,
        script.echo,
        script.lorem is not None,
        script.empty,
        bool(script.sequence),
        bool(script.turns),
    )
    if sum(forms) > 1 or not (any(forms) or script.when or script.latency):
        message = "llmsim script: give one of fixed, echo, lorem, empty, sequence, turns"
        raise failure(Kind.REJECTED, message)
    return script


def without_script(text: str) -> str:
    """The text as a person would read it, the block cut out."""
    return _BLOCK.sub("", text).strip() if has_script(text) else text


def step_at(script: Script, steps: Sequence[Step], index: int) -> Step:
    """The step of the model call number `index`, counted from 0. Raises ModelFailure at the end."""
    if index < len(steps):
        return steps[index]
    match script.on_exhausted:
        case "repeat_last":
            return steps[-1]
        case "loop":
            return steps[index % len(steps)]
        case "error":
            raise failure(Kind.UNKNOWN, f"llmsim script: no step {index + 1}")
