"""Processes of one peer from the bench's side: those that handle, and those that bring loads."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from tests.load.bench.crew import BenchFailed
from tests.load.bench.peers import servers
from tests.load.bench.peers.drive import Answer, Order, Work
from tests.load.bench.peers.driver import Place


class Driving:
    """`log` takes what the processes write on standard error."""

    def __init__(self, name: str, place: Place, root: Path, log: Path) -> None:
        self.name = name
        self.place = place
        self._root = root
        self._log = log

    @asynccontextmanager
    async def handlers(self, count: int) -> AsyncGenerator[dict[str, int]]:
        """So many processes handle while the block goes on; their ids by name."""
        pids: dict[str, int] = {}
        async with AsyncExitStack() as stack:
            for number in range(1, count + 1):
                process = await stack.enter_async_context(self._process(Work(place=self.place)))
                await self._answer(process)
                pids[f"handler {number}"] = process.pid
            yield pids

    async def ask(self, order: Order) -> Answer:
        """One order to a process of its own. Raises BenchFailed."""
        async with self._process(order) as process:
            return await self._answer(process)

    async def ask_all(self, orders: Sequence[Order]) -> list[Answer]:
        return await asyncio.gather(*(self.ask(order) for order in orders))

    @asynccontextmanager
    async def _process(self, order: Order) -> AsyncGenerator[asyncio.subprocess.Process]:
        words = msgspec.json.encode(order)
        async with servers.driving(self.name, words, self._root, self._log) as process:
            yield process

    async def _answer(self, process: asyncio.subprocess.Process) -> Answer:
        """Raises BenchFailed with the last words of a process that ended without one."""
        assert process.stdout is not None
        async for line in process.stdout:
            try:
                return msgspec.json.decode(line, type=Answer)
            except msgspec.DecodeError:
                continue  # some peers greet on standard output
        last = self._log.read_text(errors="replace").strip().splitlines()[-1:]
        msg = f"{self.name} ended without an answer: {' '.join(last)}"
        raise BenchFailed(msg)
