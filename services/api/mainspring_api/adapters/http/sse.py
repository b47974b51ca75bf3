"""The event stream as plain ASGI: one task per client, bytes that all clients of a session share."""

import asyncio
from contextlib import aclosing
from typing import Final

import msgspec
from litestar.types import Receive, Scope, Send
from mainspring_kernel.errors import MainspringError
from mainspring_kernel.ids import Prefix, SessionId, from_wire

from mainspring_api.adapters.http import edge
from mainspring_api.adapters.http.routing import KnownOrganizations
from mainspring_api.adapters.http.services import Services
from mainspring_api.adapters.http.wire.conversation import StreamQuery, stream_resume
from mainspring_api.usecases.stream.session_stream import Opening, SessionStream, open_stream

_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]


class EventStreams:
    """The ASGI application behind `/sessions/{id}/sse`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._organizations = KnownOrganizations(services)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            stream = await self._open(scope)
        except Exception as error:  # noqa: BLE001 -- the edge: every error becomes an answer
            await _refuse(edge.ours(error), send)
            return
        gone = asyncio.create_task(_watch(receive, stream))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})  # pyright: ignore[reportArgumentType] -- a message of ASGI
            async with aclosing(stream.chunks()) as chunks:
                async for chunk in chunks:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()
            await stream.close()

    async def _open(self, scope: Scope) -> SessionStream:
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        org_id = edge.organization_of(headers)
        await self._organizations.check(org_id)
        path: dict[str, str] = scope["path_params"]  # pyright: ignore[reportGeneralTypeIssues] -- set by the router
        session_id = SessionId(from_wire(Prefix.SESSION, str(path["session_id"])))
        query = edge.decode_query(scope["query_string"], StreamQuery)
        return await open_stream(
            self._services.hub,
            Opening(
                session_id=session_id,
                org_id=org_id,
                resume=stream_resume(query, session_id, headers.get("last-event-id") or None),
                types=frozenset(query.types),
                exclude=frozenset(query.exclude),
            ),
        )


async def _watch(receive: Receive, stream: SessionStream) -> None:
    """Sending to a client that went away raises nothing, so somebody has to listen."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            stream.disconnected()
            return


async def _refuse(error: MainspringError, send: Send) -> None:
    body = msgspec.json.encode(edge.problem_of(error))
    headers = [
        (b"content-type", edge.PROBLEM.encode()),
        (b"content-length", str(len(body)).encode()),
        *((k.lower().encode(), v.encode()) for k, v in edge.problem_headers(error).items()),
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})  # pyright: ignore[reportArgumentType] -- a message of ASGI
    await send({"type": "http.response.body", "body": body, "more_body": False})
