"""A load process: orders come on standard input, words go to standard output, one line each."""

import asyncio
import sys
import time
from collections.abc import Iterator
from typing import Final, assert_never

import msgspec
import uvloop

from tests.load.bench import dispatch, machine_limits
from tests.load.bench.loads import Clients
from tests.load.bench.orders import (
    Arrive,
    Done,
    Failed,
    Grow,
    Introduce,
    Limits,
    Open,
    Order,
    Pace,
    Probe,
    Progress,
    Ready,
    Staff,
    Tallied,
    Tally,
    Turns,
    Word,
)
from tests.load.bench.staff import Office
from tests.load.bench.wire import WireProblem

TELL_SECONDS: Final = 0.25
_ORDER: Final[msgspec.json.Decoder[Order]] = msgspec.json.Decoder(Order)


def say(word: Word) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(word) + b"\n")
    sys.stdout.buffer.flush()


class Teller:
    """Says how far it is, at a bounded pace."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if now >= self._next_s:
            self._next_s = now + TELL_SECONDS
            say(Progress(done=done))


def orders() -> Iterator[Order]:
    """Until the bench closes its end."""
    for line in sys.stdin.buffer:
        yield _ORDER.decode(line)


class Roles:
    """What this process has become by its orders."""

    def __init__(self) -> None:
        self._clients: Clients | None = None
        self._office: Office | None = None

    async def carry_out(self, order: Order) -> Word:
        match order:
            case Open():
                self._clients = await Clients.open(order, Teller())
                return Ready()
            case Staff():
                self._office = Office()
                await self._office.open(order)
                return Ready()
            case Tally():
                assert self._office is not None
                return self._office.tally(order)
            case Probe():
                return await dispatch.probe(order)
            case Limits():
                return await machine_limits.probe(order)
            case Turns() | Pace() | Grow() | Introduce() | Arrive():
                assert self._clients is not None
                return await load(self._clients, order)
            case _:
                assert_never(order)

    async def close(self) -> None:
        if self._office is not None:
            await self._office.close()


async def load(clients: Clients, order: Turns | Pace | Grow | Introduce | Arrive) -> Done:
    match order:
        case Turns():
            return await clients.turns(order)
        case Pace():
            return await clients.pace(order)
        case Grow():
            return await clients.grow(order)
        case Introduce():
            return await clients.introduce(order)
        case Arrive():
            return await clients.arrive(order)
        case _:
            assert_never(order)


async def serve() -> None:
    roles = Roles()
    reading = orders()
    cpu_s = time.process_time()
    # Nothing streams in between that must be read: a thread would only cost.
    while (order := await asyncio.to_thread(next, reading, None)) is not None:
        word = await roles.carry_out(order)
        now_s = time.process_time()
        if isinstance(word, Done | Tallied):
            # Simulated workers work between orders as well.
            word = msgspec.structs.replace(word, cpu_s=now_s - cpu_s)
        cpu_s = now_s
        say(word)
    await roles.close()


def first_of(group: BaseExceptionGroup[Exception]) -> Exception:
    first = group.exceptions[0]
    return first_of(first) if isinstance(first, BaseExceptionGroup) else first


def main() -> int:
    status = 0
    try:
        uvloop.run(serve())
    except* (WireProblem, TimeoutError, OSError) as error:
        say(Failed(why=repr(first_of(error))))
        status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
