"""The event stream as plain ASGI: one task per client, bytes that a session's clients share."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Final, Protocol

from litestar import Response
from litestar.status_codes import HTTP_204_NO_CONTENT
from litestar.types import ASGIApp, Receive, Scope, Send

from mainspring_api.adapters.http import edge
from mainspring_api.adapters.http.admission import admit_to
from mainspring_api.adapters.http.routing import KnownOrganizations
from mainspring_api.adapters.http.services import Services
from mainspring_api.adapters.http.wire.conversation import StreamQuery, stream_resume
from mainspring_api.usecases import workflows
from mainspring_api.usecases.stream.session_stream import Opening, SessionStream, open_stream
from mainspring_kernel.ids import OrgId, Prefix, SessionId, from_wire
from mainspring_schema.workflows import GetWorkflow

_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]

_NEVER: Final[frozenset[str]] = frozenset()
"""The stream of a session ends with no event."""
_LAST_S: Final = 0.1
"""How long a stream that is cut off waits for a client that does not read, to end its answer."""


class EventStreams:
    """Opens streams: until the first reading is done an error still becomes a status."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._organizations = KnownOrganizations(services)

    async def open(self, request: edge.HttpRequest) -> "StreamResponse":
        org_id, id_ = await self._organization_of(request), _session_of(request)
        return StreamResponse(await self._opened(request, org_id, id_))

    async def open_for_caller(self, request: edge.HttpRequest) -> "StreamResponse":
        """Of a session that was made through a channel, for who made it."""
        org_id = await self._organization_of(request)

        async def allowed() -> None:
            await admit_to(self._services, org_id, request)

        await allowed()
        stream = await self._opened(request, org_id, _session_of(request), allowed=allowed)
        return StreamResponse(stream)

    async def open_workflow(self, request: edge.HttpRequest) -> Response[bytes]:
        """The history of a workflow, which is its own session; it ends with the workflow.

        Where nothing comes any more the answer has no content: browsers do not ask again.
        """
        org_id = await self._organization_of(request)
        params: dict[str, object] = request.path_params
        id_ = from_wire(Prefix.WORKFLOW, str(params["workflow_id"]))
        view = await self._services.control.get_workflow(
            GetWorkflow(org_id=org_id, workflow_id=id_)
        )
        stream = await self._opened(request, org_id, SessionId(id_), ends=workflows.ENDS)
        if view.status in workflows.ENDED and stream.shows_nothing:
            await stream.close()
            return Response(content=b"", status_code=HTTP_204_NO_CONTENT)
        return StreamResponse(stream)

    async def open_monitor(self, request: edge.HttpRequest) -> "StreamResponse":
        """The engine as it is, again and again, for as long as the client may ask."""
        org_id = await self._organization_of(request)

        async def allowed() -> None:
            await self._organizations.check(org_id)

        last_id = request.headers.get("last-event-id") or ""
        return StreamResponse(await self._services.monitor.open(last_id=last_id, allowed=allowed))

    async def _organization_of(self, request: edge.HttpRequest) -> OrgId:
        org_id = edge.organization_of(request.headers)
        await self._organizations.check(org_id)
        return org_id

    async def _opened(
        self,
        request: edge.HttpRequest,
        org_id: OrgId,
        session_id: SessionId,
        *,
        ends: frozenset[str] = _NEVER,
        allowed: Callable[[], Awaitable[None]] | None = None,
    ) -> SessionStream:
        headers = request.headers
        query = edge.decode_query(request.scope["query_string"], StreamQuery)
        return await open_stream(
            self._services.hub,
            Opening(
                session_id=session_id,
                org_id=org_id,
                resume=stream_resume(query, session_id, headers.get("last-event-id") or None),
                types=frozenset(query.types),
                exclude=frozenset(query.exclude),
                ends=ends,
                accumulated=query.accumulated,
                allowed=allowed,
            ),
        )


def _session_of(request: edge.HttpRequest) -> SessionId:
    params: dict[str, object] = request.path_params
    return SessionId(from_wire(Prefix.SESSION, str(params["session_id"])))


class Stream(Protocol):
    """One client's; whoever ended it, `close` is called once."""

    def chunks(self) -> AsyncGenerator[bytes]: ...

    def disconnected(self) -> None: ...

    async def close(self) -> None: ...


class StreamResponse(Response[bytes]):
    """Litestar's own streaming wraps every chunk in layers; this sends them as they are."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(content=b"")
        self._stream = stream

    def to_asgi_response(self, *_: object, **__: object) -> ASGIApp:  # pyright: ignore[reportIncompatibleMethodOverride] -- any ASGI application will do
        return self._send_all

    async def _send_all(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        stream = self._stream
        gone = asyncio.create_task(_watch(receive, stream))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            async with aclosing(stream.chunks()) as chunks:
                async for chunk in chunks:
                    if not await _sent(send, chunk):
                        return
            await _sent(send, b"", more=False)
        except asyncio.CancelledError:
            # The server leaves, and waits no longer for what this stream reads: the answer ends
            # here, and the client comes again with its cursor.
            # Of a task that is cancelled, early 3.11 tells the timeout as another cancel.
            with suppress(TimeoutError, asyncio.CancelledError):
                async with asyncio.timeout(_LAST_S):
                    await _sent(send, b"", more=False)
        finally:
            gone.cancel()
            await stream.close()


async def _sent(send: Send, body: bytes, *, more: bool = True) -> bool:
    """False for a connection that is closed: a pipelined request behind this one hides that."""
    try:
        await send({"type": "http.response.body", "body": body, "more_body": more})
    except RuntimeError:
        return False
    return True


async def _watch(receive: Receive, stream: Stream) -> None:
    """Sending to a client that went away raises nothing, so somebody has to listen."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            stream.disconnected()
            return
