"""How a user's workflow ends, whoever drives it. Pure."""

from mainspring_engine.domain.limits import CANCEL_DEADLINE_S
from mainspring_engine.domain.rows import Outcome, WaitRow
from mainspring_engine.domain.workflow import children, waiting
from mainspring_engine.domain.workflow.going import Going, cut, flaw_view
from mainspring_engine.domain.workflow.state import Phase
from mainspring_schema.tasks import WorkflowResult
from mainspring_schema.workflows import Flaw

TIMER_CANCEL = "cancel_deadline"
TIMER_CLOSE = "close"
OVERDUE = Flaw(
    code="timeout.schedule_to_close",
    message="it had not ended within its time",
    type="TimeoutError",
)


def fail(going: Going, flaw: Flaw) -> None:
    going.emit("workflow.failed", {"error": flaw_view(flaw)})
    going.update(problem=cut(f"{flaw.code}: {flaw.message}"))
    end(going, Outcome.FAILED, WorkflowResult(outcome="failed", flaw=flaw))


def stop_children(going: Going) -> tuple[WaitRow, ...]:
    """Those that it waits for, and that are told to stop now."""
    left = waiting.of_children(going)
    for row in left:
        children.cancel(going, row)
    return left


def arm_deadline(going: Going) -> None:
    """A cancel waits for who is still at work, and not for ever."""
    going.update(timer_id=going.timer(TIMER_CANCEL, round(CANCEL_DEADLINE_S * 1000)))


def of_the_cancel(going: Going, result: WorkflowResult) -> bool:
    """Whether code ended by its child's cancellation before its worker heard of its own.

    Both come of one wish, and either may be there first.
    """
    if going.state.phase is not Phase.CANCELLING or result.flaw is None:
        return False
    return result.outcome == "failed" and result.flaw.code == children.CANCELLED


def cancelled(going: Going) -> None:
    """Nobody is at work on it any more. What was stopped because its time was over has failed."""
    if going.state.overdue:
        fail(going, OVERDUE)
        return
    going.emit("workflow.cancelled", {"reason": going.state.cancel_reason or "worker"})
    end(going, Outcome.CANCELLED, WorkflowResult(outcome="cancelled"))


def end(going: Going, outcome: Outcome, result: WorkflowResult) -> None:
    """Its event stands already. Who waits for it is told, and it waits for nothing any more."""
    if going.state.waits:
        waiting.drop_all(going)
    children.ended(going, result)
    going.rest(outcome)
