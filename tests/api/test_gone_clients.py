"""Clients that go away in the middle: nobody reads the answer, and no log calls it our fault."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import cast

import pytest
from litestar import Litestar
from litestar.types import HTTPScope, Message

from mainspring_api.adapters.http.sse import StreamResponse
from mainspring_api.usecases.stream.session_stream import SessionStream
from tests.api.backend import Backend


def scope(path: str, method: str = "POST") -> HTTPScope:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"500")]
    # The server's part of a scope, no more.
    told: dict[str, object] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "state": {},
    }
    return cast("HTTPScope", cast("object", told))


async def test_a_body_that_ends_early_is_no_error_of_ours(
    app: Litestar, caplog: pytest.LogCaptureFixture
) -> None:
    begun = {"type": "http.request", "body": b'{"na', "more_body": True}
    incoming = [begun, {"type": "http.disconnect"}]
    sent: list[Message] = []

    async def receive() -> Message:
        return cast("Message", cast("object", incoming.pop(0)))

    async def send(message: Message) -> None:
        sent.append(message)

    with caplog.at_level(logging.WARNING):
        await app(scope("/api/v1/agents"), receive, send)  # pyright: ignore[reportArgumentType] -- as a server calls it

    assert [one["status"] for one in sent if one["type"] == "http.response.start"] == [400]
    assert not caplog.records


class EndlessStream:
    """Chunks for as long as somebody takes them."""

    closed = False

    async def chunks(self) -> AsyncGenerator[bytes]:
        while True:
            yield b":\n\n"

    async def close(self) -> None:
        self.closed = True

    def disconnected(self) -> None:
        raise AssertionError


async def test_a_stream_ends_with_its_connection() -> None:
    """A server that has pipelined requests waiting tells of the end by its refusal to write."""
    stream = EndlessStream()
    never = asyncio.Event()
    sent: list[Message] = []

    async def receive() -> Message:
        await never.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if len(sent) == 3:
            msg = "the handler is closed"
            raise RuntimeError(msg)
        sent.append(message)

    response = StreamResponse(cast("SessionStream", cast("object", stream))).to_asgi_response()
    await response(scope("/"), receive, send)  # pyright: ignore[reportArgumentType] -- as a server calls it

    assert stream.closed


async def test_a_stream_that_is_being_opened_while_its_server_leaves_is_to_come_again(
    app: Litestar, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, never, sent = asyncio.Event(), asyncio.Event(), list[Message]()

    async def frozen(*_: object, **__: object) -> None:
        asked.set()
        await never.wait()

    async def receive() -> Message:
        await never.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    monkeypatch.setattr(backend, "read", frozen)
    at = scope(f"/api/v1/sessions/session_{0:032x}/sse", "GET")
    request = asyncio.create_task(app(at, receive, send))  # pyright: ignore[reportArgumentType] -- as a server calls it
    await asked.wait()

    request.cancel()
    await request

    assert [one["status"] for one in sent if one["type"] == "http.response.start"] == [503]


@pytest.mark.parametrize("reads", [True, False])
async def test_a_stream_that_reads_while_its_server_leaves_just_ends(*, reads: bool) -> None:
    """An answer that is begun and not ended is an error in the server's log."""
    stream, reading, never = FrozenStream(), asyncio.Event(), asyncio.Event()
    sent: list[Message] = []

    async def receive() -> Message:
        await never.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if reading.is_set() and not reads:
            await never.wait()
        sent.append(message)
        reading.set()

    response = StreamResponse(cast("SessionStream", cast("object", stream))).to_asgi_response()
    request = asyncio.ensure_future(response(scope("/"), receive, send))  # pyright: ignore[reportArgumentType] -- as a server calls it
    await reading.wait()

    request.cancel()
    await request

    assert stream.closed
    assert [one["more_body"] for one in sent if one["type"] == "http.response.body"] == [
        False for _ in range(int(reads))
    ]


class FrozenStream(EndlessStream):
    """Reads what never comes."""

    async def chunks(self) -> AsyncGenerator[bytes]:
        await asyncio.Event().wait()
        yield b""
