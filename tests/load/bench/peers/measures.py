"""The loads, the same for every peer; every clock starts before the submit is sent."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from tests.load.bench.histograms import Histogram
from tests.load.bench.peers.driver import Driver
from tests.load.bench.peers.traits import Traits

ENTERED_SECONDS_MAX: Final = 20.0
FINISHED_SECONDS_MAX: Final = 40.0
POLL_S: Final = 0.02


class Doorbells:
    """Which task was entered when."""

    def __init__(self) -> None:
        self._waiting: dict[int, asyncio.Future[float]] = {}
        self._loop = asyncio.get_running_loop()

    def expect(self, number: int) -> "asyncio.Future[float]":
        waiting = self._waiting[number] = self._loop.create_future()
        return waiting

    def entered(self, number: int) -> None:
        """From any thread: some peers handle tasks in threads of their own."""
        now = time.perf_counter()
        self._loop.call_soon_threadsafe(self._ring, number, now)

    def _ring(self, number: int, at_s: float) -> None:
        waiting = self._waiting.pop(number, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(at_s)


async def dispatch(driver: Driver, bells: Doorbells, samples: int, pause_s: float) -> Histogram:
    """One at a time with a rest between; the handler lives in this process, so one clock sees both.

    The first ones warm up and do not count.
    """
    found = Histogram()
    warm = max(3, samples // 10)
    for number in range(samples + warm):
        await asyncio.sleep(pause_s)
        expected = bells.expect(number)
        sent = time.perf_counter()
        await driver.submit([number])
        async with asyncio.timeout(ENTERED_SECONDS_MAX):
            entered = await expected
        if number >= warm:
            found.record((entered - sent) * 1000)
    return found


async def throughput(driver: Driver, traits: Traits, tasks: int) -> float:
    """Tasks per second, from the first submit to the last committed end."""
    before = await driver.finished()
    numbers = iter(range(0, tasks, traits.batch))

    async def caller() -> None:
        for first in numbers:
            if before is None:
                await driver.complete(first)
            else:
                await driver.submit(range(first, min(first + traits.batch, tasks)))

    began = time.monotonic()
    async with asyncio.timeout(FINISHED_SECONDS_MAX):
        async with asyncio.TaskGroup() as group:
            for _ in range(traits.callers):
                group.create_task(caller())
        while (  # noqa: ASYNC110 -- rows of another process give no signal
            before is not None and (await driver.finished() or 0) - before < tasks
        ):
            await asyncio.sleep(POLL_S)
    return tasks / (time.monotonic() - began)


class Loops(Struct, frozen=True, kw_only=True):
    """What a window of closed loops saw."""

    per_s: float
    took: Histogram
    ended: int
    """All, also those of the warm-up and those that ended late."""


async def closed_loops(
    one: Callable[[], Awaitable[None]],
    clients: int,
    warm_s: float,
    window_s: float,
    leaving: asyncio.Event | None = None,
) -> Loops:
    """Each client begins anew as soon as it has its result; what ends in the window counts.

    Nobody begins anew once it is `leaving`.
    """
    left = leaving or asyncio.Event()
    began = time.monotonic() + warm_s
    until = began + window_s
    took: list[float] = []
    ended_count = 0

    async def client() -> None:
        nonlocal ended_count
        while time.monotonic() < until and not left.is_set():
            sent = time.monotonic()
            await one()
            ended = time.monotonic()
            ended_count += 1
            if began <= ended <= until:
                took.append((ended - sent) * 1000)

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())
    return Loops(per_s=len(took) / window_s, took=Histogram.of(took), ended=ended_count)
