"""What must not be said, called or read: checks over text, decided purely.

Patterns are matched by an engine without backtracking, so that no text holds a process up. What
only a model can judge is named here and asked elsewhere.
"""

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final, Literal, get_args

import jsonschema_rs
from msgspec import Struct

Stage = Literal["output", "tool_use", "tool_output"]
CheckType = Literal["regex", "blocklist", "tool_pattern", "llm_judge"]
Action = Literal["block", "log"]
STAGES: Final[tuple[Stage, ...]] = get_args(Stage)
TEXT_CHARS_MAX: Final = 1_000_000
"""What of one text is looked at; results of tools are cut long before."""
_PATTERN_BYTES_MAX: Final = 1_000_000
"""Of a compiled pattern."""
_PATTERNS_KEPT: Final = 512
_REPLACEMENT: Final = "(This was withheld by a guardrail.)"


class Check(Struct, frozen=True, kw_only=True):
    """One check. Without `stages` it looks at every stage; an `advisory` one never blocks.

    `regex`: `pattern` occurs. `blocklist`: one of `words` occurs as a word. `tool_pattern`: the
    tool's name fits one of `tools` (with * and ?) and, where there is a pattern, the text, too.
    `llm_judge`: a model that knows `instructions` says so.
    """

    type: CheckType
    id: str = ""
    stages: tuple[Stage, ...] = STAGES
    action: Action = "block"
    mode: Literal["active", "advisory"] = "active"
    pattern: str = ""
    words: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    instructions: str = ""
    reason_code: str = ""
    replacement: str = _REPLACEMENT


class Rules(Struct, frozen=True, kw_only=True):
    """`fail_closed`: where a judge does not answer, what it was to judge is blocked."""

    checks: tuple[Check, ...] = ()
    fail_closed: bool = False
    timeout_ms: int = 10_000

    def looks_at(self, stage: Stage) -> bool:
        """Whether anything is checked at a stage."""
        return any(stage in check.stages for check in self.checks)


class Subject(Struct, frozen=True, kw_only=True):
    """What is looked at. `tool_name` is the tool that is called, or whose output it is."""

    stage: Stage
    text: str
    tool_name: str | None = None


class Hit(Struct, frozen=True, kw_only=True):
    """A check that found something. `matched` is the word or tool that gave it away."""

    index: int
    check: Check
    matched: str | None = None

    @property
    def check_id(self) -> str:
        """As it was given, or its place."""
        return self.check.id or f"check_{self.index + 1}"

    @property
    def blocks(self) -> bool:
        """Whether what was found is held back, and not only written down."""
        return self.check.action == "block" and self.check.mode == "active"

    @property
    def reason_code(self) -> str:
        """As it was given, or the kind of check."""
        return self.check.reason_code or f"guardrail_{self.check.type}"


def hits(rules: Rules, subject: Subject) -> tuple[Hit, ...]:
    """What the checks find that need no model, in their order."""
    return tuple(_hits(rules.checks, subject))


def judges(rules: Rules, subject: Subject) -> tuple[tuple[int, Check], ...]:
    """The checks with their places that a model must be asked for."""
    return tuple(
        (index, check)
        for index, check in enumerate(rules.checks)
        if check.type == "llm_judge" and subject.stage in check.stages
    )


def blocking(found: Sequence[Hit]) -> Hit | None:
    """The first that holds something back."""
    return next((hit for hit in found if hit.blocks), None)


def pattern_problem(pattern: str) -> str | None:
    """Why a pattern cannot be used, None where it can."""
    try:
        _matcher(pattern)
    except (jsonschema_rs.ValidationError, ValueError):
        return "is no regular expression, or one that needs backtracking"
    return None


def _hits(checks: Sequence[Check], subject: Subject) -> Iterator[Hit]:
    text = subject.text[:TEXT_CHARS_MAX]
    for index, check in enumerate(checks):
        if subject.stage in check.stages and _finds(check, subject.tool_name, text):
            yield Hit(index=index, check=check, matched=_gave_away(check, subject, text))


def _finds(check: Check, tool_name: str | None, text: str) -> bool:
    match check.type:
        case "regex":
            return _matcher(check.pattern).is_valid(text)
        case "blocklist":
            return any(_holds(text, word) for word in check.words)
        case "tool_pattern":
            return _fits_tool(check, tool_name, text)
        case "llm_judge":
            return False


def _gave_away(check: Check, subject: Subject, text: str) -> str | None:
    if check.type == "blocklist":
        return next((word for word in check.words if _holds(text, word)), None)
    return subject.tool_name if check.type == "tool_pattern" else None


def _fits_tool(check: Check, name: str | None, text: str) -> bool:
    if name is None or not any(fnmatchcase(name, tool) for tool in check.tools):
        return False
    return not check.pattern or _matcher(check.pattern).is_valid(text)


def _holds(text: str, word: str) -> bool:
    """As a word of its own, in whatever case."""
    return _matcher(rf"(?i)(^|\W){re.escape(word)}(\W|$)").is_valid(text)


@lru_cache(maxsize=_PATTERNS_KEPT)
def _matcher(pattern: str) -> jsonschema_rs.Validator:
    options = jsonschema_rs.RegexOptions(size_limit=_PATTERN_BYTES_MAX)
    return jsonschema_rs.validator_for({"pattern": pattern}, pattern_options=options)
