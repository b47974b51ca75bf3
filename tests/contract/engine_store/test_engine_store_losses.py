"""Attempts that end without a result: what becomes of their tasks."""

import msgspec
import pytest

from mainspring_engine.domain.changes import MarkTask
from mainspring_engine.domain.loss import LOSS_RESTS_MS, needs_lane
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import Closing, Effect, TaskState
from mainspring_engine.ports.store import Handed, Release, Renewal
from mainspring_schema.frames import Held, Verdict
from tests.contract.engine_store.engine_worlds import IDS, Session, Worker, World, close
from tests.contract.engine_store.test_engine_store_time import ALL, expired, held_task


@pytest.mark.parametrize(("acknowledged", "deaths", "uncounted"), [(True, 1, 0), (False, 0, 1)])
async def test_only_an_acknowledged_attempt_dies(
    session: Session, worker: Worker, acknowledged: bool, deaths: int, uncounted: int
) -> None:
    held = await held_task(session, worker)
    store = session.world.store
    if acknowledged:
        await store.renew((worker.renewal(held),))
    await session.world.pass_time(11)
    release = Release(held=held, closing=Closing.EXPIRED, counts_death=True, expired_only=True)

    first = await store.release((release,))
    again = await store.release((release,))

    assert (first, again) == ((Verdict.COMMITTED,), (Verdict.STALE,))
    (task,) = (await store.open_tasks((session.turn,)))[session.turn]
    assert (task.state, task.deaths, task.uncounted) == (TaskState.READY, deaths, uncounted)
    assert await session.world.attempts(held.task_id) == [(1, int(Closing.EXPIRED))]


@pytest.mark.parametrize("why", ["lease", "started", "attach", "worker", "fence", "cancelling"])
async def test_a_release_compares_under_the_lock(
    session: Session, worker: Worker, why: str
) -> None:
    held = await held_task(session, worker, Effect.VERIFIABLE)
    if why == "started":
        await session.world.store.start((worker.renewal(held),))
    if why == "cancelling":
        await session.commit(session.changes(marks=(MarkTask(task_id=held.task_id, fence=1),)))
    release = Release(
        held=Held(held.task_id, 2) if why == "fence" else held,
        closing=Closing.UNDELIVERED,
        expired_only=why == "lease",
        incarnation=IDS.uuid7() if why == "worker" else None,
        attach_number=2 if why == "attach" else None,
    )

    assert await session.world.store.release((release,)) == (Verdict.STALE,)


async def test_what_is_being_cancelled_is_not_tried_again(session: Session, worker: Worker) -> None:
    """The commit lane ends it, which nobody may come before."""
    held, other = await held_task(session, worker), await Session.opened(session.world)
    beside = await held_task(other, worker)
    await session.commit(session.changes(marks=(MarkTask(task_id=held.task_id, fence=1),)))
    for one, lost in ((session, held), (other, beside)):
        retry = close(lost, closing=Closing.RETRIED, delay_ms=0)
        assert (await one.commit(one.changes(closes=(retry,)))).verdict is Verdict.COMMITTED

    await session.world.pass_time(1)
    await session.world.store.ready_retries(ALL)

    found = await session.world.store.open_tasks((session.turn, other.turn))
    states = [task.state for turn in (session.turn, other.turn) for task in found[turn]]
    assert states == [TaskState.DELAYED, TaskState.READY]


async def test_a_release_of_several_lets_go_only_those_that_are_as_they_were(
    world: World, session: Session, worker: Worker
) -> None:
    other = await Session.opened(world)
    gone, kept = [await held_task(one, worker) for one in (session, other)]
    asked = [
        Release(held=held, closing=Closing.UNDELIVERED) for held in (gone, Held(kept.task_id, 2))
    ]

    verdicts = await world.store.release(tuple(asked))

    assert verdicts == (Verdict.COMMITTED, Verdict.STALE)
    tasks = await world.store.open_tasks((session.turn, other.turn))
    assert [task.state for (task,) in tasks.values()] == [TaskState.READY, TaskState.LEASED]
    assert await world.attempts(kept.task_id) == []


async def test_a_lease_that_is_ended_early_is_one_that_ran_out(
    session: Session, worker: Worker
) -> None:
    held, store = await held_task(session, worker), session.world.store
    handed = Handed(held=held, incarnation=worker.id, attach_number=1)
    await session.world.pass_time(1)
    before = await expired(session.world, held)

    lapsed = await store.lapse((handed, handed))

    assert (before, set(lapsed)) == (None, {Verdict.COMMITTED})
    assert await expired(session.world, held) is not None
    release = Release(held=held, closing=Closing.UNDELIVERED, expired_only=True)
    assert await store.release((release,)) == (Verdict.COMMITTED,)


async def test_a_worker_that_came_back_with_its_task_has_a_lease_again(
    session: Session, worker: Worker
) -> None:
    held, store = await held_task(session, worker), session.world.store
    handed = Handed(held=held, incarnation=worker.id, attach_number=worker.attach_number)
    await store.lapse((handed,))
    worker.attach_number += 1

    await store.attach((worker.attach_row(held),))

    assert await expired(session.world, held) is None
    assert await store.lapse((handed,)) == (Verdict.STALE,)
    assert await expired(session.world, held) is None


@pytest.mark.parametrize("why", ["fence", "worker", "attach", "open"])
async def test_only_the_attempt_that_a_stream_carried_loses_its_lease(
    session: Session, worker: Worker, why: str
) -> None:
    held = await held_task(session, worker)
    handed = Handed(
        held=Held(IDS.uuid7() if why == "open" else held.task_id, 2 if why == "fence" else 1),
        incarnation=IDS.uuid7() if why == "worker" else worker.id,
        attach_number=2 if why == "attach" else 1,
    )

    assert await session.world.store.lapse((handed,)) == (Verdict.STALE,)

    assert await expired(session.world, held) is None


@pytest.mark.parametrize("why", ["fence", "worker"])
async def test_a_beat_of_another_attempt_keeps_no_lease(
    world: World, session: Session, worker: Worker, why: str
) -> None:
    other = await Session.opened(world)
    lost, kept = [await held_task(one, worker) for one in (session, other)]
    beat = Renewal(
        held=Held(lost.task_id, 2 if why == "fence" else 1),
        incarnation=IDS.uuid7() if why == "worker" else worker.id,
    )
    await world.pass_time(6)

    answers = await world.store.renew((beat, worker.renewal(kept)))
    await world.pass_time(6)

    assert [answer.lost for answer in answers] == [True, False]
    found = await expired(world, lost)
    assert found is not None
    assert not found.acknowledged
    assert await expired(world, kept) is None


async def handed_beside(world: World, session: Session, worker: Worker) -> tuple[Handed, Handed]:
    """What a stream carried, and beside it another attempt than the one that is held."""
    other = await Session.opened(world)
    carried, not_carried = [await held_task(one, worker) for one in (session, other)]
    handed = Handed(held=carried, incarnation=worker.id, attach_number=1)
    return handed, msgspec.structs.replace(handed, held=Held(not_carried.task_id, 2))


async def test_of_several_attempts_a_stream_ends_the_leases_of_those_it_carried(
    world: World, session: Session, worker: Worker
) -> None:
    carried, not_carried = await handed_beside(world, session, worker)

    lapsed = await world.store.lapse((carried, not_carried))

    await world.pass_time(1)
    assert lapsed == (Verdict.COMMITTED, Verdict.STALE)
    assert await expired(world, carried.held) is not None
    assert await expired(world, not_carried.held) is None


async def test_a_task_that_is_back_is_not_released_again_beside_another(
    world: World, session: Session, worker: Worker
) -> None:
    other = await Session.opened(world)
    back, held = [
        Release(held=await held_task(one, worker), closing=Closing.RETURNED)
        for one in (session, other)
    ]
    await world.store.release((back,))

    assert await world.store.release((back, held)) == (Verdict.STALE, Verdict.COMMITTED)

    assert await world.attempts(back.held.task_id) == [(1, Closing.RETURNED)]


async def test_of_several_attempts_those_that_a_stream_carried_are_acknowledged(
    world: World, session: Session, worker: Worker
) -> None:
    handed = await handed_beside(world, session, worker)

    await world.store.acknowledge(handed)
    await world.pass_time(11)

    found = [await expired(world, one.held) for one in handed]
    assert [one and one.acknowledged for one in found] == [True, False]


async def test_a_worker_takes_back_no_death_of_a_task_that_another_one_held(
    world: World, session: Session, worker: Worker
) -> None:
    other, lister = await Session.opened(world), await Worker.attached(world)
    died, returned = await held_task(session, worker), await held_task(other, lister)
    await world.store.renew((worker.renewal(died),))
    dead = Release(held=died, closing=Closing.EXPIRED, counts_death=True)
    back = Release(held=returned, closing=Closing.RETURNED)
    assert set(await world.store.release((dead, back))) == {Verdict.COMMITTED}
    lister.attach_number += 1

    await world.store.attach((lister.attach_row(died),))

    ((task,),) = (await world.store.open_tasks((session.turn,))).values()
    assert task.deaths == 1


async def test_a_task_that_no_worker_keeps_rests_ever_longer_and_ends_with_its_lease(
    session: Session, worker: Worker, queue: str
) -> None:
    route = Route(queue=queue)
    held = await held_task(session, worker, route=route)
    store = session.world.store

    for before, rest_ms in enumerate(LOSS_RESTS_MS):
        back = Release(held=Held(held.task_id, before + 1), closing=Closing.RETURNED)
        assert await store.release((back,)) == (Verdict.COMMITTED,)
        (task,) = (await store.open_tasks((session.turn,)))[session.turn]
        assert task.state is (TaskState.DELAYED if rest_ms else TaskState.READY)
        await session.world.pass_time(rest_ms / 1000 + 1)
        await store.ready_retries(ALL)
        assert [one.held.fence for one in await worker.take(1, route)] == [before + 2]
    last = Held(held.task_id, len(LOSS_RESTS_MS) + 1)

    refused = await store.release((Release(held=last, closing=Closing.RETURNED),))

    assert refused == (Verdict.STALE,)
    await session.world.pass_time(11)
    found = await expired(session.world, last)
    assert found is not None
    assert needs_lane(found.task, acknowledged=False)


async def test_a_worker_that_kept_a_task_ends_the_count_of_those_that_did_not(
    session: Session, worker: Worker, queue: str
) -> None:
    held = await held_task(session, worker, route=Route(queue=queue))
    store = session.world.store
    await store.release((Release(held=held, closing=Closing.UNDELIVERED),))
    (before,) = (await store.open_tasks((session.turn,)))[session.turn]
    (second,) = await worker.take(1, Route(queue=queue))

    waits = close(second.held, closing=Closing.RETURNED, delay_ms=3_600_000)
    await session.commit(session.changes(closes=(waits,)))

    (after,) = (await store.open_tasks((session.turn,)))[session.turn]
    assert (before.uncounted, after.uncounted) == (1, 0)
