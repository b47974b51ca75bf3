"""A peer that says what it likes: frames by hand over a plain socket."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from hpack import Decoder, Encoder

from mainspring_rpc.http2 import wire
from mainspring_rpc.http2.headers import Headers, request
from mainspring_rpc.http2.wire import Frame, FrameReader, Setting
from tests.contract.rpc.ends import UNARY

WAIT_S = 60
"""A flood takes a busy machine some seconds to read."""
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Raw:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._frames = FrameReader()
        self._encoder, self.decoder = Encoder(), Decoder()
        self.heard: list[tuple[int, dict[str, str]]] = []
        """Headers and trailers of all that was read, by call."""
        self._unread: deque[Frame] = deque()

    def say(self, data: bytes) -> None:
        self._writer.write(data)

    def headers(self, stream: int, said: Headers, *, last: bool = False) -> None:
        flags = wire.END_HEADERS | (wire.END_STREAM if last else 0)
        self.say(wire.frame(wire.HEADERS, flags, stream, self._encoder.encode(said)))

    def ask(self, stream: int, message: bytes = b"hello") -> None:
        """A whole call of the echo."""
        self.headers(stream, request(UNARY, "here"))
        self.say(wire.message_frame(stream, message, last=True))

    async def frame(self, *kinds: int) -> Frame | None:
        """The next frame of one of these kinds; None once the peer has closed."""
        async with asyncio.timeout(WAIT_S):
            while True:
                while self._unread:
                    found = self._unread.popleft()
                    if found.kind in kinds:
                        return found
                data = b""
                with suppress(ConnectionError):
                    data = await self._reader.read(1 << 16)
                if not data:
                    return None
                for found in self._frames.feed(data):
                    self._unread.append(found)
                    if found.kind == wire.HEADERS:
                        said = self.decoder.decode(found.payload)
                        self.heard.append((found.stream, {str(k): str(v) for k, v in said}))

    async def farewell(self) -> int | None:
        """The code with which the peer ended the connection; None where it said none."""
        found = await self.frame(wire.GOAWAY)
        code = None if found is None else wire.GONE.unpack_from(found.payload)[1]
        assert await self.frame() is None, "the connection is still open"
        return code

    async def taken(self) -> None:
        """Returns once the peer has read nearly all that was said, or has closed."""
        async with asyncio.timeout(WAIT_S):
            with suppress(ConnectionError):
                await self._writer.drain()

    async def answered(self, stream: int) -> bytes:
        """The message of the answer to a call."""
        while (found := await self.frame(wire.DATA)) is not None:
            if found.stream == stream:
                return found.payload[wire.PREFIX_BYTES :]
        message = "no answer came"
        raise AssertionError(message)


@asynccontextmanager
async def raw_client(address: str, *, greets: bool = True) -> AsyncGenerator[Raw]:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    peer = Raw(reader, writer)
    if greets:
        peer.say(wire.PREFACE + wire.settings({}))
    yield peer
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


@asynccontextmanager
async def plain_server(serve: Serve) -> AsyncGenerator[str]:
    """Listens for whatever comes; connections that it leaves open are cut at the end."""
    writers: list[asyncio.StreamWriter] = []

    async def noted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await serve(reader, writer)

    server = await asyncio.start_server(noted, "127.0.0.1", 0)
    yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    for writer in writers:
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def raw_server(
    answer: Callable[[Raw], Awaitable[None]], *, remembers: int = 4096
) -> AsyncGenerator[str]:
    """Greets each client, reads its greeting, then does what it likes.

    It `remembers` so many bytes of headers, and reads none that rely on more.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(len(wire.PREFACE)) == wire.PREFACE
        peer = Raw(reader, writer)
        peer.say(wire.settings({Setting.HEADER_TABLE_SIZE: remembers}))
        peer.decoder.max_allowed_table_size = remembers
        await answer(peer)
        writer.close()

    async with plain_server(serve) as address:
        yield address
