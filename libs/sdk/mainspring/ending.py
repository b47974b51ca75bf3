"""How a go's own ends are told: an exception of the code, a record that does not fit."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import msgspec

from mainspring.errors import GiveUp, StepFailed, Unserializable, WaitTimedOut
from mainspring.place import Scope
from mainspring.saying import readable, said
from mainspring.surroundings import Code
from mainspring.telling import failed_for_good
from mainspring_schema.tasks import WorkflowResult
from mainspring_schema.workflows import Flaw, Mismatch, StepKind, StepRecord, Wait, order_of

_ENDS: Final = {"completed": "its end", "failed": "its end", "renewed": "a start over"}


def flaw_of(error: BaseException) -> Flaw:
    """How a workflow's own exception is recorded."""
    match error:
        case StepFailed():
            told = f"{error.where}: {error.message}" if error.where else error.message
            return msgspec.structs.replace(error.flaw, message=readable(told))
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
        failed_for_good(f"workflow {workflow.name}", error)
        return WorkflowResult(outcome="failed", flaw=flaw_of(error), steps=steps)
    return WorkflowResult(outcome="completed", result=result, steps=steps)


def left(
    why: Mismatch | bytes | None,
    waits: tuple[Wait, ...],
    steps: tuple[StepRecord, ...],
    *,
    untaken: Callable[[], tuple[Wait, ...]],
) -> WorkflowResult:
    """The code stands: at a record that does not fit, before it begins anew, or where it waits.

    `untaken` says where a signal may lie that it never took.
    """
    if isinstance(why, Mismatch):
        return WorkflowResult(outcome="held", steps=steps, mismatch=why)
    if why is not None:
        return WorkflowResult(outcome="renewed", result=why, steps=steps, waits=untaken())
    return WorkflowResult(outcome="suspended", steps=steps, waits=waits)


def mismatch_of(record: StepRecord, kind: StepKind, name: str) -> Mismatch:
    """The code does something else at this place."""
    recorded, found = f"{record.kind} {record.name}", f"{kind} {name}"
    if recorded == found:
        found += " with another input"
    return Mismatch(step=record.step, recorded=recorded, found=found)


def deaf_to(cancel: str) -> WorkflowResult:
    """The code compensated when its cancel was recorded at this place, and does not any more."""
    mismatch = Mismatch(step=cancel, recorded="its cancel", found="no compensates=True")
    return WorkflowResult(outcome="held", mismatch=mismatch)


def unless_passed_over(
    ended: WorkflowResult, records: Iterable[StepRecord], code: "Scope[object] | None"
) -> WorkflowResult:
    """Held where the code came to an end and not to where these were recorded: it is another.

    Of a branch that is still under way, or that there is none of, nothing can be said: the end may
    leave it earlier than it did before, and other code may have recorded it.
    """
    if ended.outcome not in _ENDS:
        return ended
    others = [one for one in records if one.kind != "input" and _is_over(one.step, code)]
    if not others:
        return ended
    first = min(others, key=lambda one: order_of(one.step))
    found = _ENDS[ended.outcome]
    if ended.flaw is not None:
        found = f"{ended.flaw.type or ended.flaw.code} ({ended.flaw.message})"
    recorded = f"{first.kind} {first.name}"
    mismatch = Mismatch(step=first.step, recorded=recorded, found=found)
    return WorkflowResult(outcome="held", steps=ended.steps, mismatch=mismatch)


def _is_over(place: str, code: "Scope[object] | None") -> bool:
    """Whether the branch of this place, or the code itself, has come to its end."""
    branch, _, _ = place.rpartition("/")
    return not branch or (code is not None and code.is_over(f"{branch}/"))
