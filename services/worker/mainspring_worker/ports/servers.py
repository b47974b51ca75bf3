"""MCP servers as a worker uses them: what tools there are, and one call."""

from collections.abc import Awaitable, Callable
from typing import Literal, Protocol
from uuid import UUID

from msgspec import Struct, structs

from mainspring_schema.agents import NetworkAccess
from mainspring_schema.mcp import McpServer, ServedTool
from mainspring_schema.messages import ImagePart, Json


class Reached(Struct, frozen=True, kw_only=True):
    """A server of one session with what opens it. Connections are kept apart by session.

    `server` holds secrets in place of their names; its text form shows none of it.
    """

    session_id: UUID
    name: str
    server: McpServer
    network: NetworkAccess | None = None

    def __repr__(self) -> str:
        """Without the headers and variables, which must not end in a log."""
        return f"Reached(session_id={self.session_id}, name={self.name!r})"

    def opened(self, headers: dict[str, str], env: dict[str, str]) -> "Reached":
        """The same with secrets where their names stood."""
        return structs.replace(self, server=structs.replace(self.server, headers=headers, env=env))


class Served(Struct, frozen=True, kw_only=True):
    """What a call returned. `failed` is the tool's own word for that it did not succeed."""

    result: object
    failed: bool = False
    images: tuple[ImagePart, ...] = ()


Fault = Literal["refused", "unreachable", "timeout", "broken"]


class ServerFailed(Exception):
    """A server cannot be used. The text is for the model and for people.

    `refused`: by our own rules. `unreachable`: nothing was sent. `timeout`, `broken`: what was sent
    may have taken effect.
    """

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault: Fault = fault


class Manner(Struct, frozen=True, kw_only=True):
    """How a call is made. `told` hears of its progress, where the server says anything.

    `patience_s` is how long it may take in the background, where that is longer than else.
    """

    told: Callable[[str], Awaitable[None]] | None = None
    patience_s: float = 0.0


QUIETLY = Manner()


class ToolServers(Protocol):
    """Every wait is bounded. Cancelling a call tells the server so. Raises ServerFailed."""

    async def list_tools(self, at: Reached) -> tuple[ServedTool, ...]:
        """All that the server offers now."""
        ...

    async def call(
        self, at: Reached, tool: str, arguments: Json, *, key: str, manner: Manner = QUIETLY
    ) -> Served:
        """Calls a tool once; the server is told the call's idempotency key."""
        ...
