"""Folds the tiers (harness and its ancestors, agent, session) into one configuration.

Later layers stand nearer to the conversation: they add, or they win, field by field as
docs/configuration.md says. Where each value came from is kept for the preview.
"""

from collections.abc import Iterable, Sequence
from typing import Generic, Literal, TypeAlias, TypeVar

from msgspec import Struct

from mainspring_harness.network import combine
from mainspring_kernel import limits
from mainspring_schema.agents import (
    CapabilityRef,
    InitialFile,
    Layer,
    ModelChoice,
    NetworkAccess,
    RuntimeAgent,
    ToolDefinition,
)
from mainspring_schema.messages import Json

T = TypeVar("T")

Tier: TypeAlias = Literal["default", "harness", "agent", "session", "message"]


class Origin(Struct, frozen=True, kw_only=True):
    """Who said it. `tier` is `message` for a message's controls, `default` for our own figure."""

    tier: Tier
    id: str = ""
    name: str = ""


class Sourced(Struct, Generic[T], frozen=True, kw_only=True):
    """A value and the layer it came from."""

    value: T
    origin: Origin


class Folded(Struct, frozen=True, kw_only=True):
    """All tiers in one. Tuples keep the order in which a name first appeared."""

    prompts: tuple[Sourced[str], ...]
    capabilities: tuple[Sourced[CapabilityRef], ...]
    tools: tuple[Sourced[ToolDefinition], ...]
    initial_files: tuple[Sourced[InitialFile], ...]
    mcp_servers: dict[str, Sourced[Json]]
    network_access: NetworkAccess | None
    network_rules: tuple[Sourced[NetworkAccess], ...]
    """The rules that `network_access` is the sum of."""
    model_id: Sourced[str] | None
    max_iterations: Sourced[int]
    parallel_tool_calls: Sourced[bool]

    @property
    def system_prompt(self) -> str:
        """The prompts of all tiers, root harness first, session last."""
        return "\n\n".join(prompt.value for prompt in self.prompts)


_OURS = Origin(tier="default")


def fold(
    layers: Sequence[Layer],
    *,
    message_model_id: str | None = None,
    default_model_id: str | None = None,
) -> Folded:
    """One configuration from `layers`: root harness first, then its heirs, agent, session.

    A message's own model beats every tier, the organization's default yields to every tier; with
    neither and no tier naming one, `model_id` is None. Raises ValueError for layers out of order.
    """
    _check_order(layers)
    named = [(layer, _origin(layer)) for layer in layers]
    return Folded(
        prompts=tuple(
            Sourced(value=layer.system_prompt, origin=origin)
            for layer, origin in named
            if layer.system_prompt
        ),
        capabilities=_by_name(
            (ref.ref, ref, origin) for layer, origin in named for ref in layer.capabilities
        ),
        tools=_by_name(
            (tool.name, tool, origin) for layer, origin in named for tool in layer.tools
        ),
        initial_files=_by_name(
            (file.path, file, origin) for layer, origin in named for file in layer.initial_files
        ),
        mcp_servers=_servers(named),
        network_access=combine(layer.network_access for layer in layers),
        network_rules=_network_rules(named),
        model_id=_model_id(named, message_model_id, default_model_id),
        max_iterations=_max_iterations(named),
        parallel_tool_calls=_last(
            ((layer.parallel_tool_calls, origin) for layer, origin in named), default=True
        ),
    )


def runtime_agent(
    folded: Folded,
    *,
    harness_id: str,
    model: ModelChoice,
    agent_id: str | None = None,
    agent_name: str | None = None,
    agent_description: str | None = None,
) -> RuntimeAgent:
    """What the engine stores by hash and a worker runs: the folded values without their origins."""
    return RuntimeAgent(
        harness_id=harness_id,
        agent_id=agent_id,
        agent_name=agent_name,
        agent_description=agent_description,
        system_prompt=folded.system_prompt,
        capabilities=tuple(ref.value for ref in folded.capabilities),
        tools=tuple(tool.value for tool in folded.tools),
        model=model,
        max_iterations=folded.max_iterations.value,
        parallel_tool_calls=folded.parallel_tool_calls.value,
        network_access=folded.network_access,
    )


_RANK = {"harness": 0, "agent": 1, "session": 2}


def _check_order(layers: Sequence[Layer]) -> None:
    ranks = [_RANK[layer.origin] for layer in layers]
    if ranks != sorted(ranks):
        message = f"layers out of order: {[layer.origin for layer in layers]}"
        raise ValueError(message)


def _origin(layer: Layer) -> Origin:
    return Origin(tier=layer.origin, id=layer.origin_id, name=layer.name)


def _by_name(entries: Iterable[tuple[str, T, Origin]]) -> tuple[Sourced[T], ...]:
    """A name that comes again keeps its place and takes the later value."""
    found: dict[str, Sourced[T]] = {}
    for name, value, origin in entries:
        found[name] = Sourced(value=value, origin=origin)
    return tuple(found.values())


def _last(entries: Iterable[tuple[T | None, Origin]], *, default: T) -> Sourced[T]:
    result = Sourced(value=default, origin=_OURS)
    for value, origin in entries:
        if value is not None:
            result = Sourced(value=value, origin=origin)
    return result


def _servers(named: Sequence[tuple[Layer, Origin]]) -> dict[str, Sourced[Json]]:
    return {
        name: Sourced(value=server, origin=origin)
        for layer, origin in named
        for name, server in layer.mcp_servers.items()
    }


def _network_rules(
    named: Sequence[tuple[Layer, Origin]],
) -> tuple[Sourced[NetworkAccess], ...]:
    return tuple(
        Sourced(value=layer.network_access, origin=origin)
        for layer, origin in named
        if layer.network_access is not None
    )


def _model_id(
    named: Sequence[tuple[Layer, Origin]], message: str | None, default: str | None
) -> Sourced[str] | None:
    if message is not None:
        return Sourced(value=message, origin=Origin(tier="message"))
    chosen = _last(((layer.model_id, origin) for layer, origin in named), default=default or "")
    return chosen if chosen.value else None


def _max_iterations(named: Sequence[tuple[Layer, Origin]]) -> Sourced[int]:
    asked = _last(
        ((layer.max_iterations, origin) for layer, origin in named),
        default=limits.TURN_ITERATIONS_DEFAULT,
    )
    bounded = min(max(asked.value, 1), limits.TURN_ITERATIONS_MAX)
    return Sourced(value=bounded, origin=asked.origin)
