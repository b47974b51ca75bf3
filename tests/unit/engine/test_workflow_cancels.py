"""A cancel of code that hears of it, over values: it ends by itself, or at once where forced."""

from uuid import UUID

import msgspec
import pytest

from mainspring_engine.domain.rows import Outcome
from mainspring_engine.domain.workflow import children
from mainspring_engine.domain.workflow.state import Phase
from mainspring_schema.codec import pack
from mainspring_schema.tasks import WorkflowResult
from mainspring_schema.workflows import (
    CANCEL_NAME,
    CANCEL_STEP,
    ChildStart,
    StepRecord,
    Wait,
    WorkflowCancelReceipt,
)
from tests.unit.engine.program import Desk

HEARS = Wait(step=CANCEL_STEP, name=CANCEL_NAME, kind="signal")
APPROVE = Wait(step="2", name="approve", kind="signal")
PAY = Wait(step="1", name="pay", kind="child", child=ChildStart(type="pay", input=b"[7]"))
AGAIN = f"a1~{CANCEL_STEP}"
ACCEPTED = WorkflowCancelReceipt(status="cancelled")
CANCELLED = WorkflowResult(outcome="cancelled")


def outcome_of(desk: Desk) -> Outcome:
    assert desk.view.workflow is not None
    return desk.view.workflow.outcome


def child_of(desk: Desk) -> UUID:
    child = desk.waits["1"].wait.child
    assert child is not None
    assert child.workflow_id is not None
    return child.workflow_id


def test_code_at_rest_is_woken_by_its_cancel_and_ends_it(held: Desk) -> None:
    held.suspends(APPROVE, HEARS)

    assert held.cancel() == ACCEPTED

    assert outcome_of(held) is Outcome.RUNNING
    assert held.state.phase is Phase.RUNNING
    assert held.records[CANCEL_STEP].result == b'"enough"'
    held.claimed()
    held.brings(WorkflowResult(outcome="cancelled", steps=(StepRecord(step="3", name="refund"),)))
    assert outcome_of(held) is Outcome.CANCELLED
    assert held.records["3"].name == "refund"
    assert held.data[-1] == ("workflow.cancelled", {"reason": "enough"})
    assert held.waits == {}


def test_code_at_work_is_not_stopped_but_told(held: Desk) -> None:
    held.emits(waits=(HEARS,))

    held.cancel()

    assert held.last.marks == ()
    assert held.records[CANCEL_STEP].nth > 0
    assert held.state.phase is Phase.RUNNING


def test_it_may_rest_while_it_compensates(held: Desk) -> None:
    held.emits(waits=(HEARS,))
    held.cancel()

    held.suspends(APPROVE)

    assert held.state.phase is Phase.WAITING
    held.signal("approve")
    held.claimed()
    held.brings(CANCELLED)
    assert outcome_of(held) is Outcome.CANCELLED


def test_a_cancel_that_comes_again_changes_nothing(held: Desk) -> None:
    held.suspends(APPROVE, HEARS)
    held.cancel()
    held.claimed()

    assert held.cancel() == ACCEPTED

    assert held.last.marks == ()
    assert held.state.phase is Phase.RUNNING


@pytest.mark.parametrize("heard", [False, True])
def test_force_ends_it_where_it_stands(held: Desk, heard: bool) -> None:
    held.emits(waits=(HEARS,))
    if heard:
        held.cancel()

    held.cancel(force=True)

    assert held.last.marks[0].task_id == held.held.task_id
    assert held.state.phase is Phase.CANCELLING
    held.brings(CANCELLED)
    assert outcome_of(held) is Outcome.CANCELLED


def test_what_has_not_begun_is_cancelled_at_once() -> None:
    desk = Desk()

    desk.cancel()

    assert outcome_of(desk) is Outcome.CANCELLED


def test_code_that_goes_on_after_its_cancel_ends_as_it_does(held: Desk) -> None:
    held.emits(waits=(HEARS,))
    held.cancel()

    held.brings(WorkflowResult(outcome="completed", result=b"1"))

    assert outcome_of(held) is Outcome.COMPLETED


def test_a_cancel_that_came_as_the_code_started_over_is_heard_by_the_new_passage(
    held: Desk,
) -> None:
    held.emits(waits=(HEARS,))
    held.cancel()

    held.brings(WorkflowResult(outcome="renewed", result=b"[2]"))

    assert outcome_of(held) is Outcome.RUNNING
    assert held.records[AGAIN].result == b'"enough"'
    held.claimed()
    held.brings(CANCELLED)
    assert outcome_of(held) is Outcome.CANCELLED


def test_code_that_starts_over_hears_from_its_first_moment_on(held: Desk) -> None:
    held.emits(waits=(HEARS,))
    held.brings(WorkflowResult(outcome="renewed", result=b"[2]"))

    held.cancel()  # before any worker took it

    assert outcome_of(held) is Outcome.RUNNING
    assert AGAIN in held.records


def test_code_that_compensates_no_more_is_cancelled_where_it_stands(held: Desk) -> None:
    held.suspends(APPROVE, HEARS)
    held.signal("approve")
    held.claimed()
    held.suspends(msgspec.structs.replace(APPROVE, step="3"))  # of a later version of the code

    held.cancel()

    assert outcome_of(held) is Outcome.CANCELLED


def test_its_children_are_stopped_once_its_code_has_ended(held: Desk) -> None:
    held.emits(waits=(PAY, HEARS))
    child_id = child_of(held)
    held.cancel()
    assert [told.kind for told in held.told] == [children.START]

    held.brings(CANCELLED)

    assert [(told.to, told.kind) for told in held.told[1:]] == [(child_id, children.CANCEL)]
    assert outcome_of(held) is Outcome.RUNNING
    held.hears(child_id, children.ENDED, pack(CANCELLED))
    assert outcome_of(held) is Outcome.CANCELLED


def test_a_parents_cancel_is_heard_as_well(held: Desk) -> None:
    held.suspends(APPROVE, HEARS)

    held.hears(UUID(int=7), children.CANCEL)

    assert held.records[CANCEL_STEP].result == b'"parent"'
    assert held.state.phase is Phase.RUNNING


def test_that_it_would_hear_of_a_cancel_is_nothing_that_it_waits_for(held: Desk) -> None:
    held.suspends(APPROVE, HEARS)

    ((type_, told),) = held.data[-1:]

    assert type_ == "workflow.waiting"
    assert str(told).count("name") == 1
