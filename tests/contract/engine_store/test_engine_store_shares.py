"""Which ready task a claim takes: steps of priority, shares, marks, limits of running tasks."""

import asyncio
from collections import Counter
from uuid import UUID

import msgspec
import pytest

from mainspring_engine.domain.backlog import Group, ReadyGroup
from mainspring_engine.domain.limits import PRIORITY_AGING_S
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import Closing
from mainspring_engine.ports.store import (
    Claimed,
    ClaimLimit,
    ClaimRequest,
    ClaimShare,
    ReadyPage,
    Release,
)
from mainspring_kernel.limits import PRIORITY_MAX
from tests.contract.engine_store.engine_worlds import IDS, Session, Worker, World, claim, close


async def fill(
    session: Session, queue: str, count: int, *, priority: int = 0, waited_s: float = 0.0
) -> list[UUID]:
    tasks = [
        msgspec.structs.replace(
            session.task(f"{priority}:{waited_s}:{n}", route=Route(queue=queue), priority=priority),
            id=made_before(waited_s),
        )
        for n in range(count)
    ]
    await session.start_turn(*tasks)
    return [task.id for task in tasks]


def made_before(seconds: float) -> UUID:
    id_ = IDS.uuid7()
    return UUID(int=id_.int - (round(seconds * 1000) << 80))


def orgs_of(claimed: tuple[Claimed, ...]) -> list[UUID]:
    return [task.org_id for task in claimed]


def ids_of(claimed: tuple[Claimed, ...]) -> list[UUID]:
    return [task.held.task_id for task in claimed]


async def groups_on(world: World, queue: str) -> list[ReadyGroup]:
    found: list[ReadyGroup] = []
    after: Group | None = None
    while page := (await world.store.ready_groups(after, 7)).groups:
        found += [ready for ready in page if ready.group.route == Route(queue=queue)]
        after = page[-1].group
    return found


# ── shares ──────────────────────────────────────────────────────────────────────────────────────


async def test_who_is_ahead_waits_for_the_others(world: World, worker: Worker, queue: str) -> None:
    first, second = await Session.opened(world), await Session.opened(world)
    for session in (first, second):
        await fill(session, queue, 6)
    ahead = ClaimShare(org_id=first.org_id, lead=3.0, weight=1.0)

    taken = await claim(world.store, worker.want(6, Route(queue=queue)), shares=(ahead,))

    assert orgs_of(taken)[:3] == [second.org_id] * 3
    assert Counter(orgs_of(taken)[3:])[first.org_id] >= 1


async def test_weights_divide_the_slots(world: World, worker: Worker, queue: str) -> None:
    heavy, light = await Session.opened(world), await Session.opened(world)
    for session in (heavy, light):
        await fill(session, queue, 20)
    share = ClaimShare(org_id=heavy.org_id, lead=0.0, weight=3.0)

    taken = await claim(world.store, worker.want(16, Route(queue=queue)), shares=(share,))

    assert Counter(orgs_of(taken)) == {heavy.org_id: 12, light.org_id: 4}


async def test_a_share_counts_within_a_step_and_not_across(
    world: World, worker: Worker, queue: str
) -> None:
    important, other = await Session.opened(world), await Session.opened(world)
    high = await fill(important, queue, 3, priority=5)
    await fill(other, queue, 3)
    ahead = ClaimShare(org_id=important.org_id, lead=100.0, weight=1.0)

    taken = await claim(world.store, worker.want(3, Route(queue=queue)), shares=(ahead,))

    assert ids_of(taken) == high


# ── aging ───────────────────────────────────────────────────────────────────────────────────────


async def test_waiting_lifts_a_task_over_a_higher_priority(
    session: Session, worker: Worker, queue: str
) -> None:
    waited = await fill(session, queue, 2, waited_s=3 * PRIORITY_AGING_S + 5)
    fresh = await fill(session, queue, 2, priority=2)

    taken = await worker.take(3, Route(queue=queue))

    assert ids_of(taken) == [*waited, fresh[0]]


async def test_waiting_less_than_a_step_lifts_nothing(
    session: Session, worker: Worker, queue: str
) -> None:
    await fill(session, queue, 1, waited_s=PRIORITY_AGING_S - 5)
    fresh = await fill(session, queue, 1, priority=1)

    assert ids_of(await worker.take(1, Route(queue=queue))) == fresh


async def test_priorities_that_have_come_to_the_same_step_take_turns(
    session: Session, worker: Worker, queue: str
) -> None:
    low = await fill(session, queue, 3, waited_s=(PRIORITY_MAX + 2) * PRIORITY_AGING_S)
    high = await fill(session, queue, 3, priority=PRIORITY_MAX)

    taken = await worker.take(6, Route(queue=queue))

    assert ids_of(taken) == [high[0], low[0], high[1], low[1], high[2], low[2]]


async def test_an_old_backlog_keeps_no_fresh_task_of_its_priority_back(
    world: World, worker: Worker, queue: str
) -> None:
    flooding, calm = await Session.opened(world), await Session.opened(world)
    await fill(flooding, queue, 9, waited_s=5 * PRIORITY_AGING_S)
    await fill(calm, queue, 2)

    taken = await worker.take(4, Route(queue=queue))

    assert Counter(orgs_of(taken)) == {flooding.org_id: 2, calm.org_id: 2}


# ── marks ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_pass_finds_every_group_with_its_lowest_id(world: World, queue: str) -> None:
    lowest: dict[tuple[UUID, int], UUID] = {}
    for _ in range(3):
        session = await Session.opened(world)
        for priority in (0, 4):
            ids = await fill(session, queue, 2, priority=priority)
            lowest[session.org_id, priority] = ids[0]

    found = await groups_on(world, queue)

    assert {(r.group.org_id, r.group.priority): r.from_id for r in found} == lowest
    places = [(ready.group.org_id, -ready.group.priority) for ready in found]
    assert places == sorted(places)


async def test_a_pass_carries_the_version_of_the_board(world: World) -> None:
    page = await world.store.ready_groups(None, 1)

    assert isinstance(page, ReadyPage)
    assert page.board >= 1


async def test_a_claim_looks_from_its_mark_on(session: Session, worker: Worker, queue: str) -> None:
    ids = await fill(session, queue, 5)
    route = Route(queue=queue)
    marked = ReadyGroup(group=Group(route, session.org_id, 0), from_id=ids[2], depth=10)

    taken = await session.world.store.claim(
        ClaimRequest(wants=(worker.want(5, route),), groups=(marked,))
    )

    assert ids_of(taken) == ids[2:]
    assert {task.priority for task in taken} == {0}


async def test_a_claim_looks_no_deeper_than_it_was_told(
    session: Session, worker: Worker, queue: str
) -> None:
    ids = await fill(session, queue, 5)
    route = Route(queue=queue)
    marked = ReadyGroup(group=Group(route, session.org_id, 0), from_id=ids[0], depth=2)

    taken = await session.world.store.claim(
        ClaimRequest(wants=(worker.want(5, route),), groups=(marked,))
    )

    assert ids_of(taken) == ids[:2]


async def test_a_claim_takes_nothing_of_a_group_that_was_not_named(
    session: Session, worker: Worker, queue: str
) -> None:
    await fill(session, queue, 3, priority=1)
    route = Route(queue=queue)
    other = ReadyGroup(group=Group(route, session.org_id, 0), from_id=UUID(int=0), depth=9)

    taken = await session.world.store.claim(
        ClaimRequest(wants=(worker.want(3, route),), groups=(other,))
    )

    assert taken == ()


async def test_depths_are_counted_from_the_mark_and_up_to_a_bound(
    session: Session, worker: Worker, queue: str
) -> None:
    ids = await fill(session, queue, 6)
    other = await fill(session, queue, 2, priority=3)
    route = Route(queue=queue)
    low, high = Group(route, session.org_id, 0), Group(route, session.org_id, 3)

    depths = await session.world.store.depths(
        (
            ReadyGroup(group=low, from_id=ids[2], depth=99),
            ReadyGroup(group=low, from_id=ids[0], depth=5),
            ReadyGroup(group=high, from_id=other[0], depth=99),
            ReadyGroup(group=Group(route, IDS.uuid7(), 0), from_id=ids[0], depth=9),
        )
    )

    assert depths == (4, 5, 2, 0)


# ── limits of running tasks ─────────────────────────────────────────────────────────────────────


def limit_of(queue: str, at_once: int) -> ClaimLimit:
    return ClaimLimit(route=Route(queue=queue), key=f"queue:{queue}", at_once=at_once)


async def test_no_more_run_than_the_limit_says(
    session: Session, worker: Worker, queue: str
) -> None:
    await fill(session, queue, 9)
    store, want = session.world.store, worker.want(9, Route(queue=queue))
    limits = (limit_of(queue, 4),)

    first = await claim(store, want, limits=limits)
    again = await claim(store, want, limits=limits)
    await store.release((Release(held=first[0].held, closing=Closing.RETURNED),))
    await session.commit(session.changes(closes=(close(first[1].held),)))
    third = await claim(store, want, limits=limits)

    assert [len(taken) for taken in (first, again, third)] == [4, 0, 2]


async def test_the_smallest_of_several_limits_holds(
    session: Session, worker: Worker, queue: str
) -> None:
    key = f"key-{queue}"
    route = Route(queue=queue, model=key)
    await session.start_turn(*(session.task(str(n), route=route) for n in range(5)))
    limits = (
        ClaimLimit(route=route, key=key, at_once=2),
        ClaimLimit(route=route, key=f"queue:{queue}", at_once=3),
    )

    taken = await claim(session.world.store, worker.want(5, route), limits=limits)

    assert len(taken) == 2


async def test_a_limit_is_one_over_all_its_routes(
    session: Session, worker: Worker, queue: str
) -> None:
    routes = [Route(queue=queue, build=build) for build in ("a", "b")]
    await session.start_turn(
        *(session.task(f"{r.build}{n}", route=r) for r in routes for n in range(3))
    )
    limits = tuple(ClaimLimit(route=route, key=f"queue:{queue}", at_once=4) for route in routes)

    taken = await claim(
        session.world.store, *(worker.want(3, route) for route in routes), limits=limits
    )

    assert len(taken) == 4


async def test_tasks_that_were_claimed_without_a_limit_are_not_counted(
    session: Session, worker: Worker, queue: str
) -> None:
    await fill(session, queue, 5)
    await worker.take(2, Route(queue=queue))

    taken = await claim(
        session.world.store, worker.want(5, Route(queue=queue)), limits=(limit_of(queue, 2),)
    )

    assert len(taken) == 2


@pytest.mark.parametrize("at_once", [0, 5])
async def test_sixteen_engines_together_never_pass_a_limit(
    session: Session, queue: str, at_once: int
) -> None:
    await fill(session, queue, 60)
    world = session.world
    workers = [await Worker.attached(world) for _ in range(16)]
    limits = (limit_of(queue, at_once),)

    taken = await asyncio.gather(
        *(
            claim(world.store, worker.want(3, Route(queue=queue)), limits=limits)
            for worker in workers
        )
    )

    assert sum(map(len, taken)) == at_once
