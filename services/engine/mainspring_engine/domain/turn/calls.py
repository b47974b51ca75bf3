"""Tool calls of a turn: what people see of one, and how a call ends that nobody finishes."""

from typing import Final

from mainspring_engine.domain.rows import OpenTask
from mainspring_engine.domain.turn.state import OpenCall
from mainspring_schema.tasks import ToolCall, ToolResult

NOT_READ: Final = "the call was made, its output was not read"


def abandoned(call: OpenCall, task: OpenTask | None, why: str) -> ToolResult:
    """The result of a call that nobody will finish."""
    if call.brought:
        return ToolResult(status="cancelled", error=f"{why}; {NOT_READ}")
    if task is not None and task.effect.needs_start and task.started:
        return ToolResult(
            status="unknown",
            error=f"{why}; the call had started, whether it took effect is not known",
        )
    return ToolResult(status="cancelled", error=why)


def shown(call: ToolCall) -> dict[str, object]:
    """What people read of a call beside its name."""
    words = {"display_name": call.display_name, "narration": call.narration}
    return {name: value for name, value in words.items() if value is not None}
