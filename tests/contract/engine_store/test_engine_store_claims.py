"""Who gets ready tasks, and what attaching does to what was held."""

import asyncio
from uuid import UUID

import msgspec
import pytest

from mainspring_engine.domain.changes import MarkTask
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import Closing, Effect, TaskState
from mainspring_engine.ports.store import Release
from mainspring_schema.frames import Held, Verdict
from tests.contract.engine_store.engine_worlds import IDS, Session, Worker, World, claim


async def fill(session: Session, queue: str, count: int, *, priority: int = 0) -> list[UUID]:
    tasks = [
        session.task(f"{priority}:{n}", route=Route(queue=queue), priority=priority)
        for n in range(count)
    ]
    await session.start_turn(*tasks)
    return [task.id for task in tasks]


async def test_a_claim_carries_what_a_worker_needs(
    session: Session, worker: Worker, queue: str
) -> None:
    (task_id,) = await fill(session, queue, 1)

    (claimed,) = await worker.take(5, Route(queue=queue))

    assert (claimed.held, claimed.route) == (Held(task_id, 1), Route(queue=queue))
    assert (claimed.session_id, claimed.workflow_id) == (session.id, session.turn)
    assert (claimed.org_id, claimed.payload) == (session.org_id, b"0:0")
    assert (claimed.config_hash, claimed.traceparent) == (b"c" * 32, "trace")
    assert (claimed.failures, claimed.incarnation, claimed.started) == (0, worker.id, False)
    assert await worker.take(5, Route(queue=queue)) == ()


async def test_sixteen_claimers_never_take_a_task_twice(
    world: World, session: Session, queue: str
) -> None:
    ids = await fill(session, queue, 200)
    workers = [await Worker.attached(world) for _ in range(16)]

    async def drain(worker: Worker) -> list[Held]:
        mine: list[Held] = []
        while taken := await worker.take(3, Route(queue=queue)):
            mine += [claimed.held for claimed in taken]
        return mine

    taken = [held for some in await asyncio.gather(*map(drain, workers)) for held in some]
    rest = [claimed.held for claimed in await workers[0].take(200, Route(queue=queue))]

    assert len(taken + rest) == 200
    assert set(taken + rest) == {Held(task_id, 1) for task_id in ids}


async def test_older_tasks_go_first_and_higher_priorities_before_them(
    session: Session, worker: Worker, queue: str
) -> None:
    low = await fill(session, queue, 3)
    high = await fill(session, queue, 2, priority=5)

    taken = await worker.take(4, Route(queue=queue))

    assert [claimed.held.task_id for claimed in taken] == [*high, *low[:2]]


async def test_organizations_take_turns(world: World, worker: Worker, queue: str) -> None:
    big, small = await Session.opened(world), await Session.opened(world)
    await fill(big, queue, 20)
    await fill(small, queue, 3)

    taken = await worker.take(6, Route(queue=queue))

    assert sorted(claimed.org_id for claimed in taken) == sorted([big.org_id, small.org_id] * 3)


async def test_slots_of_several_workers_are_filled_in_turn(
    world: World, session: Session, queue: str
) -> None:
    await fill(session, queue, 4)
    first, second = await Worker.attached(world), await Worker.attached(world)
    route = Route(queue=queue)

    taken = await claim(world.store, first.want(3, route), second.want(3, route))

    assert sorted(c.incarnation for c in taken) == sorted([first.id, second.id] * 2)


async def test_a_claim_takes_only_its_routes(session: Session, worker: Worker, queue: str) -> None:
    await fill(session, queue, 1)

    assert await worker.take(5, Route(queue=queue, build="other")) == ()


@pytest.mark.parametrize("attach_number", [1, 9], ids=["old", "unknown"])
async def test_a_claim_for_another_stream_gets_nothing(
    session: Session, worker: Worker, queue: str, attach_number: int
) -> None:
    await fill(session, queue, 1)
    worker.attach_number = 2
    await session.world.store.attach((worker.attach_row(),))
    worker.attach_number = attach_number

    assert await worker.take(5, Route(queue=queue)) == ()


# ── attaching ───────────────────────────────────────────────────────────────────────────────────


async def test_a_lower_attach_number_is_refused_and_the_same_is_not(
    world: World, worker: Worker
) -> None:
    async def attach(number: int) -> bool:
        worker.attach_number = number
        (reply,) = await world.store.attach((worker.attach_row(),))
        return reply.refused

    assert [await attach(number) for number in (3, 3, 2, 4)] == [False, False, True, False]


async def test_a_refused_attach_changes_nothing(session: Session, worker: Worker) -> None:
    task = session.task(claim=worker.claim)
    await session.start_turn(task)
    worker.attach_number = 0

    (reply,) = await session.world.store.attach((worker.attach_row(),))

    assert reply.refused
    (open_task,) = (await session.world.store.open_tasks((session.turn,)))[session.turn]
    assert open_task.state is TaskState.LEASED


async def test_claims_that_are_not_listed_are_undelivered_and_no_death(
    session: Session, worker: Worker
) -> None:
    kept, missed = session.task("a", claim=worker.claim), session.task("b", claim=worker.claim)
    await session.start_turn(kept, missed)
    worker.attach_number = 2

    (reply,) = await session.world.store.attach((worker.attach_row(Held(kept.id, 1)),))

    assert (reply.refused, reply.released, reply.lost) == (False, 1, ())
    tasks = (await session.world.store.open_tasks((session.turn,)))[session.turn]
    by_id = {task.id: task for task in tasks}
    assert by_id[kept.id].state is TaskState.LEASED
    undelivered = by_id[missed.id]
    assert (undelivered.state, undelivered.deaths, undelivered.uncounted) == (TaskState.READY, 0, 1)
    assert await session.world.attempts(missed.id) == [(1, int(Closing.UNDELIVERED))]


async def test_a_listed_task_that_is_held_no_more_is_lost(session: Session, worker: Worker) -> None:
    task = session.task(claim=worker.claim)
    await session.start_turn(task)
    gone, other = Held(IDS.uuid7(), 1), Held(task.id, 2)
    worker.attach_number = 2

    (reply,) = await session.world.store.attach((worker.attach_row(gone, other),))

    assert set(reply.lost) == {gone, other}


async def test_of_listed_tasks_those_that_are_held_are_kept_and_the_others_lost(
    session: Session, worker: Worker
) -> None:
    task = session.task(claim=worker.claim)
    await session.start_turn(task)
    held, gone = Held(task.id, 1), Held(IDS.uuid7(), 1)

    (reply,) = await session.world.store.attach((worker.attach_row(held, gone),))

    assert (reply.lost, reply.released) == ((gone,), 0)


async def test_attaching_tells_what_is_to_be_cancelled(session: Session, worker: Worker) -> None:
    task = session.task(claim=worker.claim)
    await session.start_turn(task)
    held = Held(task.id, 1)
    await session.commit(session.changes(marks=(MarkTask(task_id=task.id, fence=1),)))

    (reply,) = await session.world.store.attach((worker.attach_row(held),))

    assert reply.cancelling == (held,)


@pytest.mark.parametrize("why", ["started", "cancelling"])
async def test_what_must_write_events_is_not_released_by_attaching(
    session: Session, worker: Worker, why: str
) -> None:
    task = session.task(claim=worker.claim, effect=Effect.VERIFIABLE)
    await session.start_turn(task)
    if why == "started":
        await session.world.store.start((worker.renewal(Held(task.id, 1)),))
    else:
        await session.commit(session.changes(marks=(MarkTask(task_id=task.id, fence=1),)))

    (reply,) = await session.world.store.attach((worker.attach_row(),))

    assert reply.released == 0
    (open_task,) = (await session.world.store.open_tasks((session.turn,)))[session.turn]
    assert open_task.state is TaskState.LEASED


async def test_a_worker_that_comes_back_did_not_die(session: Session, worker: Worker) -> None:
    task = session.task(claim=worker.claim)
    await session.start_turn(task)
    held = Held(task.id, 1)
    store = session.world.store
    await store.renew((worker.renewal(held),))
    await store.release((Release(held=held, closing=Closing.EXPIRED, counts_death=True),))
    (dead,) = (await store.open_tasks((session.turn,)))[session.turn]

    (reply,) = await store.attach((worker.attach_row(held),))
    await store.attach((worker.attach_row(held),))

    assert (dead.deaths, reply.lost) == (1, (held,))
    (alive,) = (await store.open_tasks((session.turn,)))[session.turn]
    assert alive.deaths == 0


async def test_another_worker_takes_no_death_back(
    world: World, session: Session, worker: Worker
) -> None:
    task = session.task(claim=worker.claim)
    await session.start_turn(task)
    held = Held(task.id, 1)
    await world.store.renew((worker.renewal(held),))
    await world.store.release((Release(held=held, closing=Closing.EXPIRED, counts_death=True),))
    other = await Worker.attached(world)

    await world.store.attach((other.attach_row(held),))

    (dead,) = (await world.store.open_tasks((session.turn,)))[session.turn]
    assert dead.deaths == 1


async def test_many_workers_attach_in_one_flight(world: World, worker: Worker) -> None:
    other = Worker(world)
    refused = msgspec.structs.replace(worker.attach_row(), attach_number=0)

    first, second = await world.store.attach((refused, other.attach_row()))

    assert (first.refused, second.refused) == (True, False)


async def test_a_claimed_task_closes_under_its_fence(
    session: Session, worker: Worker, queue: str
) -> None:
    await fill(session, queue, 1)
    (first,) = await worker.take(1, Route(queue=queue))
    await session.world.store.release((Release(held=first.held, closing=Closing.RETURNED),))

    (second,) = await worker.take(1, Route(queue=queue))

    assert second.held == Held(first.held.task_id, 2)
    (lost,) = await session.world.store.renew((worker.renewal(first.held),))
    assert lost.lost
    assert await session.world.attempts(first.held.task_id) == [(1, int(Closing.RETURNED))]
    (verdict,) = await session.world.store.start((worker.renewal(first.held),))
    assert verdict is Verdict.STALE
