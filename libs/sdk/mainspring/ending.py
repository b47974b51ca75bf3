"""How a go's own ends are told: an exception of the code, a record that does not fit."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Final

from mainspring.errors import GiveUp, StepFailed, Unserializable, WaitTimedOut
from mainspring.saying import readable, said
from mainspring.surroundings import Code
from mainspring_schema.tasks import WorkflowResult
from mainspring_schema.workflows import Flaw, Mismatch, StepKind, StepRecord, Wait, order_of

_ENDS: Final = {"completed": "its end", "failed": "its end", "renewed": "a start over"}


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


async def end_of(
    workflow: Code, code: Awaitable[object], steps: tuple[StepRecord, ...], *, cancelled: bool
) -> WorkflowResult:
    """The code has ended; these steps ride with the result. `cancelled`: it was told to end."""
    try:
        result = workflow.shape.kept(await code, workflow.name)
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - it becomes the outcome
        if cancelled and isinstance(error, asyncio.CancelledError):
            return WorkflowResult(outcome="cancelled", steps=steps)
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


def unless_passed_over(
    ended: WorkflowResult, records: Iterable[StepRecord], *, coming: bool
) -> WorkflowResult:
    """Held where the code came to an end and not to where these were recorded: it is another.

    Branches that the end leaves may not have come there again (`coming`), or their order was not
    recorded. But the code itself has called in the same order what stands in none.
    """
    if ended.outcome not in _ENDS:
        return ended
    certain = [
        one
        for one in records
        if one.kind != "input" and (_is_of_the_code_itself(one) or (one.nth and not coming))
    ]
    if not certain:
        return ended
    first = min(certain, key=lambda one: order_of(one.step))
    found = _ENDS[ended.outcome]
    if ended.flaw is not None:
        found = f"{ended.flaw.type or ended.flaw.code} ({ended.flaw.message})"
    recorded_there = f"{first.kind} {first.name}"
    mismatch = Mismatch(step=first.step, recorded=recorded_there, found=found)
    return WorkflowResult(outcome="held", steps=ended.steps, mismatch=mismatch)


def _is_of_the_code_itself(record: StepRecord) -> bool:
    return "/" not in record.step
