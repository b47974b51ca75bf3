"""The workflow machine over values."""

import msgspec
import pytest

from mainspring_engine.domain import intents
from mainspring_engine.domain.changes import CopySteps
from mainspring_engine.domain.decide import decide
from mainspring_engine.domain.materials import NotYet
from mainspring_engine.domain.plan import Plan
from mainspring_engine.domain.rows import Closing, Outcome
from mainspring_engine.domain.workflow.state import Phase
from mainspring_kernel.errors import NotFound, ValidationFailed, WorkflowEnded
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_kernel.limits import WORKFLOW_VALUE_INLINE_BYTES_MAX
from mainspring_schema import commands
from mainspring_schema.frames import Emit, Verdict
from mainspring_schema.tasks import (
    PlainResult,
    ReasonResult,
    TaskResult,
    ToolResult,
    WorkflowResult,
    WorkflowTask,
)
from mainspring_schema.workflows import (
    Flaw,
    Fork,
    Mismatch,
    Signalled,
    Started,
    StartWorkflow,
    StepRecord,
    Wait,
    WorkflowCancelReceipt,
)
from tests.unit.engine.program import Desk

SLEEP = Wait(step="1", name="sleep", kind="sleep", delay_ms=1000)
APPROVE = Wait(step="2", name="approve", kind="signal")
HURRY = Wait(step="3", name="hurry", kind="signal", delay_ms=500)
DONE = WorkflowResult(outcome="completed", result=b'"ok"')


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def held(desk: Desk) -> Desk:
    desk.claimed()
    return desk


def outcome_of(desk: Desk) -> Outcome:
    assert desk.view.workflow is not None
    return desk.view.workflow.outcome


def test_a_start_records_its_input_and_makes_a_task(desk: Desk) -> None:
    assert desk.started == Started(workflow_id=desk.id, started_ms=desk.clock.wall_ms())
    assert desk.types == ["workflow.started"]
    assert desk.records["0"].result == b"[1]"
    (task,) = desk.last.tasks
    assert (task.route.queue, task.route.capability) == ("default", "workflow:order")


def test_a_repeated_start_does_not_ride_with_what_is_decided_of_the_one_that_is_there(
    held: Desk,
) -> None:
    plan = Plan(held.view, org_id=DEFAULT_ORG_ID, now_ms=held.clock.wall_ms())
    again = StartWorkflow(
        org_id=DEFAULT_ORG_ID, workflow_id=held.id, type="order", input=b"[1]", key="k"
    )

    with pytest.raises(NotYet):
        decide(plan, intents.WorkflowStarted(command=again), held.materials)

    assert (plan.start, plan.steps) == (None, [])


def test_code_that_starts_over_has_a_new_input_and_a_new_go(held: Desk) -> None:
    first = held.held
    last = StepRecord(step="1", name="a", result=b"2")

    held.brings(WorkflowResult(outcome="renewed", result=b"[2]", steps=(last,)))

    assert held.types[1:] == ["step.completed", "workflow.started_over"]
    assert held.data[-1] == ("workflow.started_over", {"generation": 1, "input": [2]})
    assert (held.records["a1~0"].kind, held.records["a1~0"].result) == ("input", b"[2]")
    (close,) = held.last.closes
    assert (close.task_id, close.closing) == (first.task_id, Closing.SUSPENDED)
    (task,) = held.last.tasks
    assert msgspec.msgpack.decode(task.payload, type=WorkflowTask).generation == 1
    assert held.state.phase is Phase.RUNNING


def test_what_it_waited_for_is_given_up_when_it_starts_over_and_signals_are_kept(
    held: Desk,
) -> None:
    held.emits(waits=(SLEEP, APPROVE))
    held.signal("later")

    held.brings(WorkflowResult(outcome="renewed", result=b"[2]"))

    assert (held.waits, held.state.waits, held.state.found) == ({}, 0, 0)
    assert len(held.last.dropped_timers) == 1
    assert (len(held.signals), held.state.signals) == (1, 1)
    held.claimed()
    held.suspends(Wait(step="a1~1", name="later", kind="signal", seen=0))
    assert held.records["a1~1"].result == b"1"


def test_a_fork_begins_in_the_generation_of_its_step() -> None:
    fork = Fork(source_id=DEFAULT_ORG_ID, before="b12~3", generation=12)

    desk = Desk(fork=fork)

    assert desk.last.start is not None
    assert desk.last.start.copied == CopySteps(source_id=DEFAULT_ORG_ID, bound="b12~3")
    assert list(desk.records) == ["b12~0"]
    (task,) = desk.last.tasks
    assert msgspec.msgpack.decode(task.payload, type=WorkflowTask).generation == 12
    assert (desk.data[0][1]["generation"], desk.state.generation) == (12, 12)


@pytest.mark.parametrize(
    ("fork", "bound"),
    [
        (Fork(source_id=DEFAULT_ORG_ID), ""),
        (Fork(source_id=DEFAULT_ORG_ID, before="2/1"), "2/1"),
        (Fork(source_id=DEFAULT_ORG_ID, generation=3), "a3~"),
    ],
)
def test_a_fork_copies_up_to_its_bound(fork: Fork, bound: str) -> None:
    assert fork.bound == bound


def test_a_cancelled_workflow_does_not_start_over(held: Desk) -> None:
    held.cancel()

    held.brings(WorkflowResult(outcome="renewed", result=b"[2]"))

    assert outcome_of(held) is Outcome.CANCELLED
    assert held.last.tasks == ()


def test_a_result_ends_it(held: Desk) -> None:
    last = StepRecord(step="1", name="a", result=b"2")

    held.brings(WorkflowResult(outcome="completed", result=b'"ok"', steps=(last,)))

    assert held.types[1:] == ["step.completed", "workflow.completed"]
    assert outcome_of(held) is Outcome.COMPLETED
    assert held.data[-1] == ("workflow.completed", {"result": "ok"})
    assert held.task is None
    (kept,) = held.last.results
    assert kept.step == "workflow"


def test_a_failure_keeps_its_code(held: Desk) -> None:
    held.brings(WorkflowResult(outcome="failed", flaw=Flaw(code="no_stock", message="none")))

    assert outcome_of(held) is Outcome.FAILED
    assert held.data[-1][1]["error"] == {"code": "no_stock", "message": "none", "type": ""}


def test_a_sleep_holds_no_worker_and_wakes_once(held: Desk) -> None:
    held.suspends(SLEEP)
    (close,) = held.last.closes
    assert close.closing is Closing.SUSPENDED
    assert (held.task, held.state.phase) == (None, Phase.WAITING)
    timer_id = held.waits["1"].timer_id

    assert held.due(timer_id) is Verdict.COMMITTED
    assert held.due(timer_id) is Verdict.STALE

    assert held.records["1"].kind == "sleep"
    assert held.task is not None
    assert held.state.phase is Phase.RUNNING


def test_what_is_refused_or_dropped_rests_on_the_state_that_it_was_refused_by(held: Desk) -> None:
    first = held.held
    held.suspends(SLEEP)
    timer_id = held.waits["1"].timer_id
    assert timer_id is not None
    held.due(timer_id)

    due = intents.TimerDue(
        session_id=held.id, org_id=DEFAULT_ORG_ID, workflow_id=held.id, timer_id=timer_id,
        kind="wait",
    )  # fmt: skip
    late = intents.Answered(
        session_id=held.id, org_id=DEFAULT_ORG_ID, held=first, hash=b"r" * 32, body=b"",
        result=WorkflowResult(outcome="completed", result=b"1"),
    )  # fmt: skip
    emit = Emit(held=first, counter=9)
    emitted = intents.Emitted(session_id=held.id, org_id=DEFAULT_ORG_ID, emit=emit)

    for intent in (due, late, emitted):
        plan = Plan(held.view, org_id=DEFAULT_ORG_ID, now_ms=1)
        assert decide(plan, intent, held.materials) is Verdict.STALE
        assert [one.id for one in plan.changes().workflows] == [held.id]


def test_a_signal_wakes_who_waits_for_it(held: Desk) -> None:
    held.suspends(APPROVE, HURRY)

    assert held.signal("approve", b'"tom"') == Signalled()

    assert held.records["2"].result == b'"tom"'
    assert held.task is not None
    assert list(held.waits) == ["3"]


def test_a_signal_that_came_before_is_taken_at_once(held: Desk) -> None:
    held.signal("approve", b"1")
    held.signal("approve", b"2")

    held.suspends(APPROVE)

    assert held.records["2"].result == b"1"
    assert held.task is not None  # it goes on, and did not rest
    assert ([row.body for row in held.signals.values()], held.state.signals) == ([b"2"], 1)


def test_a_wait_ends_with_its_timeout(held: Desk) -> None:
    held.suspends(HURRY)

    held.due(held.waits["3"].timer_id)

    flaw = held.records["3"].flaw
    assert flaw is not None
    assert flaw.code == "timeout"


def test_what_came_to_pass_before_the_rest_is_not_waited_for(held: Desk) -> None:
    held.emits(waits=(SLEEP,))
    held.due(held.waits["1"].timer_id)
    assert held.last.tasks == ()  # its worker is told, no other begins

    held.suspends(Wait(step="1", name="sleep", kind="sleep", delay_ms=1000, armed=True))

    assert held.task is not None
    assert held.state.phase is Phase.RUNNING


def test_an_armed_wait_keeps_its_time(held: Desk) -> None:
    held.emits(waits=(SLEEP,))
    timer_id = held.waits["1"].timer_id

    held.suspends(Wait(step="1", name="sleep", kind="sleep", delay_ms=1000, armed=True))

    assert held.waits["1"].timer_id == timer_id
    assert held.state.phase is Phase.WAITING


def test_a_checkpoint_tells_its_steps(held: Desk) -> None:
    answer = held.emits(StepRecord(step="1", name="charge", result=b"3", attempts=2))

    assert answer is Verdict.COMMITTED
    kind, told = held.data[-1]
    assert (kind, told["name"], told["result"], told["attempts"]) == (
        "step.completed", "charge", 3, 2,
    )  # fmt: skip
    assert held.last.workflows == ()  # the head alone moves


def test_a_report_is_told_as_one(held: Desk) -> None:
    held.emits(StepRecord(step="1", name="report", kind="report", result=b'{"done":1}'))

    assert held.types[-1] == "workflow.reported"


def test_a_large_value_stands_with_its_step_alone(held: Desk) -> None:
    raw = b'"' + b"x" * WORKFLOW_VALUE_INLINE_BYTES_MAX + b'"'

    held.emits(StepRecord(step="1", name="charge", result=raw))

    assert held.data[-1][1]["result_bytes"] == len(raw)
    assert held.records["1"].result == raw


def test_code_that_differs_holds_the_workflow_visibly_and_loses_nothing(held: Desk) -> None:
    mismatch = Mismatch(step="1", recorded="step charge", found="step ship")

    held.brings(WorkflowResult(outcome="held", mismatch=mismatch))
    held.claimed()
    held.brings(WorkflowResult(outcome="held", mismatch=mismatch))

    assert held.types.count("workflow.held") == 1
    assert held.state.phase is Phase.HELD
    assert "step charge is recorded, step ship found" in held.state.problem
    (close,) = held.last.closes
    assert close.delay_ms == 10_000
    assert outcome_of(held) is Outcome.RUNNING
    held.claimed()
    held.brings(DONE)
    assert outcome_of(held) is Outcome.COMPLETED


def test_code_that_fits_again_is_held_no_more_once_it_records(held: Desk) -> None:
    held.brings(WorkflowResult(outcome="held"))
    held.claimed()
    held.emits()
    assert held.state.phase is Phase.HELD  # what says nothing may not fit either

    held.emits(StepRecord(step="1", name="charge", result=b"3"))

    assert (held.state.phase, held.state.problem, held.state.holds) == (Phase.RUNNING, "", 0)


def test_a_cancel_ends_at_once_what_nobody_holds(held: Desk) -> None:
    held.suspends(SLEEP, APPROVE)
    timer_id = held.waits["1"].timer_id

    assert held.cancel() == WorkflowCancelReceipt(status="cancelled")

    assert outcome_of(held) is Outcome.CANCELLED
    assert held.waits == {}
    assert timer_id in held.last.dropped_timers
    assert held.data[-1] == ("workflow.cancelled", {"reason": "enough"})
    assert held.cancel() == WorkflowCancelReceipt(status="no_op")


def test_a_cancel_asks_who_holds_it(held: Desk) -> None:
    held.cancel()
    assert held.last.marks[0].task_id == held.held.task_id
    assert outcome_of(held) is Outcome.RUNNING

    held.brings(WorkflowResult(outcome="cancelled"))

    assert outcome_of(held) is Outcome.CANCELLED


def test_a_cancelled_workflow_does_not_rest(held: Desk) -> None:
    held.cancel()

    held.suspends(SLEEP)

    assert outcome_of(held) is Outcome.CANCELLED


def test_the_deadline_ends_a_cancel_that_nobody_confirms(held: Desk) -> None:
    held.cancel()

    held.due(held.state.timer_id, "cancel_deadline")

    assert outcome_of(held) is Outcome.CANCELLED
    assert held.task is None


def test_a_late_signal_is_refused(held: Desk) -> None:
    held.brings(DONE)

    with pytest.raises(WorkflowEnded):
        held.signal("approve")


def test_the_session_of_a_workflow_takes_no_messages(desk: Desk) -> None:
    command = commands.Cancel(org_id=DEFAULT_ORG_ID, session_id=desk.id)

    with pytest.raises(NotFound):
        desk.do(intents.Cancelled(command=command))


def test_what_came_while_a_go_began_is_not_waited_for_again(held: Desk) -> None:
    early, late = APPROVE, msgspec.structs.replace(HURRY, delay_ms=None)
    held.suspends(early, late)
    held.signal("approve")
    held.claimed()
    held.signal("hurry")  # its news comes too late for the go

    held.suspends(msgspec.structs.replace(late, seen=1))

    assert (held.state.phase, held.state.waits, held.waits) == (Phase.RUNNING, 0, {})
    assert held.task is not None


def test_a_worker_that_saw_everything_costs_no_look(held: Desk) -> None:
    held.suspends(APPROVE)
    held.signal("approve")
    held.claimed()

    held.suspends(msgspec.structs.replace(HURRY, seen=1))

    assert held.state.phase is Phase.WAITING


@pytest.mark.parametrize(
    "result", [ToolResult(status="success"), ReasonResult(), PlainResult()], ids=repr
)
def test_a_go_is_not_ended_by_a_result_of_another_kind(desk: Desk, result: TaskResult) -> None:
    with pytest.raises(ValidationFailed):
        desk.brings(result)

    desk.brings(WorkflowResult(outcome="completed"))
    assert desk.types.count("workflow.completed") == 1
