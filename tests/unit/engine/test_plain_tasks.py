"""Plain tasks through a whole engine over memory: submitted, done, tried again, explained."""

import asyncio
import threading
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from mainspring_engine.adapters.memory import MemoryGates, MemoryStore, memory_backstage
from mainspring_engine.domain import plain
from mainspring_engine.domain.plain import PlainAnswered, PlainDied, end_of
from mainspring_engine.domain.rows import Closing, Effect, OpenTask, TaskKind, TaskState
from mainspring_engine.main import Engine
from mainspring_engine.usecases.sweeps import SweepKind
from mainspring_eventstore.adapters.memory import MemoryLog
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.draws import SeededDraws
from mainspring_kernel.errors import NotFound, ValidationFailed
from mainspring_kernel.ids import DEFAULT_ORG_ID, RandomIds
from mainspring_kernel.limits import COMMIT_FLIGHT_BYTES_MAX
from mainspring_kernel.plain_limits import (
    PLAIN_FAILURES_MAX,
    PLAIN_TASKS_PER_CALL_MAX,
    PLAIN_TASKS_PER_FLIGHT_MAX,
)
from mainspring_messaging import MemoryBus
from mainspring_schema.codec import pack
from mainspring_schema.frames import Held, Verdict
from mainspring_schema.plain import GetPlainTask, SubmitTask, SubmitTasks
from mainspring_schema.tasks import PlainResult
from mainspring_schema.workflows import Flaw
from tests.integration.engine.house import SilentWitness
from tests.integration.engine.scripted_worker import ScriptedWorker

IDS = RandomIds(SystemClock())
FLAW = Flaw(code="step_failed", message="no")


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    clock, lock = SystemClock(), threading.RLock()
    store = MemoryStore(lock=lock, log=MemoryLog(lock=lock, clock=clock), clock=clock)
    engine = Engine(
        store=store,
        gates=MemoryGates(store.tables, lock=lock, clock=clock),
        backstage=memory_backstage(store, lock=lock, clock=clock),
        bus=MemoryBus(),
        witness=lambda _: SilentWitness(),
        clock=clock,
        ids=IDS,
        draws=SeededDraws(5),
        trace_ratio=0.0,
        epoch=1,
    )
    work = asyncio.create_task(engine.work())
    yield engine
    work.cancel()
    await asyncio.wait({work})


@pytest.fixture
async def worker(engine: Engine) -> AsyncIterator[ScriptedWorker]:
    worker = ScriptedWorker(IDS)
    await worker.attach(engine.conversations, slots=2, capabilities=("task:add",))
    yield worker
    await worker.leave()


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
    assert bad.refusal.code in ("validation_failed", "malformed_body")
    assert fine.refusal is None
    assert await seen(engine, good) == "waiting"


async def test_more_than_one_call_may_bring_is_refused_as_a_whole(engine: Engine) -> None:
    tasks = [order() for _ in range(PLAIN_TASKS_PER_CALL_MAX + 1)]

    with pytest.raises(ValidationFailed):
        await engine.plain_tasks.submit(many(*tasks))
    with pytest.raises(NotFound):
        await seen(engine, tasks[0])


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


def test_a_task_that_kills_its_workers_leaves_a_dead_letter() -> None:
    task = OpenTask(
        id=IDS.uuid7(),
        kind=TaskKind.PLAIN,
        state=TaskState.LEASED,
        fence=3,
        effect=Effect.IDEMPOTENT,
        started=False,
        cancelling=False,
        deaths=2,
        failures=0,
        uncounted=0,
    )

    end = end_of(PlainDied(task=task))

    assert (end.closing, end.reason, end.expired_only) == (Closing.QUARANTINED, "poison", True)
    assert end.detail == "the task lost its worker 3 times"


def test_a_flight_has_its_bound_of_tasks_however_small_they_are() -> None:
    tasks = tuple(plain.made_of(order()) for _ in range(PLAIN_TASKS_PER_FLIGHT_MAX))

    weight = plain.weight_of(plain.PlainSubmitted(tasks=tasks))

    assert weight >= COMMIT_FLIGHT_BYTES_MAX * 0.99
