"""How the tiers of a session become what the engine stores by hash."""

import hashlib
from collections.abc import Sequence
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_api.domain.catalogue import model_choice
from mainspring_api.domain.resources import Agent, Harness, Session
from mainspring_harness import mcp, toolsets
from mainspring_harness.builtin import agent_instructions
from mainspring_harness.builtin.background_execution import relayed
from mainspring_harness.folding import Folded, fold, runtime_agent
from mainspring_harness.registry import Registry
from mainspring_kernel.errors import MainspringError
from mainspring_kernel.ids import LLMSIM_MODEL_ID, ModelId, Prefix, from_wire, to_wire
from mainspring_schema.agents import (
    CapabilityRef,
    InitialFile,
    ModelChoice,
    RuntimeAgent,
    decode_runtime_agent,
    encode_runtime_agent,
)
from mainspring_schema.mcp import McpServer
from mainspring_schema.toolsets import Toolset


class Tiers(Struct, frozen=True, kw_only=True):
    """All that folds. `harnesses` is root first; `session` is None for a preview of an agent."""

    harnesses: Sequence[Harness]
    agent: Agent | None = None
    session: Session | None = None
    default_model_id: str | None = None
    own_model: ModelChoice | None = None
    """What they fold to, where it is a model of the organization and not of the house."""
    org_rev: int = 0
    own_servers: dict[str, tuple[str, McpServer]] = {}
    """MCP servers of the organization that they name, by ref, each with its name."""


class Configuration(Struct, frozen=True, kw_only=True):
    """A folded agent as bytes under their SHA-256."""

    hash: bytes
    data: bytes
    reads_instructions: bool = False
    """Whether the workspace has a say in it: then it is not complete without that."""
    toolsets: tuple[str, ...] = ()
    """Sets of tools whose workers have a say in it."""
    mounts: tuple[InitialFile, ...] = ()
    """Files that its capabilities bring."""


def folded_tiers(tiers: Tiers, message_model_id: str | None = None) -> Folded:
    layers = [harness.layer() for harness in tiers.harnesses]
    layers += [tier.layer() for tier in (tiers.agent, tiers.session) if tier is not None]
    return fold(
        layers,
        message_model_id=message_model_id,
        default_model_id=tiers.default_model_id or to_wire(Prefix.MODEL, LLMSIM_MODEL_ID),
    )


def folded_agent(tiers: Tiers, folded: Folded) -> RuntimeAgent:
    agent = tiers.agent
    wire = folded.model_id.value if folded.model_id else to_wire(Prefix.MODEL, LLMSIM_MODEL_ID)
    bare = runtime_agent(
        folded,
        harness_id=to_wire(Prefix.HARNESS, tiers.harnesses[-1].id),
        model=tiers.own_model or model_choice(ModelId(from_wire(Prefix.MODEL, wire))),
        agent_id=to_wire(Prefix.AGENT, agent.id) if agent else None,
        agent_name=agent.name if agent else None,
        agent_description=agent.description if agent else None,
    )
    inline = {name: one.value for name, one in folded.mcp_servers.items()}
    session = tiers.session
    if session is not None and session.tier.ancestors:
        bare = msgspec.structs.replace(
            bare, ancestors=session.tier.ancestors, allowed_tools=session.tier.allowed_tools
        )
        if session.tier.call_limit_s:
            bare = relayed(bare, session.tier.call_limit_s)
    if session is not None and session.tier.user is not None:
        bare = msgspec.structs.replace(bare, user=session.tier.user)
    return mcp.with_servers(bare, inline, tiers.own_servers)


def capability_refs(tiers: Tiers) -> tuple[CapabilityRef, ...]:
    """What its turns have. A server of the organization counts as there: it is not looked for."""
    refs = folded_agent(tiers, folded_tiers(tiers)).capabilities
    served = CapabilityRef(ref=mcp.CAPABILITY)
    return tuple(served if ref.ref.startswith(mcp.REF) else ref for ref in refs)


def configure(tiers: Tiers, message_model_id: str | None, registry: Registry) -> Configuration:
    agent = folded_agent(tiers, folded_tiers(tiers, message_model_id))
    data = encode_runtime_agent(agent)
    return Configuration(
        hash=hashlib.sha256(data).digest(),
        data=data,
        reads_instructions=reads_instructions(agent),
        toolsets=toolsets.names(agent.capabilities),
        mounts=mounts_of(agent, registry),
    )


def mounts_of(agent: RuntimeAgent, registry: Registry) -> tuple[InitialFile, ...]:
    """Of all its capabilities; none where these cannot be had, which its turn will say."""
    try:
        applied = registry.resolve(agent.capabilities)
    except MainspringError:
        return ()
    return tuple(file for one in applied for file in one.capability.mounts(one.config))


def reads_instructions(agent: RuntimeAgent) -> bool:
    return any(ref.ref == agent_instructions.ID for ref in agent.capabilities)


def with_instructions(configuration: Configuration, text: str | None) -> Configuration:
    """The same with what the workspace says."""
    if text is None:
        return configuration
    agent = decode_runtime_agent(configuration.data)
    return _complete(msgspec.structs.replace(agent, agent_instructions=text), configuration.mounts)


def with_tools(
    configuration: Configuration, announced: Sequence[Toolset], registry: Registry
) -> Configuration:
    """The same with what workers announced. Raises ToolsetUnknown."""
    agent = toolsets.with_toolsets(decode_runtime_agent(configuration.data), announced)
    return _complete(agent, mounts_of(agent, registry))


def _complete(agent: RuntimeAgent, mounts: tuple[InitialFile, ...]) -> Configuration:
    data = encode_runtime_agent(agent)
    return Configuration(hash=hashlib.sha256(data).digest(), data=data, mounts=mounts)


def check_model_id(model_id: str | None) -> None:
    """Raises InvalidId for one that cannot be a model."""
    if model_id is not None:
        _: UUID = from_wire(Prefix.MODEL, model_id)
