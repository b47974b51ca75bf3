"""An organization's MCP servers, and what its sessions have pinned of any server's tools."""

from collections.abc import Sequence
from typing import ClassVar, Literal
from uuid import UUID

from mainspring_api.domain.records import Record
from mainspring_api.domain.secrets import Sealed
from mainspring_harness.mcp import REF, server_of
from mainspring_kernel.errors import InvalidId
from mainspring_kernel.ids import Prefix, from_wire, to_wire
from mainspring_schema.agents import CapabilityRef
from mainspring_schema.mcp import McpServer, ToolPin
from mainspring_schema.messages import Json


class OwnServer(Record, frozen=True, kw_only=True):
    """Its key is its name, by which its tools are called. `config` is as in `mcpServers`."""

    kind: ClassVar[str] = "mcp_server"

    description: str | None = None
    config: Json
    sealed: Sealed | None = None
    status: Literal["active", "archived"] = "active"

    @property
    def name(self) -> str:
        return self.key

    def server(self) -> McpServer:
        """As an agent that names it gets it. Raises InvalidMcpServer."""
        return server_of(self.name, self.config).of_record(to_wire(Prefix.MCP_SERVER, self.id))


class PinnedTools(Record, frozen=True, kw_only=True):
    """Its owner is the session, its key the server's name there."""

    kind: ClassVar[str] = "mcp_pin"
    by_time: ClassVar[bool] = True

    pin: ToolPin


def carried_out_here(refs: Sequence[CapabilityRef]) -> tuple[CapabilityRef, ...]:
    """Without those that name a server of the organization, whose rows are not looked at."""
    return tuple(one for one in refs if server_id(one.ref) is None)


def server_id(ref: str) -> UUID | None:
    """Which server a capability ref names; None where it is no such ref, or names none."""
    if not ref.startswith(REF):
        return None
    text = ref.removeprefix(REF)
    try:
        return from_wire(Prefix.MCP_SERVER, text) if "_" in text else UUID(text)
    except (InvalidId, ValueError):
        return None
