"""Every folded value with who said it, on the wire."""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from msgspec import Struct

from mainspring_api.adapters.http.wire.preview import OriginView, origin_view
from mainspring_api.adapters.http.wire.tiers import (
    CapabilityView,
    InitialFileView,
    NetworkView,
    ToolView,
    capability_views,
    initial_file_view,
    network_view,
    tool_view,
)
from mainspring_api.usecases.preview import Preview
from mainspring_harness.folding import Sourced
from mainspring_schema.agents import NetworkAccess
from mainspring_schema.messages import Json

V = TypeVar("V")
T = TypeVar("T")


class Said(Struct, Generic[V], frozen=True, kw_only=True):
    value: V
    origin: OriginView


class NamedServer(Struct, frozen=True, kw_only=True):
    name: str
    server: object


class NetworkSaid(Struct, frozen=True, kw_only=True):
    """What the rules come to, and the rules."""

    value: NetworkView | None
    rules: tuple[Said[NetworkView], ...]


class ResolvedView(Struct, frozen=True, kw_only=True, rename={"mcp_servers": "mcpServers"}):
    """Lists keep the order in which they are folded; the nearest tier wins by name."""

    harness_id: str
    agent_id: str | None
    prompts: tuple[Said[str], ...]
    capabilities: tuple[Said[CapabilityView], ...]
    tools: tuple[Said[ToolView], ...]
    initial_files: tuple[Said[InitialFileView], ...]
    mcp_servers: tuple[Said[NamedServer], ...]
    network_access: NetworkSaid
    model_id: Said[str] | None
    max_iterations: Said[int]
    parallel_tool_calls: Said[bool]


def resolved_view(shown: Preview) -> ResolvedView:
    folded = shown.folded
    return ResolvedView(
        harness_id=shown.agent.harness_id,
        agent_id=shown.agent.agent_id,
        prompts=_all(folded.prompts, str),
        capabilities=_all(folded.capabilities, lambda ref: capability_views([ref])[0]),
        tools=_all(folded.tools, tool_view),
        initial_files=_all(folded.initial_files, initial_file_view),
        mcp_servers=_servers(folded.mcp_servers),
        network_access=NetworkSaid(
            value=network_view(folded.network_access), rules=_all(folded.network_rules, _rule)
        ),
        model_id=_said(folded.model_id, str) if folded.model_id is not None else None,
        max_iterations=_said(folded.max_iterations, int),
        parallel_tool_calls=_said(folded.parallel_tool_calls, bool),
    )


def _said(one: Sourced[T], view: Callable[[T], V]) -> Said[V]:
    return Said(value=view(one.value), origin=origin_view(one.origin))


def _all(those: Iterable[Sourced[T]], view: Callable[[T], V]) -> tuple[Said[V], ...]:
    return tuple(_said(one, view) for one in those)


def _servers(servers: dict[str, Sourced[Json]]) -> tuple[Said[NamedServer], ...]:
    return tuple(
        Said(value=NamedServer(name=name, server=one.value), origin=origin_view(one.origin))
        for name, one in servers.items()
    )


def _rule(rule: NetworkAccess) -> NetworkView:
    return NetworkView(allowed=rule.allowed or (), blocked=rule.blocked)
