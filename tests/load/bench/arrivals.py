"""When each thing is to be asked for, decided before the first one is: an open loop.

A latency counts from the moment that the schedule named, not from the one at which a late client
came to it. So a stall costs every request that should have gone out meanwhile, and nothing that was
slow hides what it delayed (coordinated omission).
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final

from tests.load.bench.histograms import Histogram

TIMER_S: Final = 0.0015
"""Event loops wake on whole milliseconds; a client that is later than this was held up."""
Draw = Callable[[], float]
"""A number from 0 up to, but not including, 1."""


def constant(per_s: float, seconds: float) -> list[float]:
    """Seconds after the start, evenly apart."""
    return [number / per_s for number in range(math.floor(per_s * seconds))]


def poisson(per_s: float, seconds: float, draw: Draw) -> list[float]:
    """The same rate by chance, as many clients that know nothing of each other make it."""

    def times() -> Iterator[float]:
        at = -math.log(1 - draw()) / per_s
        while at < seconds:
            yield at
            at += -math.log(1 - draw()) / per_s

    return list(times())


async def due(schedule: list[float], began_s: float, lag: Histogram) -> AsyncIterator[float]:
    """Yields, as each time comes, the moment from which that request counts.

    `lag` notes in milliseconds how late this process came to it: a load that cannot keep its own
    schedule measures itself.
    """
    for offset in schedule:
        at = began_s + offset
        wait = at - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        now = time.monotonic()
        lag.record((now - at) * 1000)
        yield counted_from(at, now)


def counted_from(due_s: float, now_s: float) -> float:
    """The schedule's own time, but for what a timer of whole milliseconds may be late."""
    return now_s if now_s - due_s <= TIMER_S else due_s
