"""What each process of the stack holds, second by second, for as long as the bench goes."""

import asyncio
import time
from types import TracebackType
from typing import Final, Self

from tests.load.bench import processes
from tests.load.bench.ground import Ground
from tests.load.bench.report import Series

PERIOD_S: Final = 1.0
SAMPLES_MAX: Final = 7200
"""Two hours of seconds; a longer bench is thinned by doubling the period."""
# Reading what tens of servers share takes milliseconds; its memory stands in the cost tables.
LEFT_OUT: Final = frozenset({"postgres"})


class Sampler:
    """Use as an async context manager."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._began_s = time.monotonic()
        self._period_s = PERIOD_S
        self._task: asyncio.Task[None] | None = None
        self.memory = Series(unit="MiB")

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._sample())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def elapsed_s(self) -> float:
        return time.monotonic() - self._began_s

    async def _sample(self) -> None:
        while True:
            for name, pid in self._ground.pids().items():
                if name not in LEFT_OUT:
                    self._note(name, processes.resident_mib(pid))
            await asyncio.sleep(self._period_s)

    def _note(self, name: str, mib: float) -> None:
        if not mib:
            return  # it ended meanwhile
        line = self.memory.lines.setdefault(name, [])
        line.append((round(self.elapsed_s(), 1), round(mib, 1)))
        if len(line) > SAMPLES_MAX:
            del line[::2]
            self._period_s *= 2


def growth(line: list[tuple[float, float]], from_s: float, until_s: float) -> float | None:
    """By which part a line rose between two moments: the mean of each end's tenth, compared."""
    inside = [value for at, value in line if from_s <= at <= until_s]
    tenth = max(1, len(inside) // 10)
    if len(inside) < 2 or not inside[0]:
        return None
    early, late = inside[:tenth], inside[-tenth:]
    return (sum(late) / len(late)) / (sum(early) / len(early)) - 1
