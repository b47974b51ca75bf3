"""The door to MCP servers. The library behind it takes a second to import, so its first use does.

Whoever serves no MCP servers pays nothing; a worker without the extra `mcp` says so where one is
asked for.
"""

import asyncio
import ipaddress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from mainspring_schema.mcp import ServedTool
from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools.web.connecting import Connector
from mainspring_worker.adapters.mcp.commands import allowed_commands
from mainspring_worker.adapters.tool_thread import ToolThread
from mainspring_worker.domain.addresses import Address, is_public
from mainspring_worker.ports.servers import QUIETLY, Manner, Reached, Served, ServerFailed

if TYPE_CHECKING:
    from mainspring_worker.adapters.mcp.servers import McpServers


class ServerRules(Struct, frozen=True, kw_only=True):
    """What an operator allows beyond public hosts; `commands` as in the setting."""

    commands: str = ""
    loopback: bool = False


OUTSIDE: Final = ServerRules()
"""Public hosts only."""


def public_or_loopback(address: Address) -> bool:
    """For development: a server on this very machine, but none of its network."""
    return is_public(address) or address in _LOOPBACK


_LOOPBACK: Final = frozenset({ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")})


class LazyServers:
    """`ToolServers`, made on first use on the loop that uses them."""

    def __init__(self, rules: ServerRules) -> None:
        self._rules = rules
        self._made: McpServers | None = None
        self._making = asyncio.Lock()

    async def list_tools(self, at: Reached) -> tuple[ServedTool, ...]:
        return await (await self._servers()).list_tools(at)

    async def call(
        self, at: Reached, tool: str, arguments: Json, *, key: str, manner: Manner = QUIETLY
    ) -> Served:
        return await (await self._servers()).call(at, tool, arguments, key=key, manner=manner)

    @property
    def used(self) -> bool:
        """Whether there may be connections."""
        return self._made is not None

    async def aclose(self) -> None:
        """Ends all connections; safe twice."""
        if self._made is not None:
            await self._made.aclose()

    async def _servers(self) -> "McpServers":
        async with self._making:
            if self._made is None:
                if find_spec("mcp") is None:
                    message = "this worker was installed without the extra `mcp`"
                    raise ServerFailed("refused", message)
                self._made = await asyncio.to_thread(_made, self._rules)
            return self._made


def _made(rules: ServerRules) -> "McpServers":
    from mainspring_worker.adapters.mcp.servers import McpServers  # noqa: PLC0415 - heavy

    is_allowed = public_or_loopback if rules.loopback else is_public
    return McpServers(
        connector=Connector(is_allowed=is_allowed), commands=allowed_commands(rules.commands)
    )


class BesideServers:
    """The same servers for who is on another loop than the tools."""

    def __init__(self, inner: LazyServers, threads: ToolThread) -> None:
        self._inner = inner
        self._threads = threads

    async def list_tools(self, at: Reached) -> tuple[ServedTool, ...]:
        return await self._threads.beside(self._inner.list_tools(at))

    async def call(
        self, at: Reached, tool: str, arguments: Json, *, key: str, manner: Manner = QUIETLY
    ) -> Served:
        called = self._inner.call(at, tool, arguments, key=key, manner=manner)
        return await self._threads.beside(called)

    async def aclose(self) -> None:
        """Ends all connections where they are; safe twice."""
        if self._inner.used:
            await self._threads.beside(self._inner.aclose())
