"""How a tool call ends that did not bring a result of its own, whoever made it."""

import asyncio
from typing import Final

from msgspec import structs

from mainspring_schema.agents import BOUND
from mainspring_schema.tasks import Failure, ToolResult, ToolTask
from mainspring_workstream.attempt import Attempt, Stop

_NOT_KNOWN: Final = "whether it took effect is not known"


def error(message: str, code: str) -> ToolResult:
    """The model's own fault: it may do better."""
    failure = Failure(error_class="model_output", code=code, message=message)
    return ToolResult(status="error", error=message, failure=failure)


def lost(why: str) -> ToolResult:
    """Of a call that an earlier attempt started, and that nobody can tell the end of."""
    message = f"the worker was lost during the call and {why}; the call had started, {_NOT_KNOWN}"
    failure = Failure(error_class="unknown", code="tool_lost", message=message)
    return ToolResult(status="unknown", error=message, failure=failure)


def raised(payload: ToolTask) -> ToolResult:
    """Of a tool that broke. What it raised is no business of the model's."""
    message = "the tool failed with an internal error"
    failure = Failure(error_class="unknown", code="tool_failed", message=message)
    return _unless_bound(payload, ToolResult(status="error", error=message, failure=failure))


def timed_out(payload: ToolTask, limit_s: float) -> ToolResult:
    """Of a tool that did not answer in its time."""
    message = f"the tool did not answer within {limit_s:g} s"
    failure = Failure(error_class="transient", code="tool_timeout", message=message)
    return _unless_bound(payload, ToolResult(status="timeout", error=message, failure=failure))


def _unless_bound(payload: ToolTask, failed: ToolResult) -> ToolResult:
    if payload.effect_class not in BOUND:
        return failed
    return structs.replace(failed, status="unknown", error=f"{failed.error}; {_NOT_KNOWN}")


def broken_off(attempt: Attempt, payload: ToolTask) -> ToolResult:
    """The result of a call that was stopped. Raises CancelledError where none is wanted."""
    begun = attempt.begun and payload.effect_class in BOUND
    unknown = begun or attempt.task.started
    if attempt.stop is Stop.CANCELLED:
        why = "cancelled by the user"
    elif attempt.stop is Stop.DRAINED and begun:
        why = "the worker was shut down"
    else:
        raise asyncio.CancelledError
    running = asyncio.current_task()
    if running is not None:
        running.uncancel()
    failure = Failure(error_class="cancelled", code="cancelled", message=why)
    if unknown:
        told = f"{why}; the call had started, {_NOT_KNOWN}"
        return ToolResult(status="unknown", error=told, failure=failure)
    return ToolResult(status="cancelled", error=why, failure=failure)
