"""Batches outside the lanes: what one item breaks, the others of its flight do not pay for."""

import asyncio
from uuid import UUID

import pytest

from mainspring_engine.domain.limits import SWEEP_BATCH_ROWS_MAX
from mainspring_engine.usecases.batching import Batcher
from mainspring_kernel.errors import Unavailable


class Flights:
    """Fails wherever one of `broken` is aboard."""

    def __init__(self, *broken: int, error: Exception) -> None:
        self._broken = set(broken)
        self._error = error
        self.landed: list[int] = []
        self.last = asyncio.Event()

    async def fly(self, items: tuple[int, ...]) -> None:
        if self._broken & set(items):
            raise self._error
        self.landed += items
        if -1 in items:
            self.last.set()


async def flown(flights: Flights, items: range) -> list[int]:
    """What landed of items that flew together; one that flies behind them ends the wait."""
    batcher = Batcher(flights.fly)
    for item in items:
        batcher.put(item)
    work = asyncio.create_task(batcher.work())
    await asyncio.sleep(0)
    batcher.put(-1)
    async with asyncio.timeout(10):
        await flights.last.wait()
    work.cancel()
    await asyncio.wait({work})
    return flights.landed


@pytest.mark.parametrize("broken", [(0,), (6,), (3, 4), (0, 1, 2, 3, 4, 5, 6)], ids=str)
async def test_who_is_at_fault_falls_alone(
    broken: tuple[int, ...], caplog: pytest.LogCaptureFixture
) -> None:
    flights = Flights(*broken, error=ValueError("no column keeps it"))

    landed = await flown(flights, range(7))

    assert landed == [*(item for item in range(7) if item not in broken), -1]
    assert [record.message for record in caplog.records] == [
        f"it could not fly: {item}" for item in broken
    ]


async def test_while_the_store_is_away_a_flight_is_dropped_whole() -> None:
    flights = Flights(3, error=Unavailable("away"))

    assert await flown(flights, range(7)) == [-1]


async def test_who_asks_for_much_delays_nobody_but_himself() -> None:
    flights = Flights(error=ValueError())
    batcher, (greedy, modest) = Batcher(flights.fly), (UUID(int=1), UUID(int=2))
    for item in range(3 * SWEEP_BATCH_ROWS_MAX):
        batcher.put(item, by=greedy)
    for item in (-3, -2, -1):
        batcher.put(item, by=modest)

    work = asyncio.create_task(batcher.work())
    async with asyncio.timeout(10):
        await flights.last.wait()
    work.cancel()
    await asyncio.wait({work})

    assert flights.landed[:7] == [0, -3, 1, -2, 2, -1, 3]
