"""Load processes from the bench's side: started by it, ordered by it, gone with it."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from mainspring_local.program import tie_to_parent
from tests.load.bench.orders import (
    Done,
    Failed,
    Open,
    Order,
    Progress,
    Ready,
    Staff,
    Tallied,
    Tally,
    Word,
)

LINE_BYTES_MAX: Final = 64 * 1024 * 1024
_WORD: Final[msgspec.json.Decoder[Word]] = msgspec.json.Decoder(Word)
Tell = Callable[[int], None]
Answer = Ready | Done | Tallied


class BenchFailed(Exception):
    """A figure would not mean what it says."""


class Crew:
    """Some load processes that do the same. Use as an async context manager."""

    def __init__(self, root: Path, size: int) -> None:
        self._root = root
        self._size = size
        self._processes: list[Process] = []

    async def __aenter__(self) -> Self:
        for _ in range(self._size):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.load.bench.client",
                stdin=PIPE, stdout=PIPE, cwd=self._root, limit=LINE_BYTES_MAX,
                start_new_session=True,
                preexec_fn=tie_to_parent(os.getpid(), signal.SIGKILL),
            )  # fmt: skip
            self._processes.append(process)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._processes:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def open(self, order: Open) -> None:
        """Each process opens its part of the sessions."""
        share = -(-order.sessions // self._size)
        await self._all([msgspec.structs.replace(order, sessions=share)] * self._size, ignore)

    async def staff(self, orders: Sequence[Staff]) -> None:
        """Each process becomes simulated workers."""
        await self._all(orders, ignore)

    async def do(self, orders: Sequence[Order], tell: Tell) -> list[Done]:
        """One order each. `tell` hears the sum of all. Raises BenchFailed."""
        return [word for word in await self._all(orders, tell) if isinstance(word, Done)]

    async def tally(self, order: Tally) -> list[Tallied]:
        """What the simulated workers of each process saw."""
        words = await self._all([order] * self._size, ignore)
        return [word for word in words if isinstance(word, Tallied)]

    async def _all(self, orders: Sequence[Order], tell: Tell) -> list[Answer]:
        done = [0] * self._size

        async def one(index: int) -> Answer:
            process, order = self._processes[index], orders[index]
            assert process.stdin is not None
            process.stdin.write(msgspec.json.encode(order) + b"\n")
            await process.stdin.drain()
            while True:
                match await heard(process):
                    case Progress(done=count):
                        done[index] = count
                        tell(sum(done))
                    case Failed(why=why):
                        msg = f"a client failed: {why}"
                        raise BenchFailed(msg)
                    case Ready() | Done() | Tallied() as word:
                        return word

        return await asyncio.gather(*(one(index) for index in range(self._size)))


async def heard(process: Process) -> Word:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        msg = f"a load process ended with status {await process.wait()}"
        raise BenchFailed(msg)
    return _WORD.decode(line)


def ignore(_: int) -> None:
    return
