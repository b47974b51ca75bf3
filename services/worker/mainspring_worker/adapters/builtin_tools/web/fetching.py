"""One URL to its answer: redirects followed by hand, each checked anew, all within bounds."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Final
from urllib.parse import SplitResult, quote, urljoin, urlunsplit

import h11
from msgspec import Struct

from mainspring_kernel.limits import KIB, MIB
from mainspring_schema.agents import NetworkAccess
from mainspring_worker.adapters.builtin_tools.web.connecting import (
    Connector,
    Refused,
    Unreachable,
    parsed,
)

FIRST_BYTE_S: Final = 10.0
"""From the request to the head of the answer."""
FETCH_S: Final = 30.0
"""All of it, redirects included."""
BODY_BYTES_MAX: Final = 5 * MIB
"""Of an answer, unpacked; the rest is not read."""
REDIRECTS_MAX: Final = 5
"""A chain that is longer goes nowhere."""
_HEAD_BYTES_MAX: Final = 64 * KIB
_CHUNK: Final = 64 * KIB
_PLAIN: Final = "%:/?#[]@!$&'()*+,;=~"
"""What stands in a path as it is; everything else is written by its bytes."""
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class Fetched(Struct, frozen=True, kw_only=True):
    """`url` is where the answer came from; `cut` tells that there was more of the body."""

    url: str
    status: int
    headers: dict[str, str]
    body: bytes = b""
    cut: bool = False


class Fetcher:
    """Fetches with a connector's rules."""

    def __init__(self, connector: Connector | None = None) -> None:
        self._connector = connector or Connector()

    async def fetch(self, url: str, method: str, access: NetworkAccess | None) -> Fetched:
        """Raises Refused, Unreachable."""
        try:
            async with asyncio.timeout(FETCH_S):
                return await self._follow(parsed(url), method, access)
        except TimeoutError as error:
            message = f"nothing complete came within {FETCH_S:.0f} s"
            raise Unreachable(message) from error

    async def post(
        self,
        url: str,
        body: bytes,
        access: NetworkAccess | None,
        headers: Mapping[str, str] | None = None,
    ) -> Fetched:
        """Sends JSON. A redirect is an answer like any other. Raises Refused, Unreachable."""
        try:
            async with asyncio.timeout(FETCH_S):
                sent = _Sent(url=parsed(url), method="POST", body=body, headers=headers or {})
                return await self._send(sent, access)
        except TimeoutError as error:
            message = f"nothing complete came within {FETCH_S:.0f} s"
            raise Unreachable(message) from error

    async def _follow(self, url: SplitResult, method: str, access: NetworkAccess | None) -> Fetched:
        for _ in range(REDIRECTS_MAX + 1):
            answer = await self._send(_Sent(url=url, method=method), access)
            location = answer.headers.get("location")
            if answer.status not in _REDIRECTS or not location:
                return answer
            following = parsed(urljoin(urlunsplit(url), location))
            if url.scheme == "https" and following.scheme == "http":
                message = f"{url.hostname} redirects to an insecure address"
                raise Refused(message)
            url = following
        message = f"more than {REDIRECTS_MAX} redirects"
        raise Refused(message)

    async def _send(self, sent: "_Sent", access: NetworkAccess | None) -> Fetched:
        url = sent.url
        reader, writer = await self._connector.open(url, access)
        try:
            return await _exchange(reader, writer, sent)
        except h11.RemoteProtocolError as error:
            message = f"{url.hostname} does not speak HTTP"
            raise Unreachable(message) from error
        except (h11.LocalProtocolError, UnicodeError) as error:
            message = "this is no URL"
            raise Refused(message) from error
        except OSError as error:
            message = f"{url.hostname} broke the connection"
            raise Unreachable(message) from error
        finally:
            writer.close()
            with suppress(OSError):
                writer.transport.abort()


class _Sent(Struct, frozen=True, kw_only=True):
    url: SplitResult
    method: str
    body: bytes = b""
    headers: Mapping[str, str] = {}

    @property
    def first_byte_s(self) -> float:
        """Who sends something has work done: that may take as long as all of it."""
        return FETCH_S if self.body else FIRST_BYTE_S


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: _Sent
) -> Fetched:
    url, method = sent.url, sent.method
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_BYTES_MAX)
    writer.write(connection.send(_request(sent)) or b"")
    if sent.body:
        writer.write(connection.send(h11.Data(data=sent.body)) or b"")
    writer.write(connection.send(h11.EndOfMessage()) or b"")
    await writer.drain()
    try:
        async with asyncio.timeout(sent.first_byte_s):
            head = await _head(connection, reader)
    except TimeoutError as error:
        message = f"{url.hostname} did not answer within {sent.first_byte_s:.0f} s"
        raise Unreachable(message) from error
    headers = {_text(name).lower(): _text(value) for name, value in head.headers}
    fetched = Fetched(url=urlunsplit(url), status=head.status_code, headers=headers)
    if method == "HEAD" or head.status_code in _REDIRECTS:
        return fetched
    body, cut = await _body(_data(connection, reader), headers.get("content-encoding", ""))
    return Fetched(url=fetched.url, status=fetched.status, headers=headers, body=body, cut=cut)


def _text(header: bytes) -> str:
    """UTF-8 as sites write it today, or what the standard once said."""
    try:
        return header.decode()
    except UnicodeDecodeError:
        return header.decode("latin-1")


def _request(sent: _Sent) -> h11.Request:
    url = sent.url
    host = url.netloc.encode("idna" if not url.netloc.isascii() else "ascii")
    target = urlunsplit(("", "", url.path or "/", url.query, ""))
    return h11.Request(
        method=sent.method,
        target=quote(target, safe=_PLAIN),
        headers=[
            (b"Host", host),
            (b"User-Agent", b"Mainspring-Fetch/1 (+an agent's tool)"),
            (b"Accept", b"text/html, text/markdown, text/*, application/json, */*;q=0.5"),
            (b"Accept-Encoding", b"gzip, identity"),
            (b"Connection", b"close"),
            *((name.encode(), value.encode()) for name, value in sent.headers.items()),
            *_about(sent.body),
        ],
    )


def _about(body: bytes) -> list[tuple[bytes, bytes]]:
    if not body:
        return []
    return [(b"Content-Type", b"application/json"), (b"Content-Length", str(len(body)).encode())]


async def _head(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Response:
    while True:
        match connection.next_event():
            case h11.NEED_DATA:
                connection.receive_data(await reader.read(_CHUNK))
            case h11.Response() as head:
                return head
            case h11.InformationalResponse():
                continue
            case _:
                message = "the connection ended before the answer"
                raise OSError(message)


async def _data(connection: h11.Connection, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while True:
        match connection.next_event():
            case h11.NEED_DATA:
                connection.receive_data(await reader.read(_CHUNK))
            case h11.Data() as part:
                yield bytes(part.data)
            case _:
                return


async def _body(data: AsyncIterator[bytes], encoding: str) -> tuple[bytes, bool]:
    """Raises Refused for an encoding that was not asked for, Unreachable for a broken one."""
    if encoding.lower() not in {"", "identity", "gzip", "x-gzip"}:
        message = f"the answer comes in an encoding that is not read: {encoding[:40]}"
        raise Refused(message)
    unpacker = zlib.decompressobj(wbits=31) if "gzip" in encoding.lower() else None
    body = bytearray()
    async for part in data:
        room = BODY_BYTES_MAX - len(body) + 1
        try:
            # Unpacked no further than there is room: a small bomb must not become a large one.
            body += part[:room] if unpacker is None else unpacker.decompress(part, room)
        except zlib.error as error:
            message = "the compressed answer is broken"
            raise Unreachable(message) from error
        if len(body) > BODY_BYTES_MAX:
            return bytes(body[:BODY_BYTES_MAX]), True
    return bytes(body), False
