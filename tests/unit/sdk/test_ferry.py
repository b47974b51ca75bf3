"""Calls between the stream's loop and the user's."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from mainspring.ferry import Ferry


@pytest.fixture
def there() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def test_many_cross_side_by_side_and_come_back(there: asyncio.AbstractEventLoop) -> None:
    ferry = Ferry[tuple[int, bool]](there)

    async def do(number: int) -> tuple[int, bool]:
        await asyncio.sleep(0)
        return number, asyncio.get_running_loop() is there

    async with asyncio.timeout(10):
        found = await asyncio.gather(*(ferry.cross(lambda n=n: do(n)) for n in range(200)))

    assert found == [(n, True) for n in range(200)]


async def test_an_error_is_raised_where_it_is_awaited(there: asyncio.AbstractEventLoop) -> None:
    async def fail() -> None:
        message = "over there"
        raise LookupError(message)

    async with asyncio.timeout(10):
        with pytest.raises(LookupError, match="over there"):
            await Ferry[None](there).cross(fail)


async def test_a_cancel_reaches_the_other_side(there: asyncio.AbstractEventLoop) -> None:
    begun, ended = threading.Event(), threading.Event()

    async def hang() -> None:
        begun.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    crossing = asyncio.create_task(Ferry[None](there).cross(hang))
    assert await asyncio.to_thread(begun.wait, 10)
    crossing.cancel()

    with pytest.raises(asyncio.CancelledError):
        await crossing
    assert await asyncio.to_thread(ended.wait, 10)


async def test_what_is_cancelled_before_it_left_is_never_begun(
    there: asyncio.AbstractEventLoop,
) -> None:
    ferry, gate, begun = Ferry[None](there), threading.Event(), list[int]()

    async def do(number: int) -> None:
        begun.append(number)

    # The other loop stands still until the cancel is made.
    there.call_soon_threadsafe(lambda: gate.wait(10))
    first = asyncio.create_task(ferry.cross(lambda: do(1)))
    second = asyncio.create_task(ferry.cross(lambda: do(2)))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait({first})
    gate.set()
    async with asyncio.timeout(10):
        await second

    assert begun == [2]
