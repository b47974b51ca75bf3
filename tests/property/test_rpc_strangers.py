"""Whatever a stranger says on a connection, it is answered or left, and nothing is raised."""

import asyncio
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from mainspring_rpc.http2 import wire
from mainspring_rpc.http2.client import ClientConnection
from mainspring_rpc.http2.headers import ANSWER, DONE, HeaderCodec, Headers, request
from mainspring_rpc.http2.server import OpenOnes, Route, ServerCall, ServerConnection
from mainspring_rpc.status import CallFailed

PATHS = ("/a/Unary", "/a/Stream")
blocks: list[Headers] = [
    request(PATHS[0], "here"),
    request(PATHS[1], "here"),
    request("/other", "here"),
    ANSWER,
    DONE,
    (*ANSWER, *DONE),
    ((":status", "nonsense"), ("grpc-status", "-1")),
    (("grpc-status", "²"), ("grpc-message", "%zz%ff"), ("mainspring-error-bin", "=")),
]
frames = st.one_of(
    st.builds(
        wire.frame,
        st.integers(0, 12),
        st.integers(0, 255),
        st.integers(0, 9),
        st.one_of(
            st.binary(max_size=40),
            st.binary(max_size=12).map(lambda body: wire.PREFIX.pack(0, len(body)) + body),
            st.integers(0, wire.STREAM_MASK).map(wire.NUMBER.pack),
            st.binary(min_size=8, max_size=20),
        ),
    ),
    st.tuples(st.integers(0, 9), st.sampled_from(blocks), st.booleans()),
)


class Deaf(asyncio.Transport):
    """Takes everything and passes nothing on."""

    def write(self, data: "bytes | bytearray | memoryview[int]") -> None:
        del data

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass

    def get_extra_info(self, name: str, default: object = None) -> object:
        del name
        return default


async def answer(call: ServerCall) -> None:
    await call.answer(await call.receive() or b"")


async def talk(call: ServerCall) -> None:
    while (message := await call.receive()) is not None:
        await call.reply(message)


def said(parts: list[bytes | tuple[int, Headers, bool]]) -> list[bytes]:
    codec = HeaderCodec()
    told: list[bytes] = []
    for part in parts:
        if isinstance(part, bytes):
            told.append(part)
        else:
            stream, headers, last = part
            flags = wire.END_HEADERS | (wire.END_STREAM if last else 0)
            told.append(wire.frame(wire.HEADERS, flags, stream, codec.encode(headers)))
    return told


@given(st.lists(frames, max_size=12))
def test_a_server_bears_any_client(parts: list[bytes | tuple[int, Headers, bool]]) -> None:
    async def listen() -> None:
        routes = {PATHS[0]: Route(answer, streams=False), PATHS[1]: Route(talk, streams=True)}
        open_ones = OpenOnes()
        server = ServerConnection(routes, open_ones)
        server.connection_made(Deaf())
        for data in [wire.PREFACE, *said(parts)]:
            server.data_received(data)
            await asyncio.sleep(0)
        server.close()
        ends = await asyncio.gather(*open_ones.handlers, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ends if end is not None)

    asyncio.run(listen())


@given(st.lists(frames, max_size=12))
def test_a_client_bears_any_server(parts: list[bytes | tuple[int, Headers, bool]]) -> None:
    async def listen() -> None:
        client = ClientConnection()
        client.connection_made(Deaf())
        headers = request(PATHS[0], "here")
        calls = [asyncio.create_task(client.unary(headers, b"x", 10.0)) for _ in range(3)]
        await asyncio.sleep(0)
        for data in said(parts):
            client.data_received(data)
            await asyncio.sleep(0)
        client.close()
        for end in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(end, bytes | CallFailed), cast("object", end)

    asyncio.run(listen())
