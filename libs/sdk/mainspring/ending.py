"""How a go's own ends are told: an exception of the code, a record that does not fit."""

import asyncio
from collections.abc import Awaitable

from mainspring.errors import GiveUp, StepFailed, Unserializable, WaitTimedOut
from mainspring.saying import readable, said
from mainspring.values import encode
from mainspring_schema.tasks import WorkflowResult
from mainspring_schema.workflows import Flaw, Mismatch, StepKind, StepRecord, Wait


def flaw_of(error: BaseException) -> Flaw:
    """How a workflow's own exception is recorded."""
    match error:
        case StepFailed():
            return error.flaw
        case ExceptionGroup():
            # A TaskGroup wraps what its branches raise: the first of them is why it failed.
            return flaw_of(error.exceptions[0])
        case GiveUp():
            code = readable(error.code)
        case Unserializable():
            code = "unserializable"
        case WaitTimedOut():
            code = "timeout"
        case _:
            code = "workflow_failed"
    return Flaw(code=code, message=said(error), type=type(error).__name__)


async def end_of(code: Awaitable[object], steps: tuple[StepRecord, ...]) -> WorkflowResult:
    """The code has ended; these steps ride with the result."""
    try:
        result = encode(await code)
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - it becomes the outcome
        return WorkflowResult(outcome="failed", flaw=flaw_of(error), steps=steps)
    return WorkflowResult(outcome="completed", result=result, steps=steps)


def left(
    why: Mismatch | bytes | None, waits: tuple[Wait, ...], steps: tuple[StepRecord, ...]
) -> WorkflowResult:
    """The code stands: at a record that does not fit, before it begins anew, or where it waits."""
    if isinstance(why, Mismatch):
        return WorkflowResult(outcome="held", steps=steps, mismatch=why)
    if why is not None:
        return WorkflowResult(outcome="renewed", result=why, steps=steps)
    return WorkflowResult(outcome="suspended", steps=steps, waits=waits)


def mismatch_of(record: StepRecord, kind: StepKind, name: str) -> Mismatch:
    """The code does something else at this place."""
    recorded, found = f"{record.kind} {record.name}", f"{kind} {name}"
    if recorded == found:
        found += " with another input"
    return Mismatch(step=record.step, recorded=recorded, found=found)
