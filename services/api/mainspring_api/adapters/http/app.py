"""The Litestar application: routes, stream, document, health."""

from collections.abc import Callable, Sequence
from functools import cache

import msgspec
from litestar import Litestar, Response, get

from mainspring_api.adapters.http import openapi, page
from mainspring_api.adapters.http.edge import JSON, HttpRequest, handle_error
from mainspring_api.adapters.http.routes import (
    agent_health,
    agent_texts,
    agent_versions,
    agents,
    appeals,
    budgets,
    callers,
    catalogue,
    channels,
    dead_letters,
    deliveries,
    durable_health,
    ended,
    explain,
    file_orders,
    forks,
    gates,
    harnesses,
    key_limits,
    mcp_servers,
    memories,
    messages,
    models,
    organizations,
    plain_tasks,
    replays,
    resolving,
    runtime_tokens,
    schedules,
    secrets,
    session_migration,
    session_tasks,
    sessions,
    tasks,
    workers,
    workflows,
    workspaces,
)
from mainspring_api.adapters.http.routing import PREFIX, Route, finished, handlers
from mainspring_api.adapters.http.services import Services
from mainspring_api.adapters.http.sse import EventStreams, StreamResponse
from mainspring_api.adapters.http.wire.conversation import StreamQuery
from mainspring_api.domain.limits import JSON_BODY_BYTES_MAX

VERSION = "0.1.0"
TABLES = (
    agents.table,
    agent_texts.table,
    agent_versions.table,
    agent_health.table,
    harnesses.table,
    sessions.table,
    appeals.table,
    budgets.table,
    session_migration.table,
    forks.table,
    session_tasks.table,
    replays.table,
    resolving.table,
    messages.table,
    deliveries.table,
    workspaces.table,
    file_orders.table,
    catalogue.table,
    channels.table,
    callers.table,
    runtime_tokens.table,
    models.table,
    mcp_servers.table,
    memories.table,
    secrets.table,
    organizations.table,
    gates.table,
    tasks.table,
    plain_tasks.table,
    ended.table,
    workers.table,
    dead_letters.table,
    durable_health.table,
    explain.table,
    workflows.table,
    schedules.table,
    key_limits.table,
)


def all_routes() -> Sequence[Route]:
    return [route for table in TABLES for route in table.routes]


def application(services: Services) -> Litestar:
    """Opens nothing; whoever serves it owns what `services` holds."""
    streams = EventStreams(services)
    document, shown = _described()

    @get(f"{PREFIX}/sessions/{{session_id:str}}/sse", name="stream_events")
    async def stream_events(request: HttpRequest) -> StreamResponse:
        return await finished(streams.open(request))

    @get(f"{PREFIX}/channels/{{channel_id:str}}/sessions/{{session_id:str}}/sse", name="caller_sse")
    async def stream_caller_events(request: HttpRequest) -> StreamResponse:
        return await finished(streams.open_for_caller(request))

    @get(f"{PREFIX}/durable/workflows/{{workflow_id:str}}/sse", name="stream_workflow_events")
    async def stream_workflow_events(request: HttpRequest) -> Response[bytes]:
        return await finished(streams.open_workflow(request))

    @get(f"{PREFIX}/durable/sse", name="stream_engine")
    async def stream_engine(request: HttpRequest) -> StreamResponse:
        return await finished(streams.open_monitor(request))

    return Litestar(
        route_handlers=[
            *handlers(all_routes(), services),
            stream_events,
            stream_caller_events,
            stream_workflow_events,
            stream_engine,
            _fixed("/health", health_body(), JSON),
            _fixed("/api-doc/openapi.json", document, JSON),
            _fixed("/api-doc", shown, "text/html"),
        ],
        exception_handlers={Exception: handle_error},
        openapi_config=None,
        logging_config=None,
        request_max_body_size=JSON_BODY_BYTES_MAX,
    )


@cache
def _described() -> tuple[bytes, bytes]:
    """The document and its page. Made once: tests make a thousand applications of one process."""
    found = openapi.document(all_routes(), StreamQuery)
    return msgspec.json.encode(found), page.render(found)


def health_body() -> bytes:
    return msgspec.json.encode({"status": "ok", "version": VERSION})


def _fixed(path: str, body: bytes, media_type: str) -> "Callable[..., object]":
    @get(path, sync_to_thread=False)
    def fixed() -> Response[bytes]:
        return Response(content=body, media_type=media_type)

    return fixed
