"""One connection of a session to a server. It belongs to a task of its own from end to end."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, cast

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    Implementation,
    ResourceLink,
    TextContent,
    TextResourceContents,
    Tool,
)
from mcp_types import ImageContent as Image
from pydantic import ValidationError

from mainspring_schema.limits import MCP_CALL_S_DEFAULT, MCP_TOOLS_PER_SERVER_MAX
from mainspring_schema.mcp import McpServer, ServedTool
from mainspring_schema.messages import ImagePart, Json
from mainspring_worker.adapters.builtin_tools.web.connecting import (
    Connector,
    Refused,
    Unreachable,
)
from mainspring_worker.adapters.mcp.limits import ERROR_CHARS_MAX, LIST_PAGES_MAX, LIST_S, OPEN_S
from mainspring_worker.adapters.mcp.processes import process_streams
from mainspring_worker.adapters.mcp.telling import telling
from mainspring_worker.adapters.mcp.text import shown
from mainspring_worker.adapters.mcp.web import http_client
from mainspring_worker.ports.servers import QUIETLY, Fault, Manner, Reached, Served, ServerFailed
from mainspring_workstream.pictures import named

Connect = Callable[[], AbstractAsyncContextManager[Client]]
_KEY: Final = "mainspring.dev/idempotency-key"
_SPOKEN: Final = frozenset({INVALID_PARAMS, METHOD_NOT_FOUND, INTERNAL_ERROR})
"""Errors by which a server that goes on answers one request."""
_WHO: Final = Implementation(name="mainspring", version="1")


def connecting(at: Reached, connector: Connector) -> Connect:
    """How to connect to a server, whichever way it is reached."""

    @asynccontextmanager
    async def by_http() -> AsyncGenerator[Client]:
        async with http_client(at.server.headers, connector, at.network) as http:
            transport = streamable_http_client(at.server.url or "", http_client=http)
            async with Client(transport, client_info=_WHO, cache=None) as client:
                yield client

    @asynccontextmanager
    async def by_process() -> AsyncGenerator[Client]:
        async with Client(process_streams(at.server), client_info=_WHO, cache=None) as client:
            yield client

    return by_http if at.server.command is None else by_process


class Connection:
    """Open once `list_tools` or `call` were answered. A broken one is not used again."""

    def __init__(self, connect: Connect, server: McpServer) -> None:
        self._connect = connect
        self._call_s = float(server.timeout_seconds or MCP_CALL_S_DEFAULT)
        self._closing = asyncio.Event()
        self._client: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._serve())
        self.busy = 0

    @property
    def broken(self) -> bool:
        """Whether it is of no more use."""
        return self._task.done() or self._closing.is_set()

    async def list_tools(self) -> tuple[ServedTool, ...]:
        """Raises ServerFailed."""
        async with self._using() as client, asyncio.timeout(LIST_S):
            return tuple(_served(tool) for tool in await _listed(client))

    async def call(
        self, tool: str, arguments: Json, *, key: str, manner: Manner = QUIETLY
    ) -> Served:
        """Raises ServerFailed."""
        limit_s = max(self._call_s, manner.patience_s)
        async with (
            telling(manner.told) as heard,
            self._using() as client,
            asyncio.timeout(limit_s),
        ):
            answer = await client.call_tool(
                tool, arguments, progress_callback=heard, meta={_KEY: key}
            )
        return _result(answer)

    def close(self) -> None:
        """Ends it soon; `closed` waits for that."""
        self._closing.set()

    async def closed(self) -> None:
        await asyncio.wait([self._task])

    async def _serve(self) -> None:
        try:
            async with asyncio.timeout(OPEN_S) as opening, self._connect() as client:
                opening.reschedule(None)
                self._client.set_result(client)
                await self._closing.wait()
        except BaseException as error:
            if not self._client.done():
                self._client.set_exception(_told(error, opening=True))
                self._client.exception()  # whoever waits gets it; nobody need wait
            if isinstance(error, asyncio.CancelledError | KeyboardInterrupt | SystemExit):
                raise

    @asynccontextmanager
    async def _using(self) -> AsyncGenerator[Client]:
        self.busy += 1
        try:
            yield await asyncio.shield(self._client)
        except (asyncio.CancelledError, ServerFailed):
            raise
        except Exception as error:
            if not isinstance(error, MCPError) or error.code not in _SPOKEN:
                self.close()
            raise _told(error, opening=False) from error
        finally:
            self.busy -= 1


async def _listed(client: Client) -> list[Tool]:
    found: list[Tool] = []
    cursor: str | None = None
    for _ in range(LIST_PAGES_MAX):
        page = await client.list_tools(cursor=cursor)
        found += page.tools
        cursor = page.next_cursor
        if cursor is None or len(found) > MCP_TOOLS_PER_SERVER_MAX:
            return found
    message = "the list of its tools does not end"
    raise ServerFailed("broken", message)


def _served(tool: Tool) -> ServedTool:
    hints = tool.annotations
    return ServedTool(
        name=tool.name,
        title=tool.title or (hints.title if hints else None),
        description=tool.description or "",
        input_schema=tool.input_schema,
        readonly=hints.read_only_hint if hints else None,
        destructive=hints.destructive_hint if hints else None,
        idempotent=hints.idempotent_hint if hints else None,
        open_world=hints.open_world_hint if hints else None,
    )


def _result(answer: CallToolResult) -> Served:
    parts = [_part(block) for block in answer.content]
    texts = [part for part in parts if isinstance(part, str)]
    plain = len(texts) == len(parts)
    result: object = "\n".join(texts) if plain else {"content": parts}
    structured = cast("object", answer.structured_content)
    if structured is not None and not answer.is_error:
        result = structured if plain else {"content": parts, "structured": structured}
    images = tuple(
        ImagePart(base64=block.data, media_type=block.mime_type)
        for block in answer.content
        if isinstance(block, Image)
    )
    return Served(result=result, failed=answer.is_error, images=images)


def _part(block: object) -> object:
    match block:
        case TextContent():
            return shown(block.text)
        case Image():
            return named(block.mime_type, _size(block.data))
        case EmbeddedResource():
            return _resource(block.resource)
        case ResourceLink():
            return {"type": block.type, "uri": _uri(block.uri), "name": shown(block.name)}
        case AudioContent():
            return {"type": block.type, "media_type": block.mime_type}
        case _:
            return {"type": str(getattr(block, "type", "unknown"))}


def _resource(found: TextResourceContents | BlobResourceContents) -> object:
    """With its text; bytes are of no use to a model, which reads how many there are."""
    told: dict[str, object] = {"type": "resource", "uri": _uri(found.uri)}
    if found.mime_type is not None:
        told["media_type"] = found.mime_type
    if isinstance(found, TextResourceContents):
        return told | {"text": shown(found.text)}
    return told | {"bytes": _size(found.blob)}


def _size(base64: str) -> int:
    return len(base64) * 3 // 4 - base64[-2:].count("=")


def _uri(uri: object) -> str:
    return shown(str(uri))[:ERROR_CHARS_MAX]


def _told(error: BaseException, *, opening: bool) -> ServerFailed:
    """What went wrong in words for the model, whichever library says it."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseException", error.exceptions[0])
    if isinstance(error, ServerFailed):
        return error
    fault, text = _fault(error)
    # Nothing was asked of a server that is not open yet, whatever went wrong with it.
    return ServerFailed("unreachable" if opening and fault != "refused" else fault, text)


def _fault(error: BaseException) -> tuple[Fault, str]:
    match error:
        case Refused():
            return "refused", str(error)
        case TimeoutError():
            return "timeout", "the server did not answer in time"
        case Unreachable() | httpx2.ConnectError() | FileNotFoundError() | PermissionError():
            return "unreachable", "the server cannot be reached"
        case ValidationError():
            return "broken", "the server's answer is not what the protocol says"
        case MCPError() | RuntimeError():
            return "broken", shown(str(error))[:ERROR_CHARS_MAX]
        case _:
            return "broken", f"the connection to the server failed ({type(error).__name__})"
