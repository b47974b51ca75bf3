"""Looks at what this engine made due when it is due, and not only at the next sweep.

An alarm is a hint, like a wake-up: the sweeps find what a dead engine's alarms would have found.
"""

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable

from mainspring_engine.domain.changes import Changes
from mainspring_engine.domain.limits import ALARM_GRAIN_MS, ALARMS_MAX
from mainspring_engine.usecases.sweeps import SweepKind, Swept
from mainspring_kernel.clock import Clock, sleep_unless
from mainspring_kernel.passes import one_pass

_log = logging.getLogger(__name__)


class Alarms:
    """One loop per process. Alarms within a grain are one look."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: list[tuple[int, SweepKind]] = []
        self._known: set[tuple[int, SweepKind]] = set()
        self._earlier = asyncio.Event()

    def committed(self, changes: Changes) -> None:
        """Sets alarms for the timers and delays of a commit."""
        for timer in changes.timers:
            self._set(SweepKind.TIMERS, timer.delay_ms)
        for close in changes.closes:
            if close.delay_ms is not None:
                self.delayed(close.delay_ms)

    def delayed(self, delay_ms: int) -> None:
        """Sets the alarm for a task that waits so long for its next attempt."""
        self._set(SweepKind.RETRIES, delay_ms)

    def bounded(self, delay_ms: int) -> None:
        """Sets the alarm for a plain task that is to be taken within so long."""
        self._set(SweepKind.TIMERS, delay_ms)

    def _set(self, kind: SweepKind, delay_ms: int) -> None:
        # Rounded up, past the moment: an alarm before its time finds nothing.
        grain = int((self._clock.mono() * 1000 + delay_ms) / ALARM_GRAIN_MS) + 1
        alarm = (grain, kind)
        if alarm in self._known or len(self._due) >= ALARMS_MAX:
            return
        self._known.add(alarm)
        heapq.heappush(self._due, alarm)
        if self._due[0] == alarm:
            self._earlier.set()

    async def work(self, sweep: Callable[[SweepKind], Awaitable[Swept]]) -> None:
        """Until cancelled."""
        while True:
            self._earlier.clear()
            wait_s = self._wait_s()
            if wait_s is None:
                await self._earlier.wait()
            elif wait_s > 0:
                await sleep_unless(self._clock, wait_s, self._earlier)
            else:
                await self._look(sweep)

    def _wait_s(self) -> float | None:
        if not self._due:
            return None
        return self._due[0][0] * ALARM_GRAIN_MS / 1000 - self._clock.mono()

    async def _look(self, sweep: Callable[[SweepKind], Awaitable[Swept]]) -> None:
        kinds: set[SweepKind] = set()
        # By the very sum that ended the wait: another one may round the other way, and spin.
        while (wait_s := self._wait_s()) is not None and wait_s <= 0:
            alarm = heapq.heappop(self._due)
            self._known.discard(alarm)
            kinds.add(alarm[1])
        for kind in kinds:
            with one_pass(_log, "a look at what is due"):
                while (await sweep(kind)).more:
                    pass
