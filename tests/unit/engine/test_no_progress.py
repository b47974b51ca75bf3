"""A workflow that goes round and round ends, and says so."""

from mainspring_engine.domain.limits import WORKFLOW_IDLE_GOES_MAX
from mainspring_engine.domain.rows import Outcome
from mainspring_engine.domain.workflow.state import Phase
from mainspring_schema.tasks import WorkflowResult
from mainspring_schema.workflows import StepRecord
from tests.unit.engine.program import Desk

STEP = StepRecord(step="1", name="a", result=b"2")


def outcome_of(desk: Desk) -> Outcome:
    assert desk.view.workflow is not None
    return desk.view.workflow.outcome


def goes_idly(desk: Desk, times: int) -> None:
    for _ in range(times):
        desk.claimed()
        desk.suspends()


def test_goes_that_record_nothing_end_at_their_bound() -> None:
    desk = Desk()
    goes_idly(desk, WORKFLOW_IDLE_GOES_MAX - 1)
    assert (outcome_of(desk), desk.state.phase) == (Outcome.RUNNING, Phase.RUNNING)

    goes_idly(desk, 1)

    assert outcome_of(desk) is Outcome.FAILED
    assert desk.types[-1] == "workflow.failed"
    assert desk.state.problem.startswith("no_progress: ")
    assert desk.task is None


def test_a_record_of_a_later_go_begins_the_count_anew() -> None:
    desk = Desk()
    goes_idly(desk, WORKFLOW_IDLE_GOES_MAX - 1)

    desk.claimed()
    desk.brings(WorkflowResult(outcome="suspended", steps=(STEP,)))

    assert (outcome_of(desk), desk.state.idle) == (Outcome.RUNNING, 0)


def test_a_record_in_the_midst_of_a_go_begins_the_count_anew() -> None:
    desk = Desk()
    goes_idly(desk, WORKFLOW_IDLE_GOES_MAX - 1)

    desk.claimed()
    desk.emits(STEP)

    assert (outcome_of(desk), desk.state.idle) == (Outcome.RUNNING, 0)
    desk.suspends()
    assert (outcome_of(desk), desk.state.idle) == (Outcome.RUNNING, 1)
