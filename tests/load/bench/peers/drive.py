"""A process of one peer: it handles, or it brings one load and says what it saw.

`python -m tests.load.bench.peers.drive NAME`; the order is one line of JSON on standard input, the
answer the last line of standard output. Ends when its standard input does.
"""

import asyncio
import importlib
import sys
import time
from collections.abc import Awaitable
from contextlib import suppress
from functools import partial
from typing import Final, Protocol, assert_never, cast

import msgspec
from msgspec import Struct

from tests.load.bench.histograms import Histogram
from tests.load.bench.peers import measures
from tests.load.bench.peers.driver import OWN, Driver, Place
from tests.load.bench.peers.own import Own, Program
from tests.load.bench.peers.traits import OURS, TRAITS

NAP_MARGIN_S: Final = 1.0
"""Between the last start and the first waking."""


class Prepare(Struct, frozen=True, kw_only=True, tag="prepare"):
    place: Place


class Work(Struct, frozen=True, kw_only=True, tag="work"):
    """Handle until the end of the input; says so once it can."""

    place: Place


class Dispatch(Struct, frozen=True, kw_only=True, tag="dispatch"):
    place: Place
    samples: int
    pause_s: float


class Throughput(Struct, frozen=True, kw_only=True, tag="throughput"):
    place: Place
    tasks: int


class Workflows(Struct, frozen=True, kw_only=True, tag="workflows"):
    """`program`: which of our own; of a peer there is one."""

    place: Place
    program: Program = "declared"
    clients: int
    warm_s: float
    window_s: float


class Naps(Struct, frozen=True, kw_only=True, tag="naps"):
    """Of our own workflows: so many sleep, all until some time in the same `spread_s` seconds."""

    place: Place
    count: int
    starting_s: float
    """How long the starts go on; the first may wake after that."""
    spread_s: float


Order = Naps | Prepare | Work | Dispatch | Throughput | Workflows
_ORDER: Final[msgspec.json.Decoder[Order]] = msgspec.json.Decoder(Order)


class Answer(Struct, frozen=True, kw_only=True):
    """`per_s` of tasks or workflows, `took_ms` an encoded histogram; 0 and "" where neither.

    `ended` counts all workflows that were started and seen to end, also outside of the window.
    `cpu_s` is what bringing the load took; a process's own start is not in it.
    """

    per_s: float = 0.0
    took_ms: str = ""
    ended: int = 0
    cpu_s: float = 0.0


class _Module(Protocol):
    def driver(self, place: Place) -> Driver: ...


def driver_of(name: str, place: Place) -> Driver:
    """Ours is typed and imported as anything; a peer's packages are here for this verb alone."""
    if name == OWN:
        return Own(place)
    found: object = importlib.import_module(f"tests.load.bench.peers.drivers.{name}")
    return cast("_Module", cast("object", found)).driver(place)


def say(answer: Answer) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


async def carry_out(name: str, order: Order, leaving: asyncio.Event | None = None) -> None:
    driver = driver_of(name, order.place)
    match order:
        case Prepare():
            await driver.prepare()
            say(Answer())
        case Work():
            await driver.work(lambda _: None, lambda: say(Answer()))
        case Dispatch():
            say(await dispatch(driver, order))
        case Throughput():
            await driver.open()
            traits, idle_s = OURS if name == OWN else TRAITS[name], time.process_time()
            per_s = await measures.throughput(driver, traits, order.tasks)
            say(Answer(per_s=per_s, ended=order.tasks, cpu_s=time.process_time() - idle_s))
            await driver.close()
        case Workflows():
            await driver.open()
            one = driver.workflow
            if isinstance(driver, Own):
                one = partial(driver.workflow, order.program)
            idle_s = time.process_time()
            found = await measures.closed_loops(
                one, order.clients, order.warm_s, order.window_s, leaving
            )
            took_ms, cpu_s = found.took.encode(), time.process_time() - idle_s
            say(Answer(per_s=found.per_s, took_ms=took_ms, ended=found.ended, cpu_s=cpu_s))
            await driver.close()
        case Naps():
            say(await naps(Own(order.place), order))
        case _:
            assert_never(order)


async def dispatch(driver: Driver, order: Dispatch) -> Answer:
    """This process is both ends, as in our own bench."""
    bells = measures.Doorbells()
    ready = asyncio.Event()
    working = asyncio.ensure_future(driver.work(bells.entered, ready.set))
    await first_of(ready.wait(), working)
    await driver.open()
    found = await measures.dispatch(driver, bells, order.samples, order.pause_s)
    working.cancel()
    return Answer(took_ms=found.encode())


async def naps(own: "Own", order: Naps) -> Answer:
    """Started at an even pace, due at an even pace, but faster."""
    began = time.monotonic()
    wakes = began + order.starting_s + NAP_MARGIN_S

    async def one(number: int) -> float:
        await asyncio.sleep(number * order.starting_s / order.count)
        due = wakes + number * order.spread_s / order.count
        return await own.nap(due - time.monotonic())

    late_ms = await asyncio.gather(*(one(number) for number in range(order.count)))
    await own.close()
    return Answer(took_ms=Histogram.of(late_ms).encode(), ended=len(late_ms))


async def first_of(wanted: Awaitable[object], working: "asyncio.Future[None]") -> None:
    """Raises what ended the work, if it ended first."""
    waiting = asyncio.ensure_future(wanted)
    await asyncio.wait({waiting, working}, return_when=asyncio.FIRST_COMPLETED)
    if working.done():
        working.result()


async def until_input_ends(work: Awaitable[None], leaving: asyncio.Event | None = None) -> None:
    """With `leaving` the work is told and ends by itself; otherwise it is cancelled."""
    working = asyncio.ensure_future(work)
    ended = asyncio.ensure_future(_input_ends())
    await asyncio.wait({working, ended}, return_when=asyncio.FIRST_COMPLETED)
    if working.done():
        working.result()
    elif leaving is not None:
        leaving.set()
        await working
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working


async def _input_ends() -> None:
    """No thread waits for it: one that reads would keep a process alive whose work has failed."""
    reader, loop = asyncio.StreamReader(), asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


def main(name: str) -> None:
    order = _ORDER.decode(sys.stdin.buffer.readline())
    leaving = asyncio.Event() if isinstance(order, Workflows) else None
    asyncio.run(until_input_ends(carry_out(name, order, leaving), leaving))


if __name__ == "__main__":
    main(sys.argv[1])
