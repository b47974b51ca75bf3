"""Postgres and the memory twin answer alike."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import cast

import pytest

from mainspring_kernel import backoff
from mainspring_kernel.clock import ManualClock
from mainspring_postgres import Database, Options
from mainspring_scheduler.adapters.memory import MemoryDutyStore, MemoryScheduleStore
from mainspring_scheduler.adapters.postgres import PostgresDutyStore, PostgresScheduleStore
from mainspring_scheduler.domain.duties import Claimed, Claims, Duty, Plan, Settlement
from mainspring_scheduler.ports.duties import DutyStore
from mainspring_scheduler.ports.schedules import ScheduleStore
from mainspring_testkit.fixtures import Database as OwnDatabase

HOUR_MS = 3_600_000
POLICY = backoff.Policy(first_s=1.0, max_s=2.0)
TIMERS = Plan(duty=Duty.TIMERS, period_ms=60_000, hold_ms=60_000, failure=POLICY)
UPKEEP = Plan(duty=Duty.LOG_UPKEEP, period_ms=HOUR_MS, hold_ms=120_000, failure=POLICY)
BOTH = (Duty.TIMERS, Duty.LOG_UPKEEP)


@dataclass(frozen=True, kw_only=True)
class Subject:
    store: DutyStore
    schedules: ScheduleStore
    pass_ms: Callable[[int], object]
    """Lets so much time go by, as the store's own clock sees it."""


@pytest.fixture(params=["memory", "postgres"])
def own(request: pytest.FixtureRequest) -> OwnDatabase | None:
    """A database where the subject needs one; asked for late, so that the twin needs no server."""
    if cast(str, request.param) == "memory":
        return None
    return cast(OwnDatabase, request.getfixturevalue("database"))


@pytest.fixture
async def subject(own: OwnDatabase | None) -> AsyncIterator[Subject]:
    if own is None:
        clock = ManualClock()
        schedules = MemoryScheduleStore(clock)
        store = MemoryDutyStore(clock, schedules)
        yield Subject(store=store, schedules=schedules, pass_ms=lambda ms: clock.advance(ms / 1000))
        return
    options = Options(
        url=own.url("scheduler_run"), application_name="contract", durability_required=False
    )
    database = await Database.open(options)

    def pass_ms(ms: int) -> object:
        return own.sql(f"update scheduler.duty set due_at = due_at - interval '{ms} ms'")

    yield Subject(
        store=PostgresDutyStore(database),
        schedules=PostgresScheduleStore(database),
        pass_ms=pass_ms,
    )
    await database.close()


async def names(store: DutyStore) -> set[Duty]:
    return {claimed.name for claimed in (await store.claim(BOTH)).duties}


async def test_nothing_is_due_before_it_is_planted(subject: Subject) -> None:
    assert await subject.store.claim(BOTH) == Claims()


async def test_planted_duties_are_due_at_once(subject: Subject) -> None:
    await subject.store.plant([TIMERS, UPKEEP])

    assert await names(subject.store) == set(BOTH)


async def test_a_claimed_duty_is_held_and_then_comes_back(subject: Subject) -> None:
    await subject.store.plant([TIMERS, UPKEEP])
    await subject.store.claim(BOTH)

    assert await names(subject.store) == set()
    subject.pass_ms(60_000)
    assert await names(subject.store) == {Duty.TIMERS}
    subject.pass_ms(60_000)
    assert await names(subject.store) == set(BOTH)


async def test_a_tick_that_comes_late_keeps_the_grid(subject: Subject) -> None:
    await subject.store.plant([TIMERS])
    await subject.store.claim(BOTH)
    subject.pass_ms(90_000)
    await subject.store.claim(BOTH)

    subject.pass_ms(30_000)

    assert await names(subject.store) == {Duty.TIMERS}


async def test_a_long_silence_is_made_up_for_once(subject: Subject) -> None:
    await subject.store.plant([TIMERS])
    await subject.store.claim(BOTH)
    subject.pass_ms(10 * HOUR_MS)

    assert await names(subject.store) == {Duty.TIMERS}
    assert await names(subject.store) == set()


async def test_only_the_duties_asked_for_are_taken(subject: Subject) -> None:
    await subject.store.plant([TIMERS, UPKEEP])

    claims = await subject.store.claim([Duty.LOG_UPKEEP])

    assert claims.duties == (Claimed(name=Duty.LOG_UPKEEP, failures=0),)
    assert await names(subject.store) == {Duty.TIMERS}


async def test_a_settled_duty_comes_when_it_was_said(subject: Subject) -> None:
    await subject.store.plant([TIMERS])
    await subject.store.claim(BOTH)
    await subject.store.settle(Settlement(duty=Duty.TIMERS, due_in_ms=250, failures=0))

    assert await names(subject.store) == set()
    subject.pass_ms(250)
    assert await names(subject.store) == {Duty.TIMERS}


async def test_failures_are_counted_for_all_replicas(subject: Subject) -> None:
    await subject.store.plant([TIMERS])
    await subject.store.claim(BOTH)
    await subject.store.settle(Settlement(duty=Duty.TIMERS, due_in_ms=0, failures=4))

    claims = await subject.store.claim(BOTH)

    assert claims.duties == (Claimed(name=Duty.TIMERS, failures=4),)


async def test_planting_again_makes_due_and_keeps_the_failures(subject: Subject) -> None:
    await subject.store.plant([UPKEEP])
    await subject.store.claim(BOTH)
    await subject.store.settle(Settlement(duty=Duty.LOG_UPKEEP, due_in_ms=HOUR_MS, failures=2))

    await subject.store.plant([UPKEEP])

    claims = await subject.store.claim(BOTH)

    assert claims.duties == (Claimed(name=Duty.LOG_UPKEEP, failures=2),)


async def test_settling_an_unknown_duty_changes_nothing(subject: Subject) -> None:
    await subject.store.settle(Settlement(duty=Duty.TIMERS, due_in_ms=0, failures=0))

    assert await subject.store.claim(BOTH) == Claims()


async def test_replicas_that_claim_together_share_the_duties(subject: Subject) -> None:
    await subject.store.plant([TIMERS, UPKEEP])

    taken = await asyncio.gather(*(subject.store.claim(BOTH) for _ in range(8)))

    assert sorted(claimed.name for one in taken for claimed in one.duties) == sorted(BOTH)
