"""A call of one message each way is one write at either end: a write costs more than it carries."""

import asyncio

from mainspring_kernel import limits
from mainspring_rpc.http2 import bounds
from mainspring_rpc.http2.client import ClientConnection
from mainspring_rpc.http2.connection import Connection
from mainspring_rpc.http2.headers import request
from mainspring_rpc.http2.server import OpenOnes, Route, ServerCall, ServerConnection

PATH = "/test.Echo/Unary"


class Wire(asyncio.Transport):
    """Brings each write to the other end in a pass of its own, and counts."""

    def __init__(self) -> None:
        super().__init__()
        self.end: Connection[ServerCall] | ClientConnection | None = None
        self.writes = 0

    def write(self, data: "bytes | bytearray | memoryview[int]") -> None:
        self.writes += 1
        assert self.end is not None
        asyncio.get_running_loop().call_soon(self.end.data_received, bytes(data))

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass


async def echo(call: ServerCall) -> None:
    await call.answer(await call.receive() or b"")


async def joined() -> tuple[ClientConnection, Wire, Wire]:
    """A client that was greeted, and the ways there and back, counted from here."""
    client = ClientConnection()
    server = ServerConnection({PATH: Route(echo, streams=False)}, OpenOnes())
    there, back = Wire(), Wire()
    there.end, back.end = server, client
    server.connection_made(back)
    client.connection_made(there)
    await client.greeted.wait()
    await client.unary(request(PATH, "here"), b"first", 10)
    there.writes = back.writes = 0
    return client, there, back


async def test_a_call_is_one_write_at_either_end() -> None:
    client, there, back = await joined()

    assert await client.unary(request(PATH, "here"), b"x" * 10_000, 10) == b"x" * 10_000

    assert (there.writes, back.writes) == (1, 1)


async def test_a_message_over_the_window_comes_in_parts_with_its_trailers_behind() -> None:
    client, there, back = await joined()
    message = bytes(range(256)) * (2 * bounds.WINDOW_BYTES // 256)
    assert len(message) < limits.RPC_MESSAGE_BYTES_MAX

    assert await client.unary(request(PATH, "here"), message, 10) == message
    assert there.writes > 1 < back.writes

    assert await client.unary(request(PATH, "here"), b"after", 10) == b"after"


async def test_calls_at_once_keep_their_headers_in_order() -> None:
    client, there, back = await joined()
    names = [f"caller-{number % 3}" for number in range(50)]
    asked = [client.unary(request(PATH, name), name.encode(), 10) for name in names]

    assert await asyncio.gather(*asked) == [name.encode() for name in names]
    assert (there.writes, back.writes) == (len(names), len(names))
