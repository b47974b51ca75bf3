"""Time as a port: wall time for records, monotonic time for durations, and sleeping."""

import asyncio
import heapq
import itertools
import time
from typing import Protocol


class Clock(Protocol):
    """What the time is. No other code asks the operating system."""

    def wall_ms(self) -> int:
        """Milliseconds since the epoch. May step back; for records only."""
        ...

    def mono(self) -> float:
        """Seconds from an arbitrary start. Never steps back; for durations and local deadlines."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Returns `seconds` later; where that is not positive, after one turn of the loop."""
        ...


async def sleep_unless(clock: Clock, seconds: float, told: asyncio.Event) -> None:
    """Returns `seconds` later, or as soon as it is told."""
    waits = [asyncio.ensure_future(clock.sleep(seconds)), asyncio.ensure_future(told.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


class SystemClock:
    """The clock of this machine."""

    def wall_ms(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    def mono(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleeps on the running event loop."""
        await asyncio.sleep(max(0.0, seconds))


class ManualClock:
    """A clock that stands still until it is told to move: tests and the simulator."""

    def __init__(self, *, wall_ms: int = 1_700_000_000_000, mono: float = 1000.0) -> None:
        self._wall_ms = wall_ms
        self._start_mono = mono
        self._elapsed_us = 0
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._watchers: list[tuple[int, asyncio.Future[None]]] = []

    def wall_ms(self) -> int:
        """The wall time that the test set."""
        return self._wall_ms + self._elapsed_us // 1000

    def mono(self) -> float:
        """The start plus all that was advanced."""
        return self._start_mono + self._elapsed_us / 1_000_000

    def step_wall(self, milliseconds: int) -> None:
        """Moves the wall clock alone, also back, as a machine's clock may be set."""
        self._wall_ms += milliseconds

    def advance(self, seconds: float) -> None:
        """Moves both clocks; sleepers that are due wake in the order of their due times."""
        self._elapsed_us += round(seconds * 1_000_000)
        while self._sleepers and self._sleepers[0][0] <= self._elapsed_us:
            _, _, sleeper = heapq.heappop(self._sleepers)
            if not sleeper.done():
                sleeper.set_result(None)

    async def sleep(self, seconds: float) -> None:
        """Returns once the clock was advanced that far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        due_us = self._elapsed_us + round(seconds * 1_000_000)
        heapq.heappush(self._sleepers, (due_us, next(self._order), sleeper))
        self._tell_watchers()
        await sleeper

    @property
    def sleepers(self) -> int:
        """How many tasks sleep on this clock now."""
        return sum(not sleeper.done() for _, _, sleeper in self._sleepers)

    async def until_sleeping(self, count: int = 1) -> None:
        """Returns once `count` tasks sleep here: the test's signal that it may advance."""
        if self.sleepers >= count:
            return
        watcher: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watchers.append((count, watcher))
        await watcher

    def _tell_watchers(self) -> None:
        sleeping = self.sleepers
        for count, watcher in self._watchers:
            if sleeping >= count and not watcher.done():
                watcher.set_result(None)
        self._watchers = [entry for entry in self._watchers if not entry[1].done()]
