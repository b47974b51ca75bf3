"""Declared workflows that start others: what they tell them, and what comes of their ends."""

from uuid import UUID

import msgspec
import pytest

from mainspring import (
    child,
    do,
    do_child,
    do_detached,
    do_wait_for_signal,
    parallel,
    step,
    workflow,
)
from mainspring.definitions import Workflow
from mainspring_engine.domain import intents
from mainspring_engine.domain.limits import WORKFLOW_DEPTH_MAX
from mainspring_engine.domain.rows import Outcome
from mainspring_engine.domain.workflow import children
from mainspring_engine.domain.workflow.state import Phase
from mainspring_kernel.errors import ValidationFailed
from mainspring_kernel.ids import DEFAULT_ORG_ID, Prefix, to_wire
from mainspring_schema.codec import pack
from mainspring_schema.declarations import (
    Declaration,
    DeclaredStep,
    DeclaredWait,
    ListOf,
    OfStep,
    read,
)
from mainspring_schema.frames import Verdict
from mainspring_schema.tasks import WorkflowResult
from mainspring_schema.workflows import Flaw, Parent, StartWorkflow
from tests.unit.engine.declared_desk import DeclaredDesk

DONE = WorkflowResult(outcome="completed", result=b'{"paid":7}')
CANCELLED = WorkflowResult(outcome="cancelled")


@step
async def price(order: int) -> int:
    return order


@step
async def thank(paid: int) -> str:
    return f"{paid}"


@workflow
async def pay(order: int, cents: int) -> dict[str, int]:
    return {"paid": order * cents}


@workflow(driver="machine")
def buying(order: int) -> str:
    cents = do(price, order)
    receipt = do_child(pay, order, cents)
    return do(thank, receipt["paid"])


@workflow(driver="machine")
def noting(order: int) -> list[object]:
    started = do_detached(child(pay, queue="slow", keys=("shop",)), order, cents=1)
    return [do(price, order), started]


@workflow(driver="machine")
def beside(order: int) -> None:
    with parallel():
        do(price, order)
        do_child(child(pay, timeout_s=60, start_within_s=5), order, 3)
        do_wait_for_signal("approve", timeout_s=60)


def desk_of(flow: "Workflow[..., object]", parent: Parent | None = None) -> DeclaredDesk:
    assert flow.drawn is not None
    return DeclaredDesk(flow.drawn.declaration, parent=parent)


def child_of(desk: DeclaredDesk, place: str) -> UUID:
    known = desk.waits[place].wait.child
    assert known is not None
    assert known.workflow_id is not None
    return known.workflow_id


def kinds_of(desk: DeclaredDesk) -> list[str]:
    return [told.kind for told in desk.told]


def test_a_child_gets_results_of_steps_and_its_result_is_given_to_those_after_it() -> None:
    desk = desk_of(buying)

    desk.ends("1", b"99")

    (told,) = desk.told
    command = msgspec.msgpack.decode(told.body, type=StartWorkflow)
    assert (told.to, told.kind) == (child_of(desk, "2"), children.START)
    assert (command.type, command.input, command.queue) == ("pay", b"[1,99]", "default")
    assert command.parent == Parent(workflow_id=desk.id, linked=True, depth=1)
    assert (desk.tasks, desk.state.phase) == ({}, Phase.WAITING)

    child_id = child_of(desk, "2")
    assert desk.hears(child_id, children.ENDED, pack(DONE)) is Verdict.COMMITTED
    assert (desk.given["3"], desk.waits, desk.signals) == ([7], {}, {})
    desk.ends("3", b'"thanks"')
    assert (desk.outcome, desk.events[-1][1]["result"]) == (Outcome.COMPLETED, "thanks")


def test_a_child_that_ends_last_ends_its_parent() -> None:
    @workflow(driver="machine")
    def only(order: int) -> object:
        return do_child(pay, order, 1)

    desk = desk_of(only)

    desk.hears(child_of(desk, "1"), children.ENDED, pack(DONE))

    assert (desk.outcome, desk.events[-1][1]["result"]) == (Outcome.COMPLETED, {"paid": 7})


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (WorkflowResult(outcome="failed", flaw=Flaw(code="no_money", message="none")), "no_money"),
        (CANCELLED, "cancelled"),
    ],
)
def test_a_childs_failure_ends_its_parent_and_what_else_is_open(
    result: WorkflowResult, code: str
) -> None:
    desk = desk_of(beside)

    desk.hears(child_of(desk, "2"), children.ENDED, pack(result))

    assert (desk.outcome, desk.tasks, desk.waits) == (Outcome.FAILED, {}, {})
    assert desk.state.problem.startswith(f"{code}: step 2 (child pay)")
    assert kinds_of(desk) == [children.START]


def test_a_detached_child_is_started_and_its_id_is_a_value() -> None:
    desk = desk_of(noting)

    (told,) = desk.told
    command = msgspec.msgpack.decode(told.body, type=StartWorkflow)
    assert (command.queue, command.keys, command.input) == (
        "slow", ("shop",), b'{"order":1,"cents":1}',
    )  # fmt: skip
    assert command.parent == Parent(workflow_id=desk.id, linked=False, depth=1)
    assert (desk.waits, [*desk.tasks]) == ({}, ["2"])
    desk.ends("2", b"5")
    assert told.to is not None
    assert desk.events[-1][1]["result"] == [5, to_wire(Prefix.WORKFLOW, told.to)]


def test_a_steps_failure_cancels_the_child_beside_it() -> None:
    desk = desk_of(beside)
    child_id = child_of(desk, "2")

    desk.fails("1")

    assert desk.outcome is Outcome.FAILED
    assert [(told.to, told.kind) for told in desk.told[1:]] == [(child_id, children.CANCEL)]
    # What it answers finds nobody who waits, and is taken all the same.
    desk.hears(child_id, children.ENDED, pack(CANCELLED))
    assert desk.signals == {}


def test_a_childs_time_is_its_parents_failure() -> None:
    desk = desk_of(beside)

    desk.due("2")

    assert desk.state.problem == "timeout: step 2: the child pay did not come in time"
    assert kinds_of(desk) == [children.START, children.CANCEL]


def test_how_soon_a_child_is_to_be_taken_goes_with_its_start() -> None:
    (told,) = desk_of(beside).told

    assert msgspec.msgpack.decode(told.body, type=StartWorkflow).start_within_ms == 5000


def test_a_cancel_ends_steps_at_once_and_waits_for_children() -> None:
    desk = desk_of(beside)
    child_id = child_of(desk, "2")

    desk.cancel()
    desk.cancel()

    assert (desk.outcome, desk.state.phase) == (Outcome.RUNNING, Phase.CANCELLING)
    assert (desk.tasks, [*desk.waits], kinds_of(desk)) == (
        {}, ["2"], [children.START, children.CANCEL],
    )  # fmt: skip
    desk.hears(child_id, children.ENDED, pack(CANCELLED))
    assert (desk.outcome, desk.waits) == (Outcome.CANCELLED, {})
    assert desk.events[-1] == ("workflow.cancelled", {"reason": "enough"})


def test_a_child_that_does_not_stop_holds_a_cancel_up_to_its_deadline() -> None:
    desk = desk_of(beside)
    desk.cancel()

    desk.timer_due(desk.state.timer_id, "cancel_deadline")

    assert (desk.outcome, desk.waits) == (Outcome.CANCELLED, {})
    assert kinds_of(desk) == [children.START, children.CANCEL]


def test_a_childs_time_that_is_over_during_a_cancel_ends_it() -> None:
    desk = desk_of(beside)
    desk.cancel()

    desk.due("2")

    assert desk.outcome is Outcome.CANCELLED


def test_what_stands_below_a_cancelled_child_does_not_begin() -> None:
    desk = desk_of(buying)
    desk.ends("1", b"1")
    desk.cancel()

    # It had ended before it was told to stop.
    desk.hears(child_of(desk, "2"), children.ENDED, pack(DONE))

    assert (desk.outcome, desk.tasks) == (Outcome.CANCELLED, {})


def test_a_child_that_was_lost_fails_its_parent() -> None:
    desk = desk_of(beside)
    lost = intents.SignalCame(
        session_id=desk.id, org_id=DEFAULT_ORG_ID, source=child_of(desk, "2"), kind=children.LOST
    )

    assert desk.do(lost) is Verdict.COMMITTED

    assert desk.state.problem.startswith("child_lost: step 2")


def test_a_parents_cancel_ends_a_declared_child_that_waits_for_its_own() -> None:
    parent_id = UUID(int=9)
    desk = desk_of(buying, Parent(workflow_id=parent_id, linked=True, depth=1))
    desk.ends("1", b"1")
    own = child_of(desk, "2")

    desk.hears(parent_id, children.CANCEL)
    desk.hears(own, children.ENDED, pack(CANCELLED))

    assert desk.outcome is Outcome.CANCELLED
    assert [(told.to, told.kind) for told in desk.told[1:]] == [
        (own, children.CANCEL), (parent_id, children.ENDED),
    ]  # fmt: skip


def test_workflows_that_start_themselves_end_somewhere() -> None:
    deep = Parent(workflow_id=UUID(int=9), linked=False, depth=WORKFLOW_DEPTH_MAX)
    desk = desk_of(buying, deep)

    desk.ends("1", b"1")

    assert desk.outcome is Outcome.FAILED
    assert desk.state.problem.startswith("too_deep: ")
    with pytest.raises(ValidationFailed):
        desk_of(noting, deep)


def test_one_that_begins_with_a_child_too_deep_says_so_when_its_worker_declares_it() -> None:
    desk = DeclaredDesk(None, parent=Parent(workflow_id=UUID(int=9), linked=False, depth=32))
    assert noting.drawn is not None

    desk.declares(noting.drawn.declaration)

    assert desk.state.problem.startswith("too_deep: ")


@pytest.mark.parametrize(
    "wait",
    [
        DeclaredWait(kind="detached", delay_ms=5),
        DeclaredWait(kind="child", start_within_ms=0),
        DeclaredWait(kind="signal", start_within_ms=5),
    ],
    ids=["detached with a time", "taken in no time", "a signal"],
)
def test_a_child_that_cannot_be_is_refused(wait: DeclaredWait) -> None:
    flawed = DeclaredStep(step="s", arguments=ListOf(items=()), wait=wait)
    raw = msgspec.json.encode(Declaration(steps=(flawed,), result=OfStep(step=1)))

    with pytest.raises(ValueError, match="step 1"):
        read(raw)
