"""Requests that come together ride together, and nobody's error is another's."""

import asyncio
from collections.abc import Sequence

import pytest

from mainspring_api.adapters.flights import Flights
from mainspring_kernel.errors import MainspringError, NotFound, TooManyRequests, Unavailable


class Calls:
    """Calls that were sent. Each is answered when the test says so."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, ...]] = []
        self.landings: list[asyncio.Future[None]] = []
        self.changed = asyncio.Event()

    async def send(self, items: Sequence[int]) -> Sequence[str | MainspringError]:
        landing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sent.append(tuple(items))
        self.landings.append(landing)
        self.changed.set()
        await landing
        return [str(item) if item >= 0 else NotFound(str(item)) for item in items]

    async def until(self, count: int) -> None:
        """Returns once so many calls were sent."""
        while len(self.sent) < count:
            self.changed.clear()
            await self.changed.wait()

    def land(self, number: int) -> None:
        self.landings[number].set_result(None)


def flights(calls: Calls, **bounds: int) -> Flights[int, str]:
    return Flights(calls.send, **({"items_max": 100, "waiting_max": 100} | bounds))


async def test_what_one_pass_of_the_loop_brings_rides_one_call() -> None:
    calls = Calls()
    lane = flights(calls)
    asked = [asyncio.create_task(lane.ask(number)) for number in range(3)]
    await calls.until(1)
    assert calls.sent == [(0, 1, 2)]
    calls.land(0)
    assert await asyncio.gather(*asked) == ["0", "1", "2"]


async def test_what_comes_while_a_call_is_in_the_air_rides_the_next() -> None:
    calls = Calls()
    lane = flights(calls)
    first = asyncio.create_task(lane.ask(0))
    await calls.until(1)
    late = [asyncio.create_task(lane.ask(number)) for number in (1, 2)]
    calls.land(0)
    await first
    await calls.until(2)
    assert calls.sent == [(0,), (1, 2)]
    calls.land(1)
    assert await asyncio.gather(*late) == ["1", "2"]


async def test_as_many_calls_are_in_the_air_as_allowed_and_each_holds_no_more_than_its_bound() -> (
    None
):
    calls = Calls()
    lane = flights(calls, items_max=2, in_air_max=2)
    asked = [asyncio.create_task(lane.ask(number)) for number in range(5)]
    await calls.until(2)
    assert calls.sent == [(0, 1), (2, 3)]
    calls.land(1)
    await calls.until(3)
    assert calls.sent[2] == (4,)
    calls.land(0)
    calls.land(2)
    assert await asyncio.gather(*asked) == ["0", "1", "2", "3", "4"]


async def test_an_error_of_one_item_is_raised_for_it_alone() -> None:
    calls = Calls()
    lane = flights(calls)
    asked = [asyncio.create_task(lane.ask(number)) for number in (1, -1)]
    await calls.until(1)
    calls.land(0)
    assert await asked[0] == "1"
    with pytest.raises(NotFound):
        await asked[1]


async def test_a_call_that_fails_fails_all_who_ride_and_the_next_one_goes() -> None:
    calls = Calls()
    lane = flights(calls)
    asked = [asyncio.create_task(lane.ask(number)) for number in range(2)]
    await calls.until(1)
    calls.landings[0].set_exception(Unavailable("the engine is away"))
    assert [type(error) for error in await asyncio.gather(*asked, return_exceptions=True)] == [
        Unavailable,
        Unavailable,
    ]
    again = asyncio.create_task(lane.ask(7))
    await calls.until(2)
    calls.land(1)
    assert await again == "7"


async def test_who_leaves_before_take_off_changes_nothing_for_the_others() -> None:
    calls = Calls()
    lane = flights(calls)
    asked = [asyncio.create_task(lane.ask(number)) for number in range(2)]
    await calls.until(1)
    asked[0].cancel()
    calls.land(0)
    assert await asked[1] == "1"


async def test_above_the_bound_of_those_who_wait_another_one_is_refused_at_once() -> None:
    calls = Calls()
    lane = flights(calls, waiting_max=2)
    asked = [asyncio.create_task(lane.ask(number)) for number in range(3)]
    await calls.until(1)
    with pytest.raises(TooManyRequests):
        await asked[2]
    calls.land(0)
    assert await asyncio.gather(*asked[:2]) == ["0", "1"]
