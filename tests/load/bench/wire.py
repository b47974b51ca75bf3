"""HTTP/1.1 and server-sent events in as little code as measures: the clients share the cores."""

import asyncio
from collections.abc import Callable
from typing import Final

from msgspec import Struct

HEAD_BYTES_MAX: Final = 64 * 1024
_NO_CONTENT: Final = 204
_HEAD_END: Final = b"\r\n\r\n"


class WireProblem(Exception):
    """The server closed, refused, or spoke what this client does not read."""


class Chunked:
    """Takes the chunks of a body apart, however the network cut them."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._left = 0

    def feed(self, data: bytes) -> bytes:
        """The body's bytes that are complete so far. Raises WireProblem."""
        self._buffer += data
        body = bytearray()
        while self._buffer:
            if self._left == 0 and not self._begin():
                break
            taken = self._buffer[: self._left]
            if len(taken) < self._left:
                break
            body += taken[:-2]  # behind each chunk stands a line end
            del self._buffer[: self._left]
            self._left = 0
        return bytes(body)

    def _begin(self) -> bool:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return False
        try:
            size = int(bytes(self._buffer[:end]).split(b";")[0], 16)
        except ValueError as error:
            msg = "a chunk has no size"
            raise WireProblem(msg) from error
        del self._buffer[: end + 2]
        self._left = size + 2
        return True


class Frame(Struct, frozen=True):
    """A server-sent event: its type and its one line of data."""

    type: str
    data: bytes


class Frames:
    """Splits a stream into events; comments and other fields are dropped."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Frame]:
        *blocks, self._rest = (self._rest + data).split(b"\n\n")
        return [frame for block in blocks if (frame := _frame(block)) is not None]


def _frame(block: bytes) -> Frame | None:
    type_, data = "", b""
    for line in block.split(b"\n"):
        if line.startswith(b"event: "):
            type_ = line[7:].decode()
        elif line.startswith(b"data: "):
            data = line[6:]
    return Frame(type_, data) if type_ else None


class Address(Struct, frozen=True, kw_only=True):
    host: str
    port: int
    prefix: str = "/api/v1"

    def head(self, method: str, path: str, org_id: str, size: int | None) -> bytes:
        lines = [f"{method} {self.prefix}{path} HTTP/1.1", f"Host: {self.host}:{self.port}"]
        if org_id:
            lines.append(f"X-Org-Id: {org_id}")
        if size is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {size}"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Connection:
    """One kept-alive connection; one request at a time."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def call(self, method: str, path: str, body: bytes | None, org_id: str = "") -> bytes:
        """The body of a 2xx answer. Raises WireProblem for any other."""
        if self._reader is None or self._writer is None or self._reader.at_eof():
            self._reader, self._writer = await asyncio.open_connection(
                self._address.host, self._address.port, limit=HEAD_BYTES_MAX
            )
        size = None if body is None else len(body)
        self._writer.write(self._address.head(method, path, org_id, size) + (body or b""))
        try:
            head = await self._reader.readuntil(_HEAD_END)
            answer = await self._reader.readexactly(_length(head))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            msg = f"{method} {path}: the server closed the connection"
            raise WireProblem(msg) from error
        if status_of(head) // 100 != 2:
            msg = f"{method} {path} was answered {status_of(head)}: {answer[:300].decode()}"
            raise WireProblem(msg)
        return answer

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


class EventStream(asyncio.Protocol):
    """One open stream; `on_frame` is called as its bytes arrive."""

    def __init__(self, on_frame: Callable[[Frame], None]) -> None:
        self._on_frame = on_frame
        self._head: bytearray | None = bytearray()
        self._chunked = Chunked()
        self._frames = Frames()
        self._transport: asyncio.BaseTransport | None = None
        self.connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(
        cls, address: Address, path: str, on_frame: Callable[[Frame], None], org_id: str = ""
    ) -> "EventStream":
        """Returns when the server says `connected`. Raises WireProblem."""
        loop = asyncio.get_running_loop()
        transport, stream = await loop.create_connection(
            lambda: cls(on_frame), address.host, address.port
        )
        transport.write(address.head("GET", path, org_id, None))
        await stream.connected
        return stream

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.connected.done():
            self.connected.set_exception(WireProblem(f"the stream was closed: {exc}"))

    def data_received(self, data: bytes) -> None:
        if self._head is not None:
            data = self._read_head(self._head, data)
        for frame in self._frames.feed(self._chunked.feed(data)) if data else ():
            if frame.type == "connected":
                self.connected.set_result(None)
            else:
                self._on_frame(frame)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _read_head(self, buffer: bytearray, data: bytes) -> bytes:
        buffer += data
        head, found, rest = bytes(buffer).partition(_HEAD_END)
        if not found:
            return b""
        if status_of(head) != 200:
            msg = f"the stream was answered {status_of(head)}: {rest[:300].decode()}"
            if not self.connected.done():
                self.connected.set_exception(WireProblem(msg))
            self.close()
            return b""
        self._head = None
        return rest


def status_of(head: bytes) -> int:
    return int(head.split(b" ", 2)[1])


def _length(head: bytes) -> int:
    if status_of(head) == _NO_CONTENT:
        return 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    msg = "an answer has no Content-Length"
    raise WireProblem(msg)
