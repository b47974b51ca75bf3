"""Replicas that race over due slots on a real server: each slot is begun once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from uuid import UUID

import pytest

from mainspring_kernel.clock import SystemClock
from mainspring_kernel.draws import SeededDraws
from mainspring_kernel.ids import RandomIds
from mainspring_postgres import Database, Options
from mainspring_scheduler.adapters.memory import MemoryTargets
from mainspring_scheduler.adapters.postgres import PostgresScheduleStore
from mainspring_scheduler.domain import limits
from mainspring_scheduler.domain.slots import Ended, Schedule, Slot, Started
from mainspring_scheduler.ports.targets import Targets
from mainspring_scheduler.usecases.firing import Firing
from mainspring_schema.limits import CATCH_UP_S_MAX
from mainspring_schema.schedules import Interval, Overlap
from mainspring_testkit.fixtures import Database as OwnDatabase
from tests.unit.scheduler.rows import schedule

REPLICAS = 3
SCHEDULES = 25
SLOTS_EACH = 31
EVERY_MS = 600_000
CLOCK = SystemClock()
HOLD_MS = 150


class Died(BaseException):
    """Of a replica, in the middle."""


class Dying:
    """Begins what it is asked for, and some times is gone before it can tell."""

    def __init__(self, inner: MemoryTargets) -> None:
        self._inner = inner
        self._asked = 0

    async def start(self, schedule: Schedule, slot: Slot) -> Started:
        started = await self._inner.start(schedule, slot)
        self._asked += 1
        if self._asked in {5, 60, 200, 500}:
            raise Died
        return started

    async def look(self, slots: Sequence[Slot]) -> Sequence[Ended | None]:
        return await self._inner.look(slots)

    async def cancel(self, slot: Slot) -> None:
        await self._inner.cancel(slot)


@pytest.fixture
async def stores(database: OwnDatabase) -> AsyncIterator[list[PostgresScheduleStore]]:
    """One per replica, each over connections of its own."""
    async with AsyncExitStack() as stack:
        made: list[PostgresScheduleStore] = []
        for number in range(REPLICAS):
            options = Options(
                url=database.url("scheduler_run"),
                application_name=f"replica {number}",
                durability_required=False,
            )
            opened = await Database.open(options)
            stack.push_async_callback(opened.close)
            made.append(PostgresScheduleStore(opened))
        yield made


def replica(store: PostgresScheduleStore, targets: Targets, seed: int) -> Firing:
    return Firing(
        store=store,
        targets=targets,
        clock=CLOCK,
        ids=RandomIds(CLOCK),
        draws=SeededDraws(seed),
    )


async def fall_behind(store: PostgresScheduleStore, overlap: Overlap) -> None:
    """Schedules with so many slots that are due, and the next one minutes away."""
    first_ms = CLOCK.wall_ms() - (SLOTS_EACH - 1) * EVERY_MS - 1000
    for number in range(SCHEDULES):
        row = schedule(
            id_=UUID(int=1000 + number),
            name=f"s{number}",
            overlap=overlap,
            timing=Interval(every_ms=EVERY_MS, anchor_ms=first_ms),
            next_ms=first_ms,
            catch_up_s=CATCH_UP_S_MAX,
        )
        await store.insert(row)


async def work_off(firing: Firing) -> int:
    """Passes until a hold's time has gone by with nothing due; how often the replica died."""
    deaths, quiet_since = 0, CLOCK.mono()
    while CLOCK.mono() - quiet_since < 3 * HOLD_MS / 1000:
        try:
            report = await firing.once()
        except Died:
            deaths += 1
            quiet_since = CLOCK.mono()
            continue
        if report.handled:
            quiet_since = CLOCK.mono()
    return deaths


def slots_of(database: OwnDatabase) -> int:
    return int(database.sql("select count(*) from scheduler.slot"))


async def test_three_replicas_begin_each_slot_once(
    database: OwnDatabase, stores: list[PostgresScheduleStore]
) -> None:
    await fall_behind(stores[0], "allow_all")
    targets = MemoryTargets()
    firings = [replica(store, targets, seed) for seed, store in enumerate(stores)]

    await asyncio.gather(*(work_off(firing) for firing in firings))

    assert len(targets.asked) == SCHEDULES * SLOTS_EACH
    assert max(Counter(targets.asked).values()) == 1
    assert slots_of(database) == SCHEDULES * SLOTS_EACH


async def test_replicas_that_die_in_between_lose_and_double_nothing(
    database: OwnDatabase,
    stores: list[PostgresScheduleStore],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "SCHEDULE_HOLD_MS", HOLD_MS)
    await fall_behind(stores[0], "allow_all")
    targets = MemoryTargets()
    firings = [replica(store, Dying(targets), seed) for seed, store in enumerate(stores)]

    deaths = await asyncio.gather(*(work_off(firing) for firing in firings))

    assert sum(deaths) > 0
    assert len(targets.begun) == SCHEDULES * SLOTS_EACH
    assert slots_of(database) == SCHEDULES * SLOTS_EACH
    assert database.sql("select distinct status from scheduler.slot") == "running\n"


async def test_skip_holds_over_replicas(
    database: OwnDatabase, stores: list[PostgresScheduleStore]
) -> None:
    await fall_behind(stores[0], "skip")
    targets = MemoryTargets()
    firings = [replica(store, targets, seed) for seed, store in enumerate(stores)]

    await asyncio.gather(*(work_off(firing) for firing in firings))

    assert len(targets.asked) == SCHEDULES
    at_work = database.sql(
        "select count(*), count(distinct schedule_id) from scheduler.slot where status = 'running'"
    )
    assert at_work == f"{SCHEDULES}|{SCHEDULES}\n"
