"""Parents and children over values: what they tell each other, and what comes of it."""

from uuid import UUID

import msgspec
import pytest

from mainspring_engine.domain import intents
from mainspring_engine.domain.decide import decide
from mainspring_engine.domain.limits import WORKFLOW_DEPTH_MAX
from mainspring_engine.domain.plan import Plan
from mainspring_engine.domain.rows import Outcome, SignalRow, Waiting
from mainspring_engine.domain.workflow import children
from mainspring_engine.domain.workflow.state import Phase
from mainspring_kernel.ids import DEFAULT_ORG_ID, Prefix, to_wire
from mainspring_schema.codec import pack
from mainspring_schema.frames import Verdict
from mainspring_schema.tasks import WorkflowResult
from mainspring_schema.workflows import ChildStart, Flaw, Parent, StartWorkflow, Wait
from tests.unit.engine.program import Desk

PAY = Wait(step="1", name="pay", kind="child", child=ChildStart(type="pay", input=b"[7]"))
NOTE = Wait(step="2", name="note", kind="detached", child=ChildStart(type="note", queue="slow"))
DONE = WorkflowResult(outcome="completed", result=b'"paid"')


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.claimed()
    return desk


@pytest.fixture
def parent(desk: Desk) -> Desk:
    """It waits for its child."""
    desk.suspends(PAY)
    return desk


def child_of(desk: Desk) -> UUID:
    child = desk.waits["1"].wait.child
    assert child is not None
    assert child.workflow_id is not None
    return child.workflow_id


def outcome_of(desk: Desk) -> Outcome:
    assert desk.view.workflow is not None
    return desk.view.workflow.outcome


def test_a_child_is_told_to_start_and_waited_for_without_a_worker(parent: Desk) -> None:
    (told,) = parent.told
    assert (told.to, told.kind) == (child_of(parent), children.START)
    command = msgspec.msgpack.decode(told.body, type=StartWorkflow)
    assert (command.type, command.input, command.workflow_id) == ("pay", b"[7]", told.to)
    assert command.parent == Parent(workflow_id=parent.id, linked=True, depth=1)
    assert (parent.task, parent.state.phase) == (None, Phase.WAITING)
    assert "workflow.child_started" in parent.types
    assert parent.waits["1"].wait.child == ChildStart(type="pay", workflow_id=told.to)


def test_a_childs_result_is_its_steps_and_comes_once(parent: Desk) -> None:
    child_id = child_of(parent)

    assert parent.hears(child_id, children.ENDED, pack(DONE)) is Verdict.COMMITTED

    assert parent.records["1"].result == b'"paid"'
    assert (parent.state.phase, parent.state.waits) == (Phase.RUNNING, 0)
    assert parent.brought(child_id, children.ENDED) is Verdict.STALE


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (WorkflowResult(outcome="failed", flaw=Flaw(code="no_money", message="none")), "no_money"),
        (WorkflowResult(outcome="cancelled"), "cancelled"),
    ],
)
def test_a_childs_failure_reaches_its_parent(
    parent: Desk, result: WorkflowResult, code: str
) -> None:
    parent.hears(child_of(parent), children.ENDED, pack(result))

    flaw = parent.records["1"].flaw
    assert flaw is not None
    assert flaw.code == code


def test_a_detached_child_is_started_and_not_waited_for(desk: Desk) -> None:
    desk.emits(waits=(NOTE,))

    (told,) = desk.told
    assert told.to is not None
    assert desk.records["2"].result.decode() == f'"{to_wire(Prefix.WORKFLOW, told.to)}"'
    assert desk.waits == {}
    command = msgspec.msgpack.decode(told.body, type=StartWorkflow)
    assert (command.queue, command.parent) == (
        "slow", Parent(workflow_id=desk.id, linked=False, depth=1),
    )  # fmt: skip


def test_a_cancel_reaches_children_and_ends_with_them(parent: Desk) -> None:
    child_id = child_of(parent)

    parent.cancel()

    assert [(told.to, told.kind) for told in parent.told[1:]] == [(child_id, children.CANCEL)]
    assert outcome_of(parent) is Outcome.RUNNING
    parent.hears(child_id, children.ENDED, pack(WorkflowResult(outcome="cancelled")))
    assert outcome_of(parent) is Outcome.CANCELLED


@pytest.mark.parametrize(
    ("result", "kept"), [(DONE, True), (WorkflowResult(outcome="cancelled"), False)]
)
def test_what_a_cancel_made_of_a_child_is_nothing_that_a_fork_would_take_over(
    parent: Desk, result: WorkflowResult, kept: bool
) -> None:
    child_id = child_of(parent)
    parent.cancel()

    parent.hears(child_id, children.ENDED, pack(result))

    assert ("1" in parent.records) is kept
    assert (outcome_of(parent), parent.waits) == (Outcome.CANCELLED, {})


def test_code_that_hears_of_its_childs_cancellation_before_its_own_is_cancelled(
    desk: Desk,
) -> None:
    desk.emits(waits=(PAY,))
    desk.hears(child_of(desk), children.ENDED, pack(WorkflowResult(outcome="cancelled")))
    desk.cancel()

    desk.brings(WorkflowResult(outcome="failed", flaw=desk.records["1"].flaw))

    assert outcome_of(desk) is Outcome.CANCELLED
    assert desk.types[-1] == "workflow.cancelled"


def test_code_that_fails_by_itself_during_its_cancel_has_failed(desk: Desk) -> None:
    desk.cancel()

    desk.brings(WorkflowResult(outcome="failed", flaw=Flaw(code="no_money", message="none")))

    assert outcome_of(desk) is Outcome.FAILED


def test_a_child_that_does_not_stop_holds_the_cancel_up_to_its_deadline(parent: Desk) -> None:
    parent.cancel()

    parent.due(parent.state.timer_id, "cancel_deadline")

    assert outcome_of(parent) is Outcome.CANCELLED
    assert [told.kind for told in parent.told] == [children.START, children.CANCEL]


def test_an_end_before_the_childs_cancels_it(desk: Desk) -> None:
    desk.emits(waits=(PAY,))
    child_id = child_of(desk)

    desk.brings(WorkflowResult(outcome="completed"))

    assert [(told.to, told.kind) for told in desk.told[1:]] == [(child_id, children.CANCEL)]
    # What it answers finds nobody who waits, and is taken all the same.
    desk.hears(child_id, children.ENDED, pack(WorkflowResult(outcome="cancelled")))
    assert outcome_of(desk) is Outcome.COMPLETED
    assert desk.signals == {}


def test_a_timeout_cancels_the_child(desk: Desk) -> None:
    desk.suspends(msgspec.structs.replace(PAY, delay_ms=50))
    child_id = child_of(desk)

    desk.due(desk.waits["1"].timer_id)

    flaw = desk.records["1"].flaw
    assert flaw is not None
    assert flaw.code == "timeout"
    assert [(told.to, told.kind) for told in desk.told[1:]] == [(child_id, children.CANCEL)]


def test_a_child_tells_its_end_to_a_parent_that_waits() -> None:
    parent_id = UUID(int=9)
    child = Desk(Parent(workflow_id=parent_id, linked=True, depth=1))
    child.claimed()

    child.brings(DONE)

    (told,) = child.told
    assert (told.to, told.kind) == (parent_id, children.ENDED)
    assert msgspec.msgpack.decode(told.body, type=WorkflowResult) == DONE


def test_a_parents_cancel_stops_a_child_that_waits() -> None:
    parent_id = UUID(int=9)
    child = Desk(Parent(workflow_id=parent_id, linked=True, depth=1))

    child.hears(parent_id, children.CANCEL)

    assert outcome_of(child) is Outcome.CANCELLED
    assert [told.kind for told in child.told] == [children.ENDED]
    # Told again, or too late: it is taken, and nothing happens.
    child.hears(parent_id, children.CANCEL)
    assert (child.signals, len(child.told)) == ({}, 1)


def test_a_detached_childs_end_is_told_to_nobody() -> None:
    child = Desk(Parent(workflow_id=UUID(int=9), linked=False, depth=1))
    child.claimed()

    child.brings(DONE)

    assert child.told == []


def test_a_start_signal_opens_the_child_once(parent: Desk) -> None:
    (told,) = parent.told
    assert told.to is not None
    row = SignalRow(source=told.source, kind=told.kind, body=told.body)
    parent.materials.waiting[told.to] = Waiting(signals=(row,))
    plan = Plan.opening(told.to, org_id=DEFAULT_ORG_ID, now_ms=parent.clock.wall_ms())
    came = intents.SignalCame(
        session_id=told.to, org_id=DEFAULT_ORG_ID, source=parent.id, kind=children.START
    )

    assert decide(plan, came, parent.materials) is Verdict.COMMITTED
    assert decide(plan, came, parent.materials) is Verdict.STALE
    changes = plan.changes()
    assert changes.start is not None
    assert changes.start.workflow_id == told.to
    assert [take.kind for take in changes.taken_signals] == [children.START]


def test_workflows_that_start_themselves_end_somewhere() -> None:
    deep = Desk(Parent(workflow_id=UUID(int=9), linked=False, depth=WORKFLOW_DEPTH_MAX))
    deep.claimed()

    deep.suspends(PAY)

    flaw = deep.records["1"].flaw
    assert flaw is not None
    assert flaw.code == "too_deep"
    assert (deep.told, deep.state.phase) == ([], Phase.RUNNING)


# ── given up ────────────────────────────────────────────────────────────────────────────────────


def lost(parent: Desk, child: UUID) -> intents.SignalCame:
    return intents.SignalCame(
        session_id=parent.id, org_id=DEFAULT_ORG_ID, source=child, kind=children.LOST
    )


def test_a_child_whose_signals_were_given_up_fails_in_its_parent(parent: Desk) -> None:
    child = child_of(parent)

    verdict = parent.do(lost(parent, child))
    again = parent.do(lost(parent, child))

    assert (verdict, again) == (Verdict.COMMITTED, Verdict.STALE)
    assert parent.records["1"].flaw == children.LOST_FLAW
    assert parent.task is not None
    assert parent.waits == {}


def test_the_end_that_could_not_be_taken_is_taken_out_of_the_way(parent: Desk) -> None:
    child = child_of(parent)
    unreadable = SignalRow(source=child, kind=children.ENDED, body=b"\xc1")
    parent.signals[child] = unreadable
    came = msgspec.structs.replace(lost(parent, child), kind=children.ENDED)
    with pytest.raises(msgspec.DecodeError):
        parent.do(came)

    parent.do(lost(parent, child))

    (taken,) = parent.last.taken_signals
    assert (taken.source, taken.kind) == (child, children.ENDED)
    assert parent.records["1"].flaw == children.LOST_FLAW


def test_a_child_that_nobody_waits_for_is_not_missed(parent: Desk) -> None:
    assert parent.do(lost(parent, UUID(int=77))) is Verdict.STALE
