"""The things api owns, as rows: harnesses, agents, sessions, workspaces, files."""

from typing import Final, Literal
from uuid import UUID

import msgspec
from msgspec import Struct, field

from mainspring_kernel.ids import AgentId, HarnessId, OrgId, Prefix, SessionId, WorkspaceId, to_wire
from mainspring_schema.agents import (
    CapabilityRef,
    InitialFile,
    Layer,
    NetworkAccess,
    ToolDefinition,
)
from mainspring_schema.messages import Json

Status = Literal["active", "archived", "deleted"]


class PinnedBase(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a session stands on: the harness and the agent as it keeps them, by their hash."""

    id: UUID
    agent_version_id: UUID | None = None


class Tier(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What harness, agent and session have in common: one layer of configuration."""

    system_prompt: str | None = None
    capabilities: tuple[CapabilityRef, ...] = ()
    tools: tuple[ToolDefinition, ...] = ()
    initial_files: tuple[InitialFile, ...] = ()
    mcp_servers: dict[str, Json] = field(default_factory=dict)
    network_access: NetworkAccess | None = None
    model_id: str | None = None
    max_iterations: int | None = None
    parallel_tool_calls: bool | None = None
    tags: tuple[str, ...] = ()
    hints: Json | None = None
    embedder_metadata: dict[str, str] | None = None
    base: PinnedBase | None = None
    """Of a session only; one that was made before there were bases follows its agent."""
    ancestors: tuple[str, ...] = ()
    """Of a child: the sessions above it, root first, as on the wire."""
    allowed_tools: tuple[str, ...] | None = None
    """Of a child: the tools that it may have."""
    user: str | None = None
    """Of a session only: whose it is, as on the wire; None where nobody said so."""
    call_limit_s: int = 0
    """Of a child that is one background call: how long that may take."""


_TIER: Final = msgspec.json.Decoder(Tier)


def encode_tier(tier: Tier) -> bytes:
    """The bytes a row keeps: member order of schemas and prompts survives, unlike in jsonb."""
    return msgspec.json.encode(tier)


def decode_tier(data: bytes) -> Tier:
    return _TIER.decode(data)


class Harness(Struct, frozen=True, kw_only=True):
    org_id: OrgId
    id: HarnessId
    name: str
    display_name: str | None = None
    description: str | None = None
    parent_id: HarnessId | None = None
    built_in: bool = False
    tier: Tier
    status: Status = "active"
    rev: int = 1
    created_ms: int
    updated_ms: int
    archived_ms: int | None = None

    def layer(self) -> Layer:
        return layer_of(self.tier, "harness", to_wire(Prefix.HARNESS, self.id), self.name)


class Agent(Struct, frozen=True, kw_only=True):
    org_id: OrgId
    id: AgentId
    name: str
    display_name: str | None = None
    description: str | None = None
    harness_id: HarnessId
    tier: Tier
    status: Status = "active"
    rev: int = 1
    created_ms: int
    updated_ms: int
    archived_ms: int | None = None
    default_version_id: UUID | None = None
    """What new sessions get; without one they get the agent as it is."""
    forked_from_agent_id: AgentId | None = None
    forked_from_version_id: UUID | None = None
    root_agent_id: AgentId | None = None
    """The first of a line of forks."""

    def layer(self) -> Layer:
        return layer_of(self.tier, "agent", to_wire(Prefix.AGENT, self.id), self.name)


class Session(Struct, frozen=True, kw_only=True):
    """`harness_id` is fixed when the session is made; its head in the log says what it is doing."""

    org_id: OrgId
    id: SessionId
    workspace_id: WorkspaceId
    harness_id: HarnessId
    agent_id: AgentId | None = None
    title: str | None = None
    locale: str | None = None
    tier: Tier
    rev: int = 1
    created_ms: int
    updated_ms: int
    pinned: bool = False
    forked_from: SessionId | None = None
    forked_seq: int | None = None

    def layer(self) -> Layer:
        return layer_of(self.tier, "session", to_wire(Prefix.SESSION, self.id), self.title or "")


def layer_of(
    tier: Tier, origin: Literal["harness", "agent", "session"], origin_id: str, name: str
) -> Layer:
    return Layer(
        origin=origin,
        origin_id=origin_id,
        name=name,
        system_prompt=tier.system_prompt,
        capabilities=tier.capabilities,
        tools=tier.tools,
        initial_files=tier.initial_files,
        mcp_servers=tier.mcp_servers,
        network_access=tier.network_access,
        model_id=tier.model_id,
        max_iterations=tier.max_iterations,
        parallel_tool_calls=tier.parallel_tool_calls,
    )


class Workspace(Struct, frozen=True, kw_only=True):
    """A session's own has the session's id and no row: it is there while the session is."""

    org_id: OrgId
    id: WorkspaceId
    name: str
    description: str | None = None
    status: Status = "active"
    created_ms: int
    updated_ms: int
    archived_ms: int | None = None


class File(Struct, frozen=True, kw_only=True):
    """`content` is None for directories and where only the listing was asked."""

    org_id: OrgId
    workspace_id: WorkspaceId
    path: str
    id: UUID
    is_directory: bool = False
    is_readonly: bool = False
    size_bytes: int = 0
    content: bytes | None = None
    created_ms: int
    updated_ms: int

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


class Organization(Struct, frozen=True, kw_only=True):
    id: OrgId
    name: str
    default_model_id: str | None = None
    default_harness_id: HarnessId | None = None
    rev: int = 1
    created_ms: int
    updated_ms: int


class Basis(Struct, frozen=True, kw_only=True):
    """What a folded configuration rests on. Equal basis, equal configuration."""

    tier: bytes
    """The session's own, as stored."""
    org_id: OrgId
    org_rev: int
    harness_id: HarnessId
    harness_rev: int
    """Rises with its own changes and with those of its ancestors; 0 for a built-in one."""
    agent_id: AgentId | None = None
    agent_rev: int = 0
