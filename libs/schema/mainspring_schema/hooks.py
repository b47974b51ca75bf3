"""Code of people's own that is asked at points of a turn: who it is, and what it may answer."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final, Literal, get_args

from msgspec import UNSET, Struct

Point = Literal[
    "session_start",
    "user_prompt_submit",
    "pre_tool_use",
    "post_tool_use",
    "turn_end",
    "session_end",
]
POINTS: Final[tuple[Point, ...]] = get_args(Point)
HOOKS_MAX: Final = 16
"""Of one capability: they are asked one after another, each within its own time."""
TIMEOUT_MS_DEFAULT: Final = 5_000
TIMEOUT_MS_MIN: Final = 100
TIMEOUT_MS_MAX: Final = 30_000


class Hook(Struct, frozen=True, kw_only=True):
    """One hook. `on_error` is what an answer that does not come, or cannot be read, counts as.

    `secret` names the secret of the session that a webhook is signed with. A `function` is code of
    a capability in process; no configuration and no announcement can name one.
    """

    point: Point
    type: Literal["webhook", "command", "function"]
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
    value: object = UNSET


def flaws(hook: Hook) -> Iterator[str]:
    """What is wrong with a hook beyond the form of its members."""
    if hook.type == "webhook" and not hook.url:
        yield "url: a webhook needs it"
    if hook.type == "command" and not hook.command:
        yield "command: a command needs it"
    if hook.type != "webhook" and hook.point == "session_end":
        yield "type: of a session's end only a webhook is told"
    if hook.type != "webhook" and hook.secret:
        yield "secret: only what goes out is signed"
    if not TIMEOUT_MS_MIN <= hook.timeout_ms <= TIMEOUT_MS_MAX:
        yield f"timeout_ms: from {TIMEOUT_MS_MIN} to {TIMEOUT_MS_MAX}"
