"""Plain tasks through a whole engine over memory: submitted, done, tried again, explained."""

import asyncio
from uuid import UUID

import msgspec
import pytest

from mainspring_engine.domain import plain
from mainspring_engine.domain.limits import (
    COMMIT_FLIGHT_BYTES_MAX,
    PLAIN_FAILURES_MAX,
    PLAIN_TASKS_PER_FLIGHT_MAX,
)
from mainspring_engine.domain.plain import PlainAnswered, PlainDied, PlainEnd, end_of
from mainspring_engine.domain.rows import Closing, Effect, OpenTask, TaskKind, TaskState
from mainspring_engine.domain.texts import CODE_BYTES_MAX
from mainspring_engine.main import Engine
from mainspring_engine.usecases.sweeps import SweepKind
from mainspring_kernel.errors import Conflict, NotFound, PayloadTooLarge, ValidationFailed
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_kernel.limits import WORKFLOW_VALUE_BYTES_MAX
from mainspring_kernel.plain_limits import PLAIN_TASKS_PER_CALL_MAX
from mainspring_messaging import MemoryBus
from mainspring_schema.codec import pack
from mainspring_schema.frames import Held, Verdict
from mainspring_schema.operations import LetterView, ResolveLetter
from mainspring_schema.plain import (
    CancelPlainTask,
    GetPlainTask,
    PlainTaskView,
    RequeuePlainTask,
    SubmitTask,
    SubmitTasks,
    TaskReceipt,
)
from mainspring_schema.subjects import WAKE_ENDED
from mainspring_schema.tasks import PlainResult, PlainTask
from mainspring_schema.wake import TasksEnded
from mainspring_schema.workflows import Flaw, SignalWorkflow, StartWorkflow
from tests.integration.engine.scripted_worker import ScriptedWorker
from tests.unit.engine.whole import IDS

TOO_LONG = b'"' + b"x" * WORKFLOW_VALUE_BYTES_MAX + b'"'
FLAW = Flaw(code="step_failed", message="no")


def order(**rest: object) -> SubmitTask:
    given = {"org_id": DEFAULT_ORG_ID, "task_id": IDS.uuid7(), "type": "add", "input": b"[1,2]"}
    return SubmitTask(**(given | rest))  # pyright: ignore[reportArgumentType] -- as the test says


def many(*tasks: SubmitTask) -> SubmitTasks:
    return SubmitTasks(tasks=tasks)


async def seen(engine: Engine, task: SubmitTask) -> str:
    wanted = GetPlainTask(org_id=DEFAULT_ORG_ID, task_id=task.task_id)
    return (await engine.plain_tasks.get(wanted)).status


async def test_tasks_beyond_the_credits_follow_as_others_end(
    engine: Engine, worker: ScriptedWorker
) -> None:
    tasks = [order() for _ in range(5)]

    answer = await engine.plain_tasks.submit(many(*tasks))
    done = set[UUID]()
    for _ in tasks:
        task = await worker.next_task()
        worker.bring(task, PlainResult(result=b"3"))
        assert (await worker.acknowledged()).verdict is Verdict.COMMITTED
        done.add(task.held.task_id)

    assert [receipt.task_id for receipt in answer.receipts] == [task.task_id for task in tasks]
    assert done == {task.task_id for task in tasks}
    assert {await seen(engine, task) for task in tasks} == {"completed"}


async def test_a_task_shows_what_became_of_it(engine: Engine, worker: ScriptedWorker) -> None:
    good, bad = order(), order()
    await engine.plain_tasks.submit(many(good, bad))
    held = {task.held.task_id: task for task in [await worker.next_task() for _ in range(2)]}
    assert await seen(engine, good) == "running"

    worker.bring(held[good.task_id], PlainResult(result=b"3"))
    worker.bring(held[bad.task_id], PlainResult(flaw=FLAW))
    for _ in range(2):
        await worker.acknowledged()

    completed = await engine.plain_tasks.get(
        GetPlainTask(org_id=DEFAULT_ORG_ID, task_id=good.task_id)
    )
    failed = await engine.plain_tasks.get(GetPlainTask(org_id=DEFAULT_ORG_ID, task_id=bad.task_id))
    assert (completed.status, completed.result, completed.flaw) == ("completed", b"3", None)
    assert (failed.status, failed.result, failed.flaw) == ("failed", None, FLAW)


async def test_an_attempt_that_asks_for_another_gets_it_with_its_failures(
    engine: Engine, worker: ScriptedWorker
) -> None:
    await engine.plain_tasks.submit(many(order()))
    first = await worker.next_task()
    worker.bring(first, PlainResult(flaw=FLAW, retry_ms=0))
    await worker.acknowledged()
    await engine.sweeps.sweep(SweepKind.RETRIES)

    second = await worker.next_task()

    assert (first.failures, second.failures) == (0, 1)
    assert second.held == Held(first.held.task_id, 2)


async def test_the_same_task_again_is_a_duplicate_and_another_one_is_refused(
    engine: Engine, worker: ScriptedWorker
) -> None:
    del worker
    task = order()

    first = await engine.plain_tasks.submit(many(task, task))
    again = await engine.plain_tasks.submit(many(task))
    other = await engine.plain_tasks.submit(many(order(task_id=task.task_id, input=b"[3]")))

    assert [receipt.duplicate for receipt in first.receipts] == [False, True]
    assert [receipt.duplicate for receipt in again.receipts] == [True]
    (refused,) = other.receipts
    assert refused.refusal is not None
    assert refused.refusal.code == "task_id_mismatch"


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "no spaces"},
        {"queue": ""},
        {"input": b"{"},
        {"input": b'"one"'},
        {"input": TOO_LONG},
        {"priority": 10},
        {"task_id": UUID(int=7)},
        {"task_id": UUID(int=(1 << 80) + (7 << 76) + (2 << 62))},
    ],
)
async def test_a_wrong_task_is_refused_and_its_neighbours_are_not(
    engine: Engine, wrong: dict[str, object]
) -> None:
    good = order()

    answer = await engine.plain_tasks.submit(many(order(**wrong), good))

    bad, fine = answer.receipts
    assert bad.refusal is not None
    assert bad.refusal.code in ("validation_failed", "payload_too_large")
    assert fine.refusal is None
    assert await seen(engine, good) == "waiting"


async def test_a_workflows_input_and_signal_over_the_bound_are_refused(engine: Engine) -> None:
    id_ = IDS.uuid7()
    start = StartWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=id_, type="it", input=TOO_LONG)
    signal = SignalWorkflow(
        org_id=DEFAULT_ORG_ID, workflow_id=id_, signal_id=id_, name="go", payload=TOO_LONG
    )

    with pytest.raises(PayloadTooLarge):
        await engine.workflows.start(start)
    with pytest.raises(PayloadTooLarge):
        await engine.workflows.signal(signal)


async def test_more_than_one_call_may_bring_is_refused_as_a_whole(engine: Engine) -> None:
    tasks = [order() for _ in range(PLAIN_TASKS_PER_CALL_MAX + 1)]

    with pytest.raises(ValidationFailed):
        await engine.plain_tasks.submit(many(*tasks))
    with pytest.raises(NotFound):
        await seen(engine, tasks[0])


# ── stopped, and done again ─────────────────────────────────────────────────────────────────────


def stop(task: SubmitTask) -> CancelPlainTask:
    return CancelPlainTask(org_id=DEFAULT_ORG_ID, task_id=task.task_id, reason="no need")


def again(task: SubmitTask, new_id: UUID) -> RequeuePlainTask:
    return RequeuePlainTask(org_id=DEFAULT_ORG_ID, task_id=task.task_id, new_id=new_id)


async def test_a_cancelled_task_is_lost_to_its_worker_and_free_for_others(
    engine: Engine, worker: ScriptedWorker
) -> None:
    task = order()
    await engine.plain_tasks.submit(many(task))
    held = await worker.next_task()

    view = await engine.operator.operate(stop(task))
    async with asyncio.timeout(10):
        lost = await worker.lost.get()
    worker.bring(held, PlainResult(result=b"3"))

    assert (await worker.acknowledged()).verdict is Verdict.STALE
    assert lost == held.held
    flaw = Flaw(code="cancelled", message="no need")
    assert view == PlainTaskView(task_id=task.task_id, type="add", status="cancelled", flaw=flaw)
    assert await engine.operator.operate(stop(task)) == view


async def test_a_task_that_has_its_result_is_not_cancelled(
    engine: Engine, worker: ScriptedWorker
) -> None:
    task = order()
    await engine.plain_tasks.submit(many(task))
    worker.bring(await worker.next_task(), PlainResult(result=b"3"))
    await worker.acknowledged()

    view = await engine.plain_tasks.cancel(stop(task))

    assert (view.status, view.result) == ("completed", b"3")
    with pytest.raises(NotFound):
        await engine.plain_tasks.cancel(stop(order()))


async def test_a_failed_task_is_done_again_by_a_new_one_which_names_it(
    engine: Engine, worker: ScriptedWorker
) -> None:
    task, new_id = order(), IDS.uuid7()
    await engine.plain_tasks.submit(many(task))
    worker.bring(await worker.next_task(), PlainResult(flaw=FLAW))
    await worker.acknowledged()

    receipts = [await engine.operator.operate(again(task, new_id)) for _ in range(2)]
    taken = await worker.next_task()
    made = msgspec.msgpack.decode(taken.payload, type=PlainTask)

    assert receipts == [
        TaskReceipt(task_id=new_id),
        TaskReceipt(task_id=new_id, duplicate=True),
    ]
    assert (taken.held, made.input, made.source) == (Held(new_id, 1), b"[1,2]", task.task_id)
    assert await seen(engine, task) == "failed"


async def test_only_what_failed_or_was_cancelled_is_done_again(
    engine: Engine, worker: ScriptedWorker
) -> None:
    running, unknown = order(), order()
    await engine.plain_tasks.submit(many(running))
    held = await worker.next_task()

    with pytest.raises(Conflict):
        await engine.plain_tasks.requeue(again(running, IDS.uuid7()))
    worker.bring(held, PlainResult())
    await worker.acknowledged()
    with pytest.raises(Conflict):
        await engine.plain_tasks.requeue(again(running, IDS.uuid7()))
    with pytest.raises(NotFound):
        await engine.plain_tasks.requeue(again(unknown, IDS.uuid7()))


async def test_a_dead_letter_of_a_plain_task_is_requeued_as_a_new_one(
    engine: Engine, worker: ScriptedWorker
) -> None:
    task = order()
    await engine.plain_tasks.submit(many(task))
    held = (await worker.next_task()).held
    dead = PlainEnd(
        held=held, closing=Closing.QUARANTINED, error_code="poison", reason="poison",
        detail="it kills", body=pack(PlainResult(flaw=Flaw(code="poison", message="it kills"))),
    )  # fmt: skip
    await engine.store.plain.end((dead,))
    with pytest.raises(Conflict, match="dead letter"):
        await engine.plain_tasks.requeue(again(task, IDS.uuid7()))

    resolve = ResolveLetter(org_id=DEFAULT_ORG_ID, task_id=task.task_id, action="requeue")
    letter = await engine.operator.operate(resolve)

    assert isinstance(letter, LetterView)
    assert letter.status == "requeued"
    assert letter.requeued_as is not None
    assert (await worker.next_task()).held == Held(letter.requeued_as, 1)


async def test_an_end_is_told_once_with_all_that_ended_with_it(
    engine: Engine, worker: ScriptedWorker, bus: MemoryBus
) -> None:
    told: list[bytes] = []
    await bus.subscribe(WAKE_ENDED, lambda message: told.append(message.data))
    good, stopped = order(), order()
    await engine.plain_tasks.submit(many(good, stopped))

    worker.bring(await worker.next_task(), PlainResult())
    await worker.acknowledged()
    await engine.plain_tasks.cancel(stop(stopped))
    await bus.flush(1.0)

    ends = [msgspec.msgpack.decode(one, type=TasksEnded).ids for one in told]
    assert ends == [good.task_id.bytes, stopped.task_id.bytes]


# ── decisions ───────────────────────────────────────────────────────────────────────────────────


def answered(result: PlainResult, *, failures: int = 0) -> PlainAnswered:
    held, body = Held(IDS.uuid7(), 1), pack(result)
    return PlainAnswered(held=held, hash=b"h", body=body, result=result, failures=failures)


def test_a_result_of_null_is_not_kept() -> None:
    end = end_of(answered(PlainResult()))

    assert (end.closing, end.body, end.delay_ms) == (Closing.RESULT, None, None)


def test_failures_have_a_bound_whatever_a_worker_asks_for() -> None:
    asking = PlainResult(flaw=FLAW, retry_ms=5)

    again = end_of(answered(asking, failures=PLAIN_FAILURES_MAX - 2))
    last = end_of(answered(asking, failures=PLAIN_FAILURES_MAX - 1))

    assert (again.closing, again.delay_ms, again.body) == (Closing.RETRIED, 5, None)
    assert (last.closing, last.delay_ms) == (Closing.FAILED, None)
    assert last.body is not None


@pytest.mark.parametrize(
    ("deaths", "uncounted", "reason", "detail"),
    [
        (2, 0, "poison", "the task lost its worker 3 times"),
        (0, 19, "no_progress", "the task was given out 20 times and no worker kept it"),
    ],
)
def test_a_task_that_may_not_be_given_out_again_leaves_a_dead_letter(
    deaths: int, uncounted: int, reason: str, detail: str
) -> None:
    task = OpenTask(
        id=IDS.uuid7(),
        kind=TaskKind.PLAIN,
        state=TaskState.LEASED,
        fence=3,
        effect=Effect.IDEMPOTENT,
        started=False,
        cancelling=False,
        deaths=deaths,
        failures=0,
        uncounted=uncounted,
    )

    end = end_of(PlainDied(task=task))

    assert (end.closing, end.reason, end.expired_only) == (Closing.QUARANTINED, reason, True)
    assert (end.error_code, end.detail) == (reason, detail)


def test_a_flight_has_its_bound_of_tasks_however_small_they_are() -> None:
    tasks = tuple(plain.made_of(order()) for _ in range(PLAIN_TASKS_PER_FLIGHT_MAX))

    weight = plain.weight_of(plain.PlainSubmitted(tasks=tasks))

    assert weight >= COMMIT_FLIGHT_BYTES_MAX * 0.99


def test_a_code_that_no_column_takes_whole_is_kept_as_far_as_it_goes() -> None:
    flaw = Flaw(code="odd\0" + "x" * 1000, message="a\0b")

    end = end_of(answered(PlainResult(flaw=flaw)))

    assert end.error_code == ("odd" + "x" * 1000)[:CODE_BYTES_MAX]
    assert end.error_message == "ab"
