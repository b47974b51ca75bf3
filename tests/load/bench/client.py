"""A load process: orders come on standard input, words go to standard output, one line each."""

import asyncio
import sys
import time
from collections.abc import Iterator
from typing import Final, assert_never

import msgspec
import uvloop

from tests.load.bench import dispatch
from tests.load.bench.loads import Clients
from tests.load.bench.orders import (
    Done,
    Failed,
    Grow,
    Open,
    Order,
    Pace,
    Probe,
    Progress,
    Ready,
    Turns,
    Word,
)
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


async def serve() -> None:
    clients: Clients | None = None
    reading = orders()
    # Nothing streams in between that must be read: a thread would only cost.
    while (order := await asyncio.to_thread(next, reading, None)) is not None:
        before = time.process_time()
        match order:
            case Open():
                clients = await Clients.open(order, Teller())
                say(Ready())
            case Probe():
                say(await dispatch.probe(order))
            case Turns() | Pace() | Grow():
                assert clients is not None
                done = await carry_out(clients, order)
                cpu_s = time.process_time() - before
                say(msgspec.structs.replace(done, cpu_s=cpu_s))
            case _:
                assert_never(order)


async def carry_out(clients: Clients, order: Turns | Pace | Grow) -> Done:
    match order:
        case Turns():
            return await clients.turns(order)
        case Pace():
            return await clients.pace(order)
        case Grow():
            return await clients.grow(order)
        case _:
            assert_never(order)


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
