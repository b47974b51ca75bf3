"""Claims in turns, over the store in memory: who waits how many of them."""

import asyncio
from typing import cast
from uuid import UUID

import msgspec
import pytest

from mainspring_engine.adapters.memory import MemoryGates
from mainspring_engine.domain.backlog import Backlog, Group
from mainspring_engine.domain.gate_limits import DEPTH_ORG_TASKS_MAX, LOAD_SHUT
from mainspring_engine.domain.limit import KeyLimit, with_rate
from mainspring_engine.domain.limits import (
    CLAIM_CHUNK_TASKS,
    CLAIM_ROUTES_MAX,
    CLAIM_SWEEP_S,
    PRIORITY_AGING_S,
    READY_GROUPS_MAX,
)
from mainspring_engine.domain.roster import Roster, Seat
from mainspring_engine.domain.routes import Offer, Route
from mainspring_engine.domain.rows import Closing
from mainspring_engine.ports.gates import Drawn, GateStore
from mainspring_engine.ports.store import Claimed, Release
from mainspring_engine.usecases.backpressure import Backpressure
from mainspring_engine.usecases.claiming import Claimer
from mainspring_engine.usecases.gates import Gates
from mainspring_engine.usecases.pushing import Pusher
from mainspring_kernel.errors import TooManyRequests
from mainspring_kernel.ids import RandomIds
from mainspring_kernel.limits import PRIORITY_MAX
from tests.contract.engine_store.engine_worlds import IDS, MemoryWorld, Session, Worker, close

SLOTS = 4
QUEUE = "q"
ROUTE, OTHER = Route(queue=QUEUE), Route(queue=QUEUE, model="other")


class Hall:
    """One engine's claims with one worker; what each of them brought is done at once."""

    def __init__(self, world: MemoryWorld, worker: Worker, slots: int) -> None:
        self.world = world
        self.worker = worker
        self.ids = RandomIds(world.clock)
        self.roster = Roster()
        offer = Offer(queues=frozenset({QUEUE}), capabilities=frozenset({""}), build="")
        self.roster.add(Seat(worker.id, 1, offer, slots))
        self.backlog = Backlog()
        gates: GateStore = MemoryGates(world.memory.tables, lock=world.lock, clock=world.clock)
        self.gates = Gates(
            store=gates, moved=lambda: None, clock=world.clock, me=IDS.uuid7(), able=lambda _: True
        )
        self.pressure = Backpressure(clock=world.clock, load=lambda: self.load)
        self.load = 0.0
        self.claimed: list[Claimed] = []
        self.claimer = Claimer(
            store=world.store,
            roster=self.roster,
            backlog=self.backlog,
            gates=self.gates,
            pressure=self.pressure,
            pusher=cast("Pusher", cast("object", Noting(self.claimed))),
            clock=world.clock,
        )
        self.sessions: dict[UUID, Session] = {}
        self.now = 0
        self.born: dict[UUID, int] = {}
        self.waits: dict[UUID, list[int]] = {}

    @classmethod
    async def opened(cls, slots: int = SLOTS) -> "Hall":
        hall = await cls.begun(slots)
        await hall.gates.read()
        return hall

    @classmethod
    async def begun(cls, slots: int = SLOTS) -> "Hall":
        """Its engine has not read yet how gates stand."""
        world = MemoryWorld()
        return cls(world, await Worker.attached(world), slots)

    async def add(
        self, org_id: UUID, count: int, *, priority: int = 0, route: Route = ROUTE
    ) -> None:
        session = await Session.opened(self.world, org_id)
        tasks = [
            msgspec.structs.replace(
                session.task(str(n), route=route, priority=priority), id=self.ids.uuid7()
            )
            for n in range(count)
        ]
        await session.start_turn(*tasks)
        for task in tasks:
            self.sessions[task.id] = session
            self.born[task.id] = self.now
        self.backlog.ready(Group(route, org_id, priority), tasks[0].id)

    async def claim_once(self, seconds: float = 1.0) -> None:
        self.claimed.clear()
        await self.claimer.claim_once()
        for task in self.claimed:
            waited = self.now - self.born[task.held.task_id]
            self.waits.setdefault(task.org_id, []).append(waited)
            session = self.sessions[task.held.task_id]
            await session.commit(session.changes(closes=(close(task.held),)))
            self.roster.give_back(task.incarnation, 1)
        self.now += 1
        self.world.clock.advance(seconds)

    def p99(self, org_id: UUID) -> int:
        waits = sorted(self.waits[org_id])
        return waits[int(len(waits) * 0.99) - 1]


class Noting:
    def __init__(self, claimed: list[Claimed]) -> None:
        self._claimed = claimed

    def push_claimed(self, claimed: Claimed, asked_s: float) -> None:
        del asked_s
        self._claimed.append(claimed)


@pytest.mark.parametrize("route", [ROUTE, OTHER], ids=["one route", "two"])
async def test_a_flood_by_one_organization_does_not_double_the_wait_of_another(
    route: Route,
) -> None:
    flooding, calm = IDS.uuid7(), IDS.uuid7()

    async def p99(flood: int) -> int:
        hall = await Hall.opened()
        await hall.add(flooding, flood)
        for _ in range(60):
            await hall.add(calm, 2, route=route)
            await hall.claim_once()
        return hall.p99(calm) + 1  # a turn of service

    assert await p99(2000) < 2 * await p99(1)


async def test_an_engine_that_has_not_read_how_gates_stand_lets_nothing_through() -> None:
    hall = await Hall.begun()
    await hall.add(IDS.uuid7(), 1)
    await hall.claim_once()
    assert (hall.waits, hall.gates.lets(ROUTE, IDS.uuid7())) == ({}, False)

    await hall.gates.read()
    await hall.claim_once()

    assert len(hall.waits) == 1


async def test_of_a_rate_a_claim_that_nobody_answers_is_spent() -> None:
    hall = await Hall.opened()
    limit = with_rate(KeyLimit(key=f"queue:{QUEUE}"), 30, 60_000)
    hall.gates.limiter.replace([limit])
    hall.gates.limiter.drawn(
        [Drawn(key=limit.key, granted=2, wait_ms=0)], asked_at_s=hall.world.clock.mono()
    )
    assert hall.gates.reserve(ROUTE, 2) == 2

    hall.gates.unused(ROUTE, 1)
    hall.gates.unused(ROUTE, 1, unheard=True)

    assert hall.gates.reserve(ROUTE, 2) == 1


async def test_weights_divide_what_two_floods_get() -> None:
    hall = await Hall.opened()
    heavy, light = IDS.uuid7(), IDS.uuid7()
    hall.gates.weights = {heavy: 3.0}
    for org_id in (heavy, light):
        await hall.add(org_id, 300)

    for _ in range(50):
        await hall.claim_once()

    assert len(hall.waits[heavy]) == pytest.approx(3 * len(hall.waits[light]), rel=0.05)


async def test_aging_lets_the_lowest_priority_through_a_flood_of_the_highest() -> None:
    hall = await Hall.opened()
    low, high = IDS.uuid7(), IDS.uuid7()
    await hall.add(low, 1)
    claims = 0

    while low not in hall.waits:
        # As many of the highest as there are slots, every time: without aging low never comes.
        await hall.add(high, SLOTS, priority=PRIORITY_MAX)
        await hall.claim_once(PRIORITY_AGING_S / 2)
        claims += 1
        assert claims < 100, "it starves"

    assert claims > 2 * PRIORITY_MAX


async def test_several_routes_share_the_credits_of_one_worker() -> None:
    hall = await Hall.opened()
    flooding, calm = IDS.uuid7(), IDS.uuid7()
    await hall.add(flooding, 100)
    await hall.add(calm, 100, route=Route(queue=QUEUE, model="other"))

    for _ in range(10):
        await hall.claim_once()

    assert len(hall.waits[calm]) == pytest.approx(len(hall.waits[flooding]), abs=SLOTS)


async def test_what_is_held_back_takes_no_other_routes_place_in_a_claim() -> None:
    hall = await Hall.opened()
    shut = KeyLimit(key="key/shut", rate=1, per_ms=1000, burst=1, every_ms=1000.0)
    hall.gates.limiter.replace([shut])
    for n in range(CLAIM_ROUTES_MAX):
        await hall.add(IDS.uuid7(), 1, route=Route(queue=QUEUE, model=str(n), keys=("key/shut",)))
    org_id = IDS.uuid7()
    await hall.add(org_id, 2)

    await hall.claim_once()

    assert len(hall.waits[org_id]) == 2


@pytest.mark.parametrize("build", ["", "another"], ids=["no such worker", "no such build"])
async def test_what_nobody_serves_takes_no_other_routes_place_in_a_claim(build: str) -> None:
    hall = await Hall.opened()
    capability = "" if build else "unknown"
    for n in range(CLAIM_ROUTES_MAX):
        route = Route(queue=QUEUE, capability=capability, build=build, keys=(f"key/{n}",))
        await hall.add(IDS.uuid7(), 1, route=route)
    org_id = IDS.uuid7()
    await hall.add(org_id, 2)

    await hall.claim_once()

    assert len(hall.waits[org_id]) == 2
    assert len(hall.backlog.routes()) == CLAIM_ROUTES_MAX
    assert all(hall.backlog.short(route) for route in hall.backlog.routes())


async def test_tasks_that_nobody_served_are_claimed_once_a_worker_that_does_has_come() -> None:
    hall = await Hall.opened()
    for n in range(3):
        await hall.add(IDS.uuid7(), 1, route=Route(queue=QUEUE, capability="new", model=str(n)))
    await hall.claim_once()
    assert not hall.waits

    offer = Offer(queues=frozenset({QUEUE}), capabilities=frozenset({"new"}), build="")
    hall.roster.add(Seat(hall.worker.id, 1, offer, SLOTS))
    await hall.claim_once()

    assert len(hall.waits) == 3


async def test_under_a_limit_a_new_task_waits_for_no_other_to_end() -> None:
    hall = await Hall.opened()
    hall.gates.limiter.replace([KeyLimit(key=f"queue:{QUEUE}", at_once=2)])
    sizes: list[int] = []

    for _ in range(4):
        # None of them ends meanwhile.
        session = await Session.opened(hall.world, IDS.uuid7())
        task = msgspec.structs.replace(session.task("t", route=ROUTE), id=hall.ids.uuid7())
        await session.start_turn(task)
        hall.claimer.ready(Group(ROUTE, session.org_id, 0), task.id)
        await hall.claimer.claim_once()
        sizes.append(len(hall.claimed))

    assert sizes == [1, 2, 2, 2]
    hall.claimer.ended(ROUTE)
    held = hall.claimed[0]
    await hall.world.store.release((Release(held=held.held, closing=Closing.RETURNED),))
    await hall.claimer.claim_once()
    assert len(hall.claimed) == 3


async def test_a_worker_with_more_credits_than_one_chunk_gets_what_waits() -> None:
    hall = await Hall.opened(slots=3 * CLAIM_CHUNK_TASKS)
    await hall.add(IDS.uuid7(), 1)
    await hall.claimer.claim_once()
    assert len(hall.claimed) == 1


async def test_tasks_that_no_hint_told_of_are_found_by_a_pass() -> None:
    hall = await Hall.opened()
    org_id = IDS.uuid7()
    await hall.add(org_id, 3)
    hall.backlog.take(Route(queue=QUEUE))
    await hall.claim_once()
    assert not hall.waits

    hall.claimer.look()
    await hall.claim_once()

    assert len(hall.waits[org_id]) == 3
    assert hall.backlog.routes() == ()


async def test_a_route_is_short_while_tasks_of_it_wait_for_credits() -> None:
    hall = await Hall.opened()
    route = Route(queue=QUEUE)
    await hall.add(IDS.uuid7(), 2 * SLOTS)

    seen: list[bool] = []
    for _ in range(3):
        await hall.claim_once()
        seen.append(hall.backlog.short(route))

    assert seen == [True, True, False]


# ── backpressure ────────────────────────────────────────────────────────────────────────────────


async def test_an_organization_whose_tasks_pile_up_is_refused_and_taken_again_when_they_went() -> (
    None
):
    hall = await Hall.opened()
    flooding, calm = IDS.uuid7(), IDS.uuid7()
    await hall.add(flooding, DEPTH_ORG_TASKS_MAX + 3 * SLOTS)
    await hall.claim_once()

    hall.claimer.look()
    await hall.claim_once()

    with pytest.raises(TooManyRequests) as refused:
        hall.pressure.check(flooding, QUEUE)
    assert refused.value.retry_after_s is not None
    assert refused.value.retry_after_s >= 1
    hall.pressure.check(calm, QUEUE)
    hall.pressure.check(flooding, "other")
    for _ in range(2):
        await hall.claim_once()
    hall.pressure.check(flooding, QUEUE)


async def test_an_organization_is_refused_however_many_groups_of_others_are_ready() -> None:
    hall = await Hall.opened()
    flooding, other = IDS.uuid7(), IDS.uuid7()
    await hall.add(flooding, DEPTH_ORG_TASKS_MAX + 3 * SLOTS)
    for n in range(READY_GROUPS_MAX):
        await hall.add(other, 1, route=Route(queue="unserved", model=str(n)))
    for _ in range(4):  # a pass has two pages, and the first finds out that credits are short
        hall.claimer.look()
        await hall.claimer.claim_once()

    for _ in range(3):
        hall.claimer.look()
        await hall.claimer.claim_once()

        with pytest.raises(TooManyRequests):
            hall.pressure.check(flooding, QUEUE)


async def test_what_went_to_other_engines_counts_at_one_without_workers_for_a_moment() -> None:
    """Each task that came through it waits there, as it believes: such beliefs would add up."""
    hall = await Hall.begun()  # and here nothing is let through, so nothing lacks a worker either
    hall.roster.remove(hall.worker.id, 1)
    group, clock = Group(ROUTE, IDS.uuid7(), 0), hall.world.clock
    hall.backlog.ready(group, IDS.uuid7())
    hall.pressure.came([group] * DEPTH_ORG_TASKS_MAX)
    with pytest.raises(TooManyRequests):
        hall.pressure.check(group.org_id, QUEUE)
    working = asyncio.create_task(hall.claimer.work())

    await clock.until_sleeping()
    clock.advance(CLAIM_SWEEP_S)
    for _ in range(3):
        await asyncio.sleep(0)

    hall.pressure.check(group.org_id, QUEUE)
    working.cancel()


async def test_a_full_lane_refuses_everybody() -> None:
    hall = await Hall.opened()
    hall.load = LOAD_SHUT

    with pytest.raises(TooManyRequests):
        hall.pressure.check(IDS.uuid7(), QUEUE)
