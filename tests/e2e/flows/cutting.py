"""A way to the stack that breaks: a TCP proxy which resets connections in mid stream."""

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import cast
from urllib.parse import urlsplit

from mainspring_local.sockets import port_of

CHUNK_BYTES = 512
RESET = struct.pack(
    "ii", 1, 0
)  # SO_LINGER of zero: closing sends RST, and what is buffered is lost


class Cutter:
    """Each connection may bring so many bytes of answers; then it is reset. None: it is not."""

    def __init__(self, target: str, budgets: Iterator[int | None]) -> None:
        self._target = urlsplit(target)
        self._budgets = budgets
        self._carriers: set[asyncio.Task[None]] = set()
        self.cuts = 0

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        carrier = asyncio.create_task(self._carry(reader, writer))
        self._carriers.add(carrier)
        carrier.add_done_callback(self._carriers.discard)

    async def close(self) -> None:
        carriers = tuple(self._carriers)
        for carrier in carriers:
            carrier.cancel()
        await asyncio.gather(*carriers, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self._target.hostname, self._target.port
        inner_reader, inner_writer = await asyncio.open_connection(host, port)
        outward = asyncio.create_task(_pump(reader, inner_writer))
        try:
            if not await _pump(inner_reader, writer, next(self._budgets)):
                self.cuts += 1
                _reset(writer)
                _reset(inner_writer)
        finally:
            outward.cancel()
            await asyncio.gather(outward, return_exceptions=True)
            for one in (writer, inner_writer):
                one.close()
                with suppress(ConnectionError):
                    await one.wait_closed()


@asynccontextmanager
async def cutting(target: str, budgets: Iterator[int | None]) -> AsyncGenerator[tuple[Cutter, str]]:
    """The cutter, and `target` as it is reached through it."""
    cutter = Cutter(target, budgets)
    server = await asyncio.start_server(cutter.accept, "127.0.0.1", 0)
    port = port_of(server.sockets[0])
    try:
        yield cutter, f"http://127.0.0.1:{port}{urlsplit(target).path}"
    finally:
        server.close()
        await cutter.close()
        await server.wait_closed()


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, budget: int | None = None
) -> bool:
    """False where the budget ended it."""
    left = budget
    try:
        while data := await reader.read(CHUNK_BYTES):
            kept = data if left is None else data[:left]
            writer.write(kept)
            await writer.drain()
            if left is not None and (left := left - len(data)) <= 0:
                return False
    except ConnectionError:
        return True
    return True


def _reset(writer: asyncio.StreamWriter) -> None:
    inner = cast("socket.socket", writer.get_extra_info("socket"))
    inner.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
