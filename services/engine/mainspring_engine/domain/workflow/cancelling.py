"""How a workflow of code is cancelled: its code hears of it, or is left where it stands. Pure."""

from mainspring_engine.domain.changes import MarkTask
from mainspring_engine.domain.rows import OpenTask
from mainspring_engine.domain.workflow import waiting
from mainspring_engine.domain.workflow.ending import arm_deadline, cancelled, stop_children
from mainspring_engine.domain.workflow.going import Going, cut
from mainspring_engine.domain.workflow.state import Phase


def cancel(going: Going, reason: str | None, tasks: tuple[OpenTask, ...], *, force: bool) -> None:
    """Commits the wish first. Its worker and its children are asked to stop, until a deadline.

    Code that compensates hears of it, once, and has the time that it takes.
    """
    if going.state.phase is Phase.CANCELLING:
        return
    hears = None if force else waiting.of_the_cancel(going)
    if hears is not None:
        going.update(cancel_reason=cut(reason or "user"))
        waiting.wished(going, hears, reason or "user")
        going.wake()
        going.save()
    elif force or going.state.cancel_reason is None:
        _stop(going, reason, tasks)


def _stop(going: Going, reason: str | None, tasks: tuple[OpenTask, ...]) -> None:
    """Ends it where its code stands."""
    left = stop_children(going)
    going.update(phase=Phase.CANCELLING, cancel_reason=cut(reason or "user"))
    task = next((t for t in tasks if t.id == going.state.task_id), None)
    if task is not None and going.plan.is_held(task):
        going.plan.marks.append(MarkTask(task_id=task.id, fence=task.fence))
    else:
        if task is not None:
            going.cancel_unheld(task)
        if not left:
            finish_cancel(going)
            return
    arm_deadline(going)
    going.save()


def stopped(going: Going) -> None:
    """Nobody is at work on it any more; its children may still be stopping, or are to now."""
    if not waiting.of_children(going):
        finish_cancel(going)
    elif going.state.phase is Phase.CANCELLING:
        going.save()
    else:
        _stop(going, going.state.cancel_reason or "worker", ())


def finish_cancel(going: Going, tasks: tuple[OpenTask, ...] = ()) -> None:
    """Nobody is at work on it any more, or the deadline ends who still is."""
    for task in tasks:
        if task.id == going.state.task_id:
            going.cancel_unheld(task)
    cancelled(going)
