"""A process of one peer: it handles, or it brings one load and says what it saw.

`python -m tests.load.bench.peers.drive NAME`; the order is one line of JSON on standard input, the
answer the last line of standard output. Ends when its standard input does.
"""

import asyncio
import importlib
import sys
from collections.abc import Awaitable
from contextlib import suppress
from typing import Final, Protocol, assert_never, cast

import msgspec
from msgspec import Struct

from tests.load.bench.peers import measures
from tests.load.bench.peers.driver import Driver, Place
from tests.load.bench.peers.traits import TRAITS, Traits


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
    place: Place
    clients: int
    warm_s: float
    window_s: float


Order = Prepare | Work | Dispatch | Throughput | Workflows
_ORDER: Final[msgspec.json.Decoder[Order]] = msgspec.json.Decoder(Order)


class Answer(Struct, frozen=True, kw_only=True):
    """`per_s` of tasks or workflows, `took_ms` an encoded histogram; 0 and "" where neither."""

    per_s: float = 0.0
    took_ms: str = ""


class _Module(Protocol):
    def driver(self, place: Place) -> Driver: ...


def module(name: str) -> _Module:
    return cast(
        "_Module", cast("object", importlib.import_module(f"tests.load.bench.peers.drivers.{name}"))
    )


def say(answer: Answer) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


async def carry_out(peer: _Module, traits: Traits, order: Order) -> None:
    driver = peer.driver(order.place)
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
            say(Answer(per_s=await measures.throughput(driver, traits, order.tasks)))
            await driver.close()
        case Workflows():
            await driver.open()
            found = await measures.closed_loops(
                driver.workflow, order.clients, order.warm_s, order.window_s
            )
            say(Answer(per_s=found.per_s, took_ms=found.took.encode()))
            await driver.close()
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


async def first_of(wanted: Awaitable[object], working: "asyncio.Future[None]") -> None:
    """Raises what ended the work, if it ended first."""
    waiting = asyncio.ensure_future(wanted)
    await asyncio.wait({waiting, working}, return_when=asyncio.FIRST_COMPLETED)
    if working.done():
        working.result()


async def until_input_ends(work: Awaitable[None]) -> None:
    working = asyncio.ensure_future(work)
    ended = asyncio.ensure_future(asyncio.to_thread(sys.stdin.buffer.read))
    await asyncio.wait({working, ended}, return_when=asyncio.FIRST_COMPLETED)
    if working.done():
        working.result()
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working


def main(name: str) -> None:
    order = _ORDER.decode(sys.stdin.buffer.readline())
    asyncio.run(until_input_ends(carry_out(module(name), TRAITS[name], order)))


if __name__ == "__main__":
    main(sys.argv[1])
