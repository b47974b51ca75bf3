"""Calls between the stream's loop and the user's."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar

import pytest

from mainspring.ferry import Ferry, Passage

BATCH = 50
MINE: ContextVar[int] = ContextVar("mine", default=0)


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

    crossing = Ferry[None](there).cross(hang)
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
    first = ferry.cross(lambda: do(1))
    second = ferry.cross(lambda: do(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    gate.set()
    async with asyncio.timeout(10):
        await second

    assert begun == [2]


async def test_what_comes_up_in_one_turn_crosses_and_comes_back_in_one(
    there: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, wakes = asyncio.get_running_loop(), list[str]()

    def counted(loop: asyncio.AbstractEventLoop, name: str) -> None:
        wake = loop.call_soon_threadsafe

        def call(callback: Callable[..., object], *args: object) -> object:
            wakes.append(name)
            return wake(callback, *args)

        monkeypatch.setattr(loop, "call_soon_threadsafe", call)

    async def do(number: int) -> int:
        return number

    ferry = Ferry[int](there)
    counted(there, "there")
    counted(here, "here")
    async with asyncio.timeout(10):
        found = await asyncio.gather(*(ferry.cross(lambda n=n: do(n)) for n in range(BATCH)))

    assert found == list(range(BATCH))
    # Others wake a loop as well: a collected channel of another test does.
    assert wakes.count("there") == 1
    assert wakes.count("here") < BATCH // 2


async def test_one_that_waits_holds_up_none_of_those_behind_it(
    there: asyncio.AbstractEventLoop,
) -> None:
    ferry, order = Ferry[None](there), list[int]()
    last = asyncio.Event()

    async def do(number: int) -> None:
        if number == BATCH - 1:
            last.set()
        elif number % 2:
            await last.wait()
        order.append(number)

    async with asyncio.timeout(10):
        await asyncio.gather(*(ferry.cross(lambda n=n: do(n)) for n in range(BATCH)))

    assert sorted(order) == list(range(BATCH))
    assert order.index(1) > order.index(BATCH - 1)


@pytest.mark.parametrize("waits", [False, True])
async def test_each_has_a_context_of_its_own(
    there: asyncio.AbstractEventLoop, *, waits: bool
) -> None:
    ferry = Ferry[tuple[int, int]](there)

    async def do(number: int) -> tuple[int, int]:
        before = MINE.get()
        MINE.set(number)
        if waits:
            await asyncio.sleep(0)
        return before, MINE.get()

    async with asyncio.timeout(10):
        found = await asyncio.gather(*(ferry.cross(lambda n=n: do(n)) for n in range(1, BATCH)))

    assert found == [(0, n) for n in range(1, BATCH)]


async def test_a_cancel_of_one_that_waits_is_no_other_s(there: asyncio.AbstractEventLoop) -> None:
    ferry, go_on, begun = Ferry[int](there), asyncio.Event(), threading.Event()

    async def do(number: int) -> int:
        if number == BATCH - 1:
            begun.set()
        await go_on.wait()
        return number

    crossing = [ferry.cross(lambda n=n: do(n)) for n in range(BATCH)]
    assert await asyncio.to_thread(begun.wait, 10)
    crossing[1].cancel()
    await asyncio.sleep(0)
    there.call_soon_threadsafe(go_on.set)
    async with asyncio.timeout(10):
        found = await asyncio.gather(*crossing, return_exceptions=True)

    assert [type(one) for one in found].count(asyncio.CancelledError) == 1
    assert [one for one in found if isinstance(one, int)] == [0, *range(2, BATCH)]


async def test_what_is_sent_and_stopped_lands_once_and_as_cancelled(
    there: asyncio.AbstractEventLoop,
) -> None:
    begun, ended, landed = threading.Event(), threading.Event(), asyncio.Event()
    landings = list[BaseException | None]()

    async def hang() -> None:
        begun.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    def land(passage: Passage[None]) -> None:
        landings.append(passage.error)
        landed.set()

    passage = Ferry[None](there).send(hang, land)
    assert await asyncio.to_thread(begun.wait, 10)
    passage.cancel()
    passage.cancel()
    assert landings == [], "never at once"
    async with asyncio.timeout(10):
        await landed.wait()
    assert await asyncio.to_thread(ended.wait, 10)

    (error,) = landings
    assert isinstance(error, asyncio.CancelledError)


async def test_where_the_other_loop_has_ended_nobody_waits() -> None:
    ended = asyncio.new_event_loop()
    ended.close()

    async def never() -> None:
        raise AssertionError

    async with asyncio.timeout(10):
        with pytest.raises(RuntimeError):
            await Ferry[None](ended).cross(never)


async def test_an_error_that_nobody_expects_is_raised_where_it_is_awaited(
    there: asyncio.AbstractEventLoop,
) -> None:
    async def leave() -> None:
        await asyncio.sleep(0)
        raise GeneratorExit

    async with asyncio.timeout(10):
        with pytest.raises(GeneratorExit):
            await Ferry[None](there).cross(leave)
