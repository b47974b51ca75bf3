"""A workflow that goes round and round ends, and says so."""

from mainspring_engine.domain.limits import WORKFLOW_IDLE_GOES_MAX
from mainspring_engine.domain.rows import Outcome
from mainspring_engine.domain.workflow.state import Phase
from mainspring_schema.tasks import WorkflowResult
from mainspring_schema.workflows import StepRecord, Wait, prefix_of
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


def starts_over(desk: Desk, *steps: StepRecord) -> None:
    desk.claimed()
    desk.brings(WorkflowResult(outcome="renewed", result=b"[2]", steps=steps))


def test_code_that_starts_over_for_ever_without_a_step_ends_too() -> None:
    desk = Desk()
    for _ in range(WORKFLOW_IDLE_GOES_MAX - 1):
        starts_over(desk)
    assert (outcome_of(desk), desk.state.generation) == (
        Outcome.RUNNING,
        WORKFLOW_IDLE_GOES_MAX - 1,
    )

    starts_over(desk)

    assert outcome_of(desk) is Outcome.FAILED
    assert desk.state.problem.startswith("no_progress: ")
    assert desk.task is None


def test_code_that_does_a_step_before_it_starts_over_goes_on() -> None:
    desk = Desk()

    for generation in range(WORKFLOW_IDLE_GOES_MAX + 1):
        place = f"{prefix_of(generation)}1"
        starts_over(desk, StepRecord(step=place, name="a"))

    assert (outcome_of(desk), desk.state.idle) == (Outcome.RUNNING, 0)


def test_code_that_waits_before_it_starts_over_goes_on() -> None:
    desk = Desk()

    for generation in range(WORKFLOW_IDLE_GOES_MAX + 1):
        wait = Wait(step=f"{prefix_of(generation)}1", name="go", kind="signal")
        desk.claimed()
        desk.suspends(wait)
        desk.signal("go")
        starts_over(desk)

    assert outcome_of(desk) is Outcome.RUNNING


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
