"""The loop against the memory twin, on a clock that the test moves."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from mainspring_kernel.clock import ManualClock
from mainspring_kernel.draws import SeededDraws
from mainspring_kernel.errors import Unavailable
from mainspring_scheduler.adapters.loop import Loop
from mainspring_scheduler.adapters.memory import MemoryDutyStore, MemoryScheduleStore
from mainspring_scheduler.domain import limits
from mainspring_scheduler.domain.duties import Claims, Duty, Plan, Report, Settlement
from mainspring_scheduler.ports.duties import DutyStore

TICK_S = limits.SWEEP_PERIOD_MS / 1000
BUSY_S = limits.SWEEP_BUSY_MS / 1000

NOBODY = Unavailable("nobody listens")
NO_DATABASE = Unavailable("no database")


@dataclass(kw_only=True)
class Calls:
    """Counts passes and answers what the test says."""

    answers: dict[Duty, Callable[[], Report]] = field(default_factory=dict)
    passes: Counter[Duty] = field(default_factory=Counter)
    gate: asyncio.Event | None = None
    entered: asyncio.Event = field(default_factory=asyncio.Event)

    async def perform(self, duty: Duty) -> Report:
        self.passes[duty] += 1
        self.entered.set()
        if self.gate is not None:
            await self.gate.wait()
        return self.answers.get(duty, Report)()


def refuse() -> Report:
    raise NOBODY


UNGATED = Counter(duty for duty in Duty if duty is not Duty.SCHEDULES)
"""What a start does while there is no schedule."""


def idle_store(clock: ManualClock) -> MemoryDutyStore:
    return MemoryDutyStore(clock, MemoryScheduleStore(clock))


class BrokenStore:
    """A store that is away until it is told to come back."""

    def __init__(self, clock: ManualClock) -> None:
        self.inner = idle_store(clock)
        self.away = True
        self.tries = 0

    async def plant(self, plans: Sequence[Plan]) -> None:
        await self.inner.plant(plans)

    async def claim(self, duties: Collection[Duty]) -> Claims:
        self.tries += 1
        if self.away:
            raise NO_DATABASE
        return await self.inner.claim(duties)

    async def settle(self, settlement: Settlement) -> None:
        await self.inner.settle(settlement)


@asynccontextmanager
async def going(clock: ManualClock, calls: Calls, store: DutyStore) -> AsyncGenerator[Loop]:
    loop = Loop(store=store, work=calls, clock=clock, draws=SeededDraws(1), drain_s=5.0)
    task = asyncio.create_task(loop.serve())
    await clock.until_sleeping()
    await settled()
    yield loop
    loop.stop()
    await task


async def settled() -> None:
    """Lets every callback that is ready happen."""
    for _ in range(20):
        await asyncio.sleep(0)


async def advance(clock: ManualClock, seconds: float) -> None:
    clock.advance(seconds)
    await settled()
    await clock.until_sleeping()


async def test_a_start_does_every_duty_at_once() -> None:
    clock, calls = ManualClock(), Calls()

    async with going(clock, calls, idle_store(clock)):
        pass

    assert calls.passes == UNGATED


async def test_idle_sweeps_come_once_a_period_and_upkeep_does_not() -> None:
    clock, calls = ManualClock(), Calls()

    async with going(clock, calls, idle_store(clock)):
        for _ in range(4):
            await advance(clock, TICK_S)

    assert calls.passes[Duty.LEASES] == 5
    assert calls.passes[Duty.LOG_UPKEEP] == 1


async def test_a_sweep_that_found_rows_comes_again_after_the_short_wait() -> None:
    clock, calls = ManualClock(), Calls()
    calls.answers[Duty.RETRIES] = lambda: Report(handled=1)

    async with going(clock, calls, idle_store(clock)):
        await advance(clock, BUSY_S)
        await advance(clock, BUSY_S)

    assert calls.passes[Duty.RETRIES] == 3
    assert calls.passes[Duty.TIMERS] == 1


async def test_full_batches_are_worked_off_at_once_up_to_the_bound() -> None:
    clock, calls = ManualClock(), Calls()
    calls.answers[Duty.TIMERS] = lambda: Report(handled=500, more=True)

    async with going(clock, calls, idle_store(clock)):
        assert calls.passes[Duty.TIMERS] == limits.SWEEP_REPEATS_MAX


async def test_a_failing_duty_is_told_once_and_its_recovery_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock, calls = ManualClock(), Calls()
    calls.answers[Duty.LEASES] = refuse
    caplog.set_level(logging.INFO, "mainspring_scheduler")

    async with going(clock, calls, idle_store(clock)):
        for _ in range(12):
            await advance(clock, TICK_S)
        calls.answers.clear()
        for _ in range(12):
            await advance(clock, TICK_S)

    told = [record.getMessage() for record in caplog.records]
    assert told == ["duty fails: nobody listens", "duty is done again"]


async def test_a_failing_duty_backs_off_and_the_others_do_not() -> None:
    clock, calls = ManualClock(), Calls()
    calls.answers[Duty.LEASES] = refuse

    async with going(clock, calls, idle_store(clock)):
        for _ in range(40):
            await advance(clock, TICK_S)

    assert calls.passes[Duty.TIMERS] == 41
    assert 5 <= calls.passes[Duty.LEASES] < 25


async def test_a_lost_store_is_tried_again_and_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock, calls = ManualClock(), Calls()
    store = BrokenStore(clock)
    caplog.set_level(logging.INFO, "mainspring_scheduler")

    async with going(clock, calls, store):
        for _ in range(5):
            await advance(clock, 6.0)
        store.away = False
        await advance(clock, 6.0)

    assert store.tries >= 7
    assert calls.passes == UNGATED
    told = [record.getMessage() for record in caplog.records]
    assert told == ["duties cannot be claimed: no database", "duties are claimed again"]


async def test_a_slow_duty_is_not_overtaken_by_its_own_replica() -> None:
    clock, calls = ManualClock(), Calls(gate=asyncio.Event())

    async with going(clock, calls, idle_store(clock)):
        await advance(clock, 10 * TICK_S)
        assert calls.passes[Duty.TIMERS] == 1
        assert calls.gate is not None
        calls.gate.set()
        await settled()
        await advance(clock, TICK_S)
        assert calls.passes[Duty.TIMERS] == 2


async def test_two_replicas_do_the_work_of_one() -> None:
    clock, first, second = ManualClock(), Calls(), Calls()
    store = idle_store(clock)

    async with going(clock, first, store), going(clock, second, store):
        for _ in range(6):
            clock.advance(TICK_S)
            await settled()

    # Each start makes everything due once.
    assert (first.passes + second.passes)[Duty.RETRIES] == 8


async def test_stop_lets_what_is_in_flight_end() -> None:
    clock, calls = ManualClock(), Calls(gate=asyncio.Event())
    loop = Loop(store=idle_store(clock), work=calls, clock=clock, draws=SeededDraws(1), drain_s=5.0)
    task = asyncio.create_task(loop.serve())
    await calls.entered.wait()
    loop.stop()
    await settled()

    assert not task.done()
    assert calls.gate is not None
    calls.gate.set()
    await task


async def test_stop_waits_no_longer_than_its_deadline() -> None:
    clock, calls = ManualClock(), Calls(gate=asyncio.Event())
    loop = Loop(store=idle_store(clock), work=calls, clock=clock, draws=SeededDraws(1), drain_s=5.0)
    task = asyncio.create_task(loop.serve())
    await calls.entered.wait()
    loop.stop()
    await settled()

    clock.advance(5.0)

    await task


async def test_an_unforeseen_error_ends_one_duty_and_not_the_loop(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock, calls = ManualClock(), Calls()

    def burst() -> Report:
        raise ZeroDivisionError

    calls.answers[Duty.TIMERS] = burst

    async with going(clock, calls, idle_store(clock)):
        await advance(clock, TICK_S)

    assert calls.passes[Duty.TIMERS] == 2
    assert any("a duty broke" in record.getMessage() for record in caplog.records)
