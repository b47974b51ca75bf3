"""A workflow that is to end within a time: stopped as by a cancel, and it has failed."""

import asyncio

import pytest

from mainspring import do, do_child, parallel, step, workflow
from mainspring_engine.domain.rows import Outcome
from mainspring_engine.domain.workflow import children
from mainspring_engine.domain.workflow.ending import OVERDUE, TIMER_CLOSE
from mainspring_engine.domain.workflow.state import Phase
from mainspring_kernel.declaration_limits import WAIT_MS_MAX
from mainspring_kernel.errors import ValidationFailed
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_messaging import MemoryBus
from mainspring_schema.codec import pack
from mainspring_schema.frames import Verdict
from mainspring_schema.subjects import WORKFLOWS_ENDED
from mainspring_schema.tasks import WorkflowResult
from mainspring_schema.workflows import (
    ChildStart,
    GetWorkflow,
    Parent,
    StartWorkflow,
    Wait,
    cancel_of,
)
from tests.unit.engine.declared_desk import DeclaredDesk
from tests.unit.engine.program import Desk
from tests.unit.engine.whole import IDS, whole_engine

HEARS = cancel_of("999999999/1")
APPROVE = Wait(step="2", name="approve", kind="signal")
PAY = Wait(step="1", name="pay", kind="child", child=ChildStart(type="pay", input=b"[7]"))
FAILED = (
    "workflow.failed",
    {"error": {"code": OVERDUE.code, "message": OVERDUE.message, "type": OVERDUE.type}},
)


def outcome_of(desk: Desk) -> Outcome:
    assert desk.view.workflow is not None
    return desk.view.workflow.outcome


def overdue(desk: Desk) -> object:
    return desk.due(desk.state.close_timer, TIMER_CLOSE)


async def test_one_whose_worker_never_comes_fails_in_its_time() -> None:
    bus, told = MemoryBus(), asyncio.Event()
    await bus.subscribe(WORKFLOWS_ENDED, lambda _: told.set())
    async with whole_engine(bus) as engine:
        id_ = IDS.uuid7()
        start = StartWorkflow(
            org_id=DEFAULT_ORG_ID, workflow_id=id_, type="order", input=b"[]", close_within_ms=1
        )
        await engine.workflows.start(start)

        async with asyncio.timeout(10):
            await told.wait()
        view = await engine.workflows.get(GetWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=id_))

    assert view.status == "failed"
    assert view.flaw is not None
    assert (view.flaw.code, view.flaw.message) == (OVERDUE.code, OVERDUE.message)


@pytest.mark.parametrize("within_ms", [0, -1, WAIT_MS_MAX + 1])
async def test_a_bound_that_makes_no_sense_is_refused(within_ms: int) -> None:
    start = StartWorkflow(
        org_id=DEFAULT_ORG_ID,
        workflow_id=IDS.uuid7(),
        type="order",
        input=b"[]",
        close_within_ms=within_ms,
    )
    async with whole_engine(MemoryBus()) as engine:
        with pytest.raises(ValidationFailed, match="until it has ended"):
            await engine.workflows.start(start)


def test_one_at_rest_ends_at_once_and_its_parent_is_told() -> None:
    desk = Desk(parent=Parent(workflow_id=IDS.uuid7(), linked=True, depth=1), close_within_ms=500)
    (timer,) = desk.last.timers
    desk.claimed()
    desk.suspends(APPROVE)

    verdict = overdue(desk)

    assert (timer.kind, timer.delay_ms) == (TIMER_CLOSE, 500)
    assert (verdict, outcome_of(desk), desk.data[-1]) == (
        Verdict.COMMITTED,
        Outcome.FAILED,
        FAILED,
    )
    assert desk.last.dropped_timers == (timer.id,)
    assert desk.told[-1].kind == children.ENDED
    assert desk.told[-1].body == pack(WorkflowResult(outcome="failed", flaw=OVERDUE))


def test_one_at_work_is_stopped_first() -> None:
    desk = Desk(close_within_ms=500)
    desk.claimed()

    overdue(desk)

    assert desk.state.phase is Phase.CANCELLING
    assert [mark.task_id for mark in desk.last.marks] == [desk.held.task_id]
    desk.brings(WorkflowResult(outcome="cancelled"))
    assert (outcome_of(desk), desk.data[-1]) == (Outcome.FAILED, FAILED)


def test_code_that_compensates_hears_of_it_and_fails_once_it_has() -> None:
    desk = Desk(close_within_ms=500)
    desk.claimed()
    desk.suspends(APPROVE, HEARS)

    overdue(desk)

    assert desk.records[HEARS.step].result == b'"timeout"'
    desk.claimed()
    desk.brings(WorkflowResult(outcome="cancelled"))
    assert (outcome_of(desk), desk.data[-1]) == (Outcome.FAILED, FAILED)


def test_its_children_are_stopped_before_it_ends() -> None:
    desk = Desk(close_within_ms=500)
    desk.claimed()
    desk.suspends(PAY)

    overdue(desk)

    assert (outcome_of(desk), desk.told[-1].kind) == (Outcome.RUNNING, children.CANCEL)
    child = desk.waits["1"].wait.child
    assert child is not None
    assert child.workflow_id is not None
    desk.hears(child.workflow_id, children.ENDED, pack(WorkflowResult(outcome="cancelled")))
    assert (outcome_of(desk), desk.data[-1]) == (Outcome.FAILED, FAILED)


def test_one_that_is_being_cancelled_is_left_to_its_cancel() -> None:
    desk = Desk(close_within_ms=500)
    timer = desk.state.close_timer
    desk.claimed()
    desk.cancel()

    assert desk.due(timer, TIMER_CLOSE) is Verdict.STALE

    desk.brings(WorkflowResult(outcome="cancelled"))
    assert outcome_of(desk) is Outcome.CANCELLED


def test_one_that_ends_before_drops_its_timer() -> None:
    desk = Desk(close_within_ms=500)
    timer = desk.state.close_timer
    desk.claimed()

    desk.brings(WorkflowResult(outcome="completed", result=b"1"))

    assert desk.last.dropped_timers == (timer,)


def test_its_time_goes_on_when_its_code_starts_over() -> None:
    desk = Desk(close_within_ms=500)
    desk.claimed()
    desk.brings(WorkflowResult(outcome="renewed", result=b"[2]"))

    overdue(desk)

    assert (outcome_of(desk), desk.data[-1]) == (Outcome.FAILED, FAILED)


@step
def one(n: int) -> int:
    return n


@workflow
async def pay(n: int) -> int:
    return n


@workflow(driver="machine")
def both(n: int) -> int:
    with parallel():
        do(one, n)
        do_child(pay, n)
    return n


def test_a_declared_one_ends_with_its_last_child() -> None:
    assert both.drawn is not None
    desk = DeclaredDesk(both.drawn.declaration, close_within_ms=500)
    (timer,) = (timer for timer in desk.begun.timers if timer.kind == TIMER_CLOSE)

    desk.timer_due(timer.id, TIMER_CLOSE)

    assert (desk.outcome, desk.tasks) == (Outcome.RUNNING, {})
    child = desk.waits["2"].wait.child
    assert child is not None
    assert child.workflow_id is not None
    desk.hears(child.workflow_id, children.ENDED, pack(WorkflowResult(outcome="cancelled")))
    assert (desk.outcome, desk.events[-1]) == (Outcome.FAILED, FAILED)
