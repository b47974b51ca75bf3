"""What is to be taken by a worker within a time, and no worker comes."""

import asyncio
from uuid import UUID

import pytest

from mainspring import do, parallel, step, workflow
from mainspring_engine.domain import intents
from mainspring_engine.domain.checks import check_steps
from mainspring_engine.domain.plain import NOT_BEGUN
from mainspring_engine.domain.rows import Outcome
from mainspring_engine.domain.workflow import children
from mainspring_engine.domain.workflow.machine import TIMER_START
from mainspring_kernel.errors import ValidationFailed
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_kernel.plain_limits import START_WITHIN_MS_MAX
from mainspring_messaging import MemoryBus
from mainspring_schema.frames import Verdict
from mainspring_schema.plain import GetPlainTask, SubmitTask, SubmitTasks
from mainspring_schema.subjects import WAKE_ENDED
from mainspring_schema.tasks import WorkflowResult
from mainspring_schema.workflows import ChildStart, Parent, Wait
from tests.unit.engine.declared_desk import DeclaredDesk
from tests.unit.engine.program import Desk
from tests.unit.engine.whole import IDS, whole_engine

CODE = NOT_BEGUN.code


def due(desk: Desk | DeclaredDesk, timer_id: UUID) -> Verdict:
    answer = desk.do(
        intents.TimerDue(
            session_id=desk.id,
            org_id=DEFAULT_ORG_ID,
            workflow_id=desk.id,
            timer_id=timer_id,
            kind=TIMER_START,
        )
    )
    assert isinstance(answer, Verdict)
    return answer


# ── plain tasks ─────────────────────────────────────────────────────────────────────────────────


async def test_a_task_ends_in_its_time_although_no_worker_ever_comes() -> None:
    bus, told = MemoryBus(), asyncio.Event()
    await bus.subscribe(WAKE_ENDED, lambda _: told.set())
    async with whole_engine(bus) as engine:
        task = SubmitTask(org_id=DEFAULT_ORG_ID, task_id=IDS.uuid7(), type="add", start_within_ms=1)
        await engine.plain_tasks.submit(SubmitTasks(tasks=(task,)))

        async with asyncio.timeout(10):
            await told.wait()
        view = await engine.plain_tasks.get(
            GetPlainTask(org_id=DEFAULT_ORG_ID, task_id=task.task_id)
        )

    assert (view.status, view.flaw) == ("failed", NOT_BEGUN)


@pytest.mark.parametrize("within_ms", [0, -1, START_WITHIN_MS_MAX + 1])
async def test_a_bound_that_makes_no_sense_is_refused(within_ms: int) -> None:
    async with whole_engine(MemoryBus()) as engine:
        task = SubmitTask(
            org_id=DEFAULT_ORG_ID, task_id=IDS.uuid7(), type="add", start_within_ms=within_ms
        )
        (receipt,) = (await engine.plain_tasks.submit(SubmitTasks(tasks=(task,)))).receipts

    assert receipt.refusal is not None
    assert receipt.refusal.code == ValidationFailed.code
    child = ChildStart(type="bill", input=b"[1]", start_within_ms=within_ms)
    with pytest.raises(ValueError, match="until it is taken"):
        check_steps((), (Wait(step="1", name="bill", kind="child", child=child),))


# ── workflows, and steps that are tasks ─────────────────────────────────────────────────────────


def test_a_workflow_that_nobody_took_fails_and_its_parent_is_told() -> None:
    parent = Parent(workflow_id=IDS.uuid7(), linked=True, depth=1)
    desk = Desk(parent=parent, start_within_ms=500)
    (timer,) = desk.last.timers

    verdict = due(desk, timer.id)

    assert (timer.kind, timer.delay_ms) == (TIMER_START, 500)
    assert verdict is Verdict.COMMITTED
    assert desk.view.workflow is not None
    assert desk.view.workflow.outcome is Outcome.FAILED
    assert desk.last.dropped_timers == (timer.id,)
    assert desk.data[-1][1] == {
        "error": {"code": CODE, "message": NOT_BEGUN.message, "type": "TimeoutError"}
    }
    assert desk.told[-1].kind == children.ENDED


def test_one_that_was_taken_goes_on_and_drops_the_timer_with_its_end() -> None:
    desk = Desk(start_within_ms=500)
    (timer,) = desk.last.timers
    desk.claimed()

    assert due(desk, timer.id) is Verdict.STALE
    assert desk.last.dropped_timers == (timer.id,)
    desk.brings(WorkflowResult(outcome="completed", result=b"1"))
    assert desk.view.workflow is not None
    assert desk.view.workflow.outcome is Outcome.COMPLETED


def test_one_that_waits_again_for_a_worker_was_taken_before() -> None:
    desk = Desk(start_within_ms=500)
    (timer,) = desk.last.timers
    desk.claimed()
    desk.brings(WorkflowResult(outcome="renewed", result=b"[2]"))

    assert due(desk, timer.id) is Verdict.STALE


def test_one_that_ends_before_drops_its_timer() -> None:
    desk = Desk(start_within_ms=500)
    (timer,) = desk.last.timers
    desk.claimed()

    desk.brings(WorkflowResult(outcome="completed", result=b"1"))

    assert desk.last.dropped_timers == (timer.id,)


def test_one_that_is_being_cancelled_is_left_to_its_cancel() -> None:
    desk = Desk(start_within_ms=500)
    (timer,) = desk.last.timers
    desk.claimed()
    desk.cancel()

    assert due(desk, timer.id) is Verdict.STALE


@step
def one(n: int) -> int:
    return n


@workflow(driver="machine")
def both(n: int) -> int:
    with parallel():
        do(one, n)
        do(one, n)
    return n


@pytest.mark.parametrize("taken", [False, True])
def test_a_declared_one_fails_where_no_step_of_it_was_taken(*, taken: bool) -> None:
    assert both.drawn is not None
    desk = DeclaredDesk(both.drawn.declaration, start_within_ms=500)
    (timer,) = desk.last.timers
    if taken:
        desk.ends("1", b"1")

    verdict = due(desk, timer.id)

    if taken:
        assert verdict is Verdict.STALE
        assert "2" in desk.tasks
    else:
        assert verdict is Verdict.COMMITTED
        assert (desk.outcome, desk.tasks) == (Outcome.FAILED, {})
