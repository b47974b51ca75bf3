"""The MCP servers of a worker's sessions: a connection each, kept while it is used."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from uuid import UUID

import msgspec

from mainspring_schema.mcp import ServedTool
from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools.web.connecting import Connector
from mainspring_worker.adapters.mcp.commands import AllowedCommand
from mainspring_worker.adapters.mcp.connection import Connection, connecting
from mainspring_worker.adapters.mcp.limits import IDLE_S, SERVER_CONNECTIONS_MAX
from mainspring_worker.adapters.mcp.processes import check_allowed
from mainspring_worker.ports.servers import QUIETLY, Manner, Reached, Served, ServerFailed

T = TypeVar("T")
_Key = tuple[UUID, str, bytes]


class McpServers:
    """One per worker, all on one loop. A connection that broke while idle is made once again."""

    def __init__(self, *, connector: Connector, commands: Sequence[AllowedCommand] = ()) -> None:
        self._connector = connector
        self._commands = tuple(commands)
        self._kept: OrderedDict[_Key, Connection] = OrderedDict()
        self._idle: dict[_Key, asyncio.TimerHandle] = {}
        self._ending: set[asyncio.Future[None]] = set()
        """Of connections that are not used again: a process takes its time to end."""

    async def list_tools(self, at: Reached) -> tuple[ServedTool, ...]:
        known = _key(at) in self._kept
        try:
            return await self._with(at, lambda connection: connection.list_tools())
        except ServerFailed as failed:
            if not known or failed.fault == "refused":
                raise
            # It may have broken unseen since its last use; asking again changes nothing.
            return await self._with(at, lambda connection: connection.list_tools())

    async def call(
        self, at: Reached, tool: str, arguments: Json, *, key: str, manner: Manner = QUIETLY
    ) -> Served:
        return await self._with(
            at, lambda connection: connection.call(tool, arguments, key=key, manner=manner)
        )

    async def aclose(self) -> None:
        """Ends all connections; safe twice."""
        for key in list(self._kept):
            self._drop(key)
        await asyncio.gather(*self._ending)

    async def _with(self, at: Reached, use: Callable[[Connection], Awaitable[T]]) -> T:
        if at.server.command is not None:
            check_allowed(at.server, self._commands)
        key = _key(at)
        connection = self._connection(key, at)
        if (idle := self._idle.pop(key, None)) is not None:
            idle.cancel()
        try:
            return await use(connection)
        finally:
            # Who was longer on a broken one than others may find its successor in its place.
            ours = self._kept.get(key) is connection
            if ours and connection.broken:
                self._drop(key)
            elif ours and not connection.busy:
                loop = asyncio.get_running_loop()
                self._idle[key] = loop.call_later(IDLE_S, self._drop, key)

    def _connection(self, key: _Key, at: Reached) -> Connection:
        kept = self._kept.get(key)
        if kept is not None and not kept.broken:
            self._kept.move_to_end(key)
            return kept
        self._drop(key)
        self._make_room()
        made = Connection(connecting(at, self._connector), at.server)
        self._kept[key] = made
        return made

    def _make_room(self) -> None:
        if len(self._kept) < SERVER_CONNECTIONS_MAX:
            return
        idle = next((key for key, connection in self._kept.items() if not connection.busy), None)
        if idle is None:
            message = (
                f"the worker already keeps {SERVER_CONNECTIONS_MAX} connections to MCP servers"
            )
            raise ServerFailed("unreachable", message)
        self._drop(idle)

    def _drop(self, key: _Key) -> None:
        if (idle := self._idle.pop(key, None)) is not None:
            idle.cancel()
        if (connection := self._kept.pop(key, None)) is not None:
            connection.close()
            ended = asyncio.ensure_future(connection.closed())
            self._ending.add(ended)
            ended.add_done_callback(self._ending.discard)


def _key(at: Reached) -> _Key:
    """One session's; what opens a server is part of it, but not kept in the open."""
    told = msgspec.json.encode((at.server, at.network))
    return at.session_id, at.name, hashlib.sha256(told).digest()
