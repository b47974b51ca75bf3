"""Requests as bytes on a socket: what never ends, what is no HTTP, and what stands behind a request
that is at work."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import cast

import pytest
from litestar import Litestar
from litestar.types import ASGIApp, Receive, Scope, Send
from msgspec import Struct

from mainspring_api.adapters.http import server as server_module
from mainspring_api.adapters.http.app import application
from mainspring_api.adapters.http.protocol import BoundedHttp
from mainspring_api.adapters.http.server import HttpServer
from mainspring_api.adapters.http.services import Services
from mainspring_api.domain import limits
from tests.api.backend import Backend
from tests.api.conftest import inside, wired
from tests.api.test_resources import V1
from tests.api.watcher import PATIENCE_S

HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /api/v1/agents HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


class Answer(Struct, frozen=True):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> object:
        return json.loads(self.body)["code"]


class Wire:
    """One connection, as bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()

    async def flood(self, pieces: Iterator[bytes]) -> None:
        """Sends until the server hangs up, or has sent something."""
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                await self.send(piece)
                if self._reader.at_eof():
                    return

    async def answer(self) -> Answer:
        async with asyncio.timeout(PATIENCE_S):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.rstrip().split("\r\n")
            headers = {
                name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
            }
            body = await self._reader.readexactly(int(headers["content-length"]))
        return Answer(int(first.split()[1]), headers, body)

    async def rest(self) -> bytes:
        """Up to the end of the connection."""
        async with asyncio.timeout(PATIENCE_S):
            return await self._reader.read()


Connect = Callable[[], Awaitable[Wire]]


@contextlib.asynccontextmanager
async def served(app: ASGIApp) -> AsyncGenerator[Connect]:
    server = HttpServer(cast("Litestar", app), "127.0.0.1", 0)
    await server.start()
    writers: list[asyncio.StreamWriter] = []

    async def connect() -> Wire:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writers.append(writer)
        return Wire(reader, writer)

    try:
        yield connect
    finally:
        for writer in writers:
            writer.close()
        await server.stop()


@pytest.fixture(scope="module")
def services() -> Services:
    return wired(Backend())


@pytest.fixture(scope="module")
async def connect(services: Services) -> AsyncGenerator[Connect]:
    """One server for all: what is refused leaves nothing behind."""
    async with served(application(services)) as connect:
        yield connect
        services.hub.drain()


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set each time the patience with a request has ended, which is soon."""
    monkeypatch.setattr(limits, "REQUEST_HEAD_S", 0.02)
    monkeypatch.setattr(limits, "REQUEST_BODY_S", 0.02)
    happened = asyncio.Event()
    decide = BoundedHttp._late

    def told(self: BoundedHttp) -> None:
        decide(self)
        happened.set()

    monkeypatch.setattr(BoundedHttp, "_late", told)
    return happened


def check_refusal(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.code) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["connection"] == "close"


# ── heads that never end ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (HEALTH + b"X-Endless: ", b"x" * 8192),
        (HEALTH, b"X-Another: 1\r\n" * 500),
        (b"GET /", b"x" * 8192),
        (b"", b"\r\n" * 4096),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Trailer: 1\r\n" * 500),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n1;extension=", b"x" * 8192),
    ],
    ids=[
        "one header",
        "many headers",
        "a target",
        "empty lines",
        "trailers",
        "a chunk's extension",
    ],
)
async def test_what_never_ends_is_refused_by_its_bytes(
    connect: Connect, start: bytes, more: bytes
) -> None:
    wire = await connect()

    # Far more than is read before it is refused: the answer must not be lost over the rest.
    await wire.send(start, *[more] * 200)

    check_refusal(await wire.answer(), 431, "headers_too_large")
    assert await wire.rest() == b""


async def test_a_flood_is_cut_off(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REFUSED_LINGER_S", 0.05)
    wire = await connect()
    await wire.send(HEALTH)

    async with asyncio.timeout(PATIENCE_S):
        await wire.flood(iter(lambda: b"X-Another: 1\r\n" * 5000, b""))


@pytest.mark.parametrize(
    "head",
    [
        HEALTH + b"X-Padding: " + b"x" * limits.HEADERS_BYTES_MAX,
        HEALTH + b"X-Padding: 1\r\n" * (limits.HEADERS_BYTES_MAX // 10) + b"X-Last: 1",
        b"GET /health?" + b"x" * limits.HEADERS_BYTES_MAX + b" HTTP/1.1\r\nHost: x",
    ],
    ids=["one header", "many headers", "the target"],
)
async def test_a_whole_head_over_the_bound_is_refused(connect: Connect, head: bytes) -> None:
    wire = await connect()

    await wire.send(head + b"\r\n\r\n")

    check_refusal(await wire.answer(), 431, "headers_too_large")


async def test_a_head_within_its_bound_may_come_in_pieces(connect: Connect) -> None:
    wire = await connect()

    await wire.send(HEALTH + b"X-Padding: ", *[b"x" * 1000] * 30, b"\r\n", b"\r\n")

    assert (await wire.answer()).status == 200


async def test_a_long_body_is_no_long_head(connect: Connect) -> None:
    wire = await connect()
    body = b'{"name":"a","system_prompt":"' + b"x" * 500_000 + b'"}'
    parts = [body[start : start + 7] for start in range(0, len(body), 7)]
    chunks = [b"%x\r\n%b\r\n" % (len(part), part) for part in parts]

    await wire.send(POST + b"Transfer-Encoding: chunked\r\n\r\n", *chunks, b"0\r\n\r\n")

    assert (await wire.answer()).status == 201


async def test_many_requests_are_no_long_head(connect: Connect) -> None:
    wire = await connect()
    request = HEALTH + b"X-Padding: " + b"x" * 4096 + b"\r\n\r\n"

    for _ in range(limits.REQUEST_HEAD_BYTES_MAX // 4096 + 1):
        await wire.send(request)

        assert (await wire.answer()).status == 200


async def test_a_head_that_stalls_is_refused(connect: Connect, late: asyncio.Event) -> None:
    wire = await connect()

    await wire.send(HEALTH + b"X-Half: ")

    check_refusal(await wire.answer(), 408, "request_timeout")
    assert late.is_set()
    assert await wire.rest() == b""


async def test_a_head_that_trickles_is_refused(connect: Connect, late: asyncio.Event) -> None:
    wire = await connect()

    await wire.send(HEALTH + b"X-Slow: ")
    while not late.is_set():
        await wire.send(b"x")
        await asyncio.sleep(0)

    check_refusal(await wire.answer(), 408, "request_timeout")


async def test_a_body_that_stalls_does_nothing(
    connect: Connect, services: Services, late: asyncio.Event
) -> None:
    wire = await connect()
    body = b'{"name":"never-whole","system_prompt":""}'

    await wire.send(POST + b"Content-Length: %d\r\n\r\n" % (len(body) + 1), body)

    check_refusal(await wire.answer(), 408, "request_timeout")
    assert late.is_set()
    async with inside(application(services)) as client:
        assert (await client.get(f"{V1}/agents/never-whole")).status_code == 404


async def test_a_body_that_nobody_wants_is_not_awaited(
    connect: Connect, late: asyncio.Event
) -> None:
    wire = await connect()

    await wire.send(HEALTH + b"Content-Length: 10\r\n\r\n")
    answer = await wire.answer()

    assert answer.status == 200
    assert await wire.rest() == b""
    assert late.is_set()


async def test_a_client_that_asks_no_more_reads_why_its_body_was_refused(connect: Connect) -> None:
    wire = await connect()
    body = b"x" * (limits.JSON_BODY_BYTES_MAX + 1)

    await wire.send(POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % (2 * len(body)))
    await wire.send(body)
    check_refusal(await wire.answer(), 413, "payload_too_large")

    assert await wire.rest() == b""
    await wire.send(*[body[: len(body) // 8]] * 8)


@pytest.mark.parametrize("sent", [b"", b"\r\n\r\n"], ids=["nothing", "empty lines"])
async def test_a_connection_that_asks_nothing_is_closed(
    services: Services, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(server_module, "CONNECTION_IDLE_S", 0.05)
    async with served(application(services)) as connect:
        wire = await connect()

        await wire.send(sent)

        assert await wire.rest() == b""


# ── what is no HTTP ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "request_",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://[/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\nHost: x\n\n",
        HEALTH + b"No Name: x\r\n\r\n",
        HEALTH + b"X-Nul: \x00\r\n\r\n",
        POST + b"Content-Length: -1\r\n\r\n",
        POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_no_http_is_a_problem_like_others(connect: Connect, request_: bytes) -> None:
    wire = await connect()

    await wire.send(request_)

    check_refusal(await wire.answer(), 400, "malformed_request")
    assert await wire.rest() == b""


# ── behind a request that is at work ────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "behind",
    [b"GARBAGE\r\n\r\n", HEALTH + b"X-Long: " + b"x" * limits.HEADERS_BYTES_MAX + b"\r\n\r\n"],
    ids=["no http", "a long head"],
)
async def test_a_refusal_never_stands_for_the_request_before(
    connect: Connect, behind: bytes
) -> None:
    wire = await connect()
    body = b'{"name":"first","system_prompt":""}'

    await wire.send(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body + behind)

    assert (await wire.answer()).status in {200, 201}
    assert await wire.rest() == b""


async def test_half_a_head_may_wait_for_the_answer_before(
    late: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading rests while an answer is owed, so it may be us who keep the other half waiting."""
    gate = asyncio.Event()

    async def gated(_: Scope, receive: Receive, send: Send) -> None:
        del receive
        await gate.wait()
        await respond(send, b"done")

    async with served(gated) as connect:
        wire = await connect()
        await wire.send(HEALTH + b"\r\n" + HEALTH)
        await late.wait()
        monkeypatch.setattr(limits, "REQUEST_HEAD_S", PATIENCE_S)
        late.clear()
        await late.wait()
        gate.set()

        assert (await wire.answer()).body == b"done"
        await wire.send(b"\r\n")

        assert (await wire.answer()).body == b"done"


async def test_trailers_do_not_join_the_headers() -> None:
    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        """Answers with the headers as they are when the whole request is there."""
        while (await receive()).get("more_body"):
            pass
        await respond(send, b" ".join(name for name, _ in scope["headers"]))

    async with served(echo) as connect:
        wire = await connect()

        await wire.send(POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Org-Id: 1\r\n\r\n")

        assert (await wire.answer()).body == b"host content-type transfer-encoding"


async def respond(send: Send, body: bytes) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
