"""Restate: a server of its own with a log on disk; handlers behind HTTP/2, callers over HTTP."""

import asyncio
from collections.abc import Callable, Sequence

import hypercorn.asyncio
import msgspec
import restate
from hypercorn.config import Config

from tests.load.bench.peers.driver import Driver, Entered, Place
from tests.load.bench.wire import Address, Connection, WireProblem

REGISTER_SECONDS_MAX = 20.0


class Peer:
    def __init__(self, place: Place) -> None:
        self._place = place
        self._entered: Entered = lambda _: None
        host, _, port = place.server.partition(":")
        self._ingress = Address(host=host, port=int(port), prefix="")
        host, _, port = place.admin.partition(":")
        self._admin = Address(host=host, port=int(port), prefix="")
        self._free: list[Connection] = []
        self._service = restate.Service("bench")

        @self._service.handler()
        async def task(_ctx: restate.Context, number: int) -> None:
            self._entered(number)

        @self._service.handler()
        async def three(ctx: restate.Context, number: int) -> int:
            for step in ("one", "two", "three"):
                number = await ctx.run_typed(step, lambda: 1)
            return number

    async def prepare(self) -> None:
        """Nothing: the server makes its own files."""

    async def work(self, entered: Entered, ready: Callable[[], None]) -> None:
        self._entered = entered
        config = Config()
        config.bind = [f"127.0.0.1:{self._place.handler_port}"]
        serving = asyncio.create_task(
            hypercorn.asyncio.serve(restate.app([self._service]), config, mode="asgi")
        )
        await self._register()
        ready()
        await serving

    async def _register(self) -> None:
        body = msgspec.json.encode({"uri": f"http://127.0.0.1:{self._place.handler_port}"})
        async with asyncio.timeout(REGISTER_SECONDS_MAX):
            while True:
                connection = Connection(self._admin)
                try:
                    await connection.call("POST", "/deployments", body)
                except (WireProblem, OSError):
                    await asyncio.sleep(0.2)
                else:
                    return
                finally:
                    connection.close()

    async def open(self) -> None:
        return

    async def close(self) -> None:
        for connection in self._free:
            connection.close()

    async def submit(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            await self._call("/bench/task/send", number)

    async def finished(self) -> int | None:
        return None

    async def complete(self, number: int) -> None:
        await self._call("/bench/task", number)

    async def workflow(self) -> None:
        await self._call("/bench/three", 1)

    async def _call(self, path: str, number: int) -> None:
        connection = self._free.pop() if self._free else Connection(self._ingress)
        await connection.call("POST", path, str(number).encode())
        self._free.append(connection)


def driver(place: Place) -> Driver:
    return Peer(place)
