"""What another one has in hand: sweeps and beats go on with the rest, and none of them waits.

The store of this folder gives up after a fifth of a second where it has to wait for a lock. What
must not be left out waits, and is decided by what is there then.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias
from uuid import UUID

import pytest

from mainspring_engine.adapters.postgres import PostgresStore
from mainspring_engine.domain.changes import NewSignal
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import Closing, Effect, TaskState
from mainspring_engine.domain.workflow import children
from mainspring_engine.ports.store import Handed, Release
from mainspring_postgres import Database, Options
from mainspring_schema.frames import Held
from mainspring_testkit.fixtures import Database as OwnDatabase
from tests.contract.engine_store.engine_worlds import (
    IDS,
    PostgresWorld,
    Session,
    Worker,
    close,
    query,
)
from tests.contract.engine_store.test_engine_letters import die, requeue
from tests.contract.engine_store.test_engine_store_time import ALL, held_task
from tests.contract.engine_store.test_engine_store_workflows import Program

LOCKS = {
    "task": query("select from engine.task where id = $1 for no key update"),
    "signal": query("select from engine.signal where session_id = $1 for no key update"),
    "order": query("select from engine.resolution where task_id = $1 for no key update"),
    "key": query("select from engine.idempotency where session_id = $1 for update"),
    "worker": query("select from engine.worker where incarnation = $1 for update"),
}


@asynccontextmanager
async def in_hand(world: PostgresWorld, what: str, id_: UUID) -> AsyncGenerator[None]:
    """Of another transaction, as long as the block takes."""
    async with world.owner.transaction() as tx:
        assert await tx.fetch(LOCKS[what], id_)
        yield


@pytest.fixture
async def worker(world: PostgresWorld) -> Worker:
    return await Worker.attached(world)


@pytest.fixture
async def sessions(world: PostgresWorld) -> list[Session]:
    return [await Session.opened(world) for _ in range(2)]


async def test_a_beat_renews_the_rest(
    world: PostgresWorld, worker: Worker, sessions: list[Session]
) -> None:
    tasks = [await held_task(session, worker) for session in sessions]

    async with in_hand(world, "task", tasks[0].task_id):
        replies = await world.store.renew(tuple(map(worker.renewal, tasks)))

    rows = {row.task.id: row.acknowledged for row in await world.store.held_by(worker.id)}
    assert [reply.lost for reply in replies] == [False, False]
    assert [rows[held.task_id] for held in tasks] == [False, True]


async def test_a_claim_takes_the_rest(
    world: PostgresWorld, worker: Worker, sessions: list[Session]
) -> None:
    route = Route(queue=f"queue-{IDS.uuid4().hex}")
    tasks = [session.task(route=route) for session in sessions]
    for session, task in zip(sessions, tasks, strict=True):
        await session.start_turn(task)

    async with in_hand(world, "task", tasks[0].id):
        taken = await worker.take(2, route)

    assert [one.held for one in taken] == [Held(tasks[1].id, 1)]
    assert [one.held for one in await worker.take(2, route)] == [Held(tasks[0].id, 1)]


async def test_a_sweep_makes_the_rest_ready(
    world: PostgresWorld, worker: Worker, sessions: list[Session]
) -> None:
    tasks = [await held_task(session, worker) for session in sessions]
    for session, held in zip(sessions, tasks, strict=True):
        retry = close(held, closing=Closing.RETRIED, delay_ms=0)
        await session.commit(session.changes(closes=(retry,)))
    await world.pass_time(1)

    async def states() -> list[TaskState]:
        found = await world.store.open_tasks(tuple(session.turn for session in sessions))
        return [found[session.turn][0].state for session in sessions]

    async with in_hand(world, "task", tasks[0].task_id):
        await world.store.ready_retries(ALL)
        beside = await states()
    await world.store.ready_retries(ALL)

    assert beside == [TaskState.DELAYED, TaskState.READY]
    assert await states() == [TaskState.READY, TaskState.READY]


async def test_a_sweep_brings_the_rest_of_the_signals(world: PostgresWorld) -> None:
    parent = await Program(world).started()
    ids = [IDS.uuid7() for _ in range(2)]
    signals = tuple(
        NewSignal(source=parent.id, kind=children.START, body=b"b", taken=False, to=id_)
        for id_ in ids
    )
    await parent.commit(parent.changes(workflows=(parent.row(),), signals=signals))
    await world.pass_time(120)

    async with in_hand(world, "signal", ids[0]):
        found = await world.store.workflows.untaken(older_than_ms=60_000, limit=1000)

    assert [one.session_id for one in found if one.session_id in ids] == [ids[1]]


async def test_a_sweep_tries_the_rest_of_the_requeues(world: PostgresWorld, worker: Worker) -> None:
    dead = [await die(world, worker, IDS.uuid7()) for _ in range(2)]
    letters = world.backstage.letters
    await letters.resolve(tuple(requeue(*one) for one in dead))
    ids = tuple(task_id for _, task_id in dead)

    async with in_hand(world, "order", ids[0]):
        found = await letters.due(ids, ALL)

    assert [one.task_id for one in found] == [ids[1]]


async def test_a_sweep_forgets_the_rest_of_the_keys(
    world: PostgresWorld, sessions: list[Session]
) -> None:
    await world.store.forget_keys(older_than_ms=0, limit=ALL)
    for session in sessions:
        await session.commit(session.changes(accepts=(session.accept(key="k"),)))

    async with in_hand(world, "key", sessions[0].id):
        beside = await world.store.forget_keys(older_than_ms=0, limit=ALL)

    assert (beside, await world.store.forget_keys(older_than_ms=0, limit=ALL)) == (1, 1)


async def test_a_worker_that_comes_back_is_not_forgotten(
    world: PostgresWorld, worker: Worker
) -> None:
    other = await Worker.attached(world)
    registry = world.backstage.registry
    await world.pass_time(30 * 86_400)

    async with in_hand(world, "worker", worker.id):
        await registry.forget()

    assert await registry.worker(worker.id) is not None
    assert await registry.worker(other.id) is None


# ── what waits ──────────────────────────────────────────────────────────────────────────────────

WAITING = query("""
select count(*)::int from pg_stat_activity
where datname = current_database() and wait_event_type = 'Lock'
""")
Order: TypeAlias = Callable[[PostgresStore, Worker, Held], Awaitable[object]]


@pytest.fixture
async def patient(module_database: OwnDatabase) -> AsyncIterator[PostgresStore]:
    """Waits for as long as a test takes."""
    options = Options(
        url=module_database.url("engine_run"),
        application_name="patient",
        durability_required=False,
        lock_timeout_ms=20_000,
    )
    database = await Database.open(options)
    yield PostgresStore(database, settle_s=0)
    await database.close()


async def start(store: PostgresStore, worker: Worker, held: Held) -> object:
    return await store.start((worker.renewal(held),))


async def acknowledge(store: PostgresStore, worker: Worker, held: Held) -> object:
    return await store.acknowledge((handed(worker, held),))


async def lapse(store: PostgresStore, worker: Worker, held: Held) -> object:
    return await store.lapse((handed(worker, held),))


async def release(store: PostgresStore, worker: Worker, held: Held) -> object:
    return await store.release((Release(held=held, closing=Closing.RETURNED),))


def handed(worker: Worker, held: Held) -> Handed:
    return Handed(held=held, incarnation=worker.id, attach_number=1)


@pytest.mark.parametrize("order", [start, acknowledge, lapse, release])
async def test_an_attempt_that_ends_at_this_moment_is_not_spoken_for(
    world: PostgresWorld, worker: Worker, sessions: list[Session], patient: PostgresStore,
    order: Order,
) -> None:  # fmt: skip
    """Another one has the task by the time that the lock is free."""
    held = await held_task(sessions[0], worker, Effect.AT_MOST_ONCE)
    taken_over = query(
        "update engine.task set fence = 2, acknowledged = false where id = $1 returning rev"
    )
    as_it_is = query(
        "select fence, state, rev, acknowledged, started_fence from engine.task where id = $1"
    )

    async with world.owner.transaction() as tx:
        await tx.fetch(taken_over, held.task_id)
        (before,) = await tx.fetch(as_it_is, held.task_id)
        late = asyncio.ensure_future(order(patient, worker, held))
        async with asyncio.timeout(10):
            while not late.done() and not await world.owner.fetchval_as(int, WAITING):
                pass
    await late

    (after,) = await world.owner.fetch(as_it_is, held.task_id)
    assert tuple(after.values()) == tuple(before.values())
