"""The members that harnesses, agents and sessions share on the wire.

UNSET tells a member that was left out from one that is null: a patch leaves the first alone. MCP
servers are read under both spellings in use, and written as `mcpServers`.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, structs

from mainspring_api.domain import limits as bounds
from mainspring_api.domain.mcp import carried_out_here
from mainspring_api.domain.naming import check_tags
from mainspring_api.domain.paths import directories, normalise
from mainspring_api.domain.resources import Tier
from mainspring_api.domain.tiers import check_model_id
from mainspring_api.usecases.files import decode_content
from mainspring_harness.arguments import check_schema
from mainspring_harness.mcp import servers_of
from mainspring_harness.registry import Registry
from mainspring_kernel import limits
from mainspring_kernel.errors import ValidationFailed
from mainspring_schema.agents import (
    CapabilityRef,
    EffectClass,
    InitialFile,
    NetworkAccess,
    ToolDefinition,
    ToolHints,
)
from mainspring_schema.messages import Json

T = TypeVar("T")
B = TypeVar("B")

Label = Annotated[str, Meta(max_length=limits.DISPLAY_NAME_CHARS_MAX)]
Tag = Annotated[str, Meta(min_length=1, max_length=bounds.NAME_CHARS_MAX)]
Iterations = Annotated[int, Meta(ge=1, le=limits.TURN_ITERATIONS_MAX)]
ToolName = Annotated[str, Meta(pattern="^[A-Za-z0-9_.-]{1,128}$")]
Prompt = Annotated[str, Meta(max_length=bounds.SYSTEM_PROMPT_BYTES_MAX)]


class CapabilityBody(Struct, frozen=True, kw_only=True):
    ref: Annotated[str, Meta(min_length=1, max_length=200)]
    config: Json | None = None


class ToolBody(Struct, frozen=True, kw_only=True, rename={"kind": "type"}):
    name: ToolName
    kind: Literal["builtin", "client_side"] = "client_side"
    description: str = ""
    parameters: Json = msgspec.field(default_factory=dict)
    display_name: str | None = None
    category: str | None = None
    hints: ToolHints | None = None
    deferrable: Literal["never", "automatic", "always"] | None = None
    full_parameters: Json | None = None
    policy: str | None = None
    effect_class: EffectClass | None = None


class FileBody(Struct, frozen=True, kw_only=True):
    path: Annotated[str, Meta(min_length=1, max_length=1024)]
    content: str
    encoding: Literal["text", "base64"] | None = None
    is_readonly: bool | None = None


class NetworkBody(Struct, frozen=True, kw_only=True):
    """An empty `allowed` allows every host that is not blocked."""

    allowed: list[str] | None = None
    blocked: list[str] | None = None


Tools = Annotated[list[ToolBody], Meta(max_length=bounds.TOOLS_PER_AGENT_MAX)]
Files = Annotated[list[FileBody], Meta(max_length=bounds.INITIAL_FILES_MAX)]


class TierBody(Struct, frozen=True, kw_only=True, rename={"mcp_servers_camel": "mcpServers"}):
    system_prompt: Prompt | UnsetType | None = UNSET
    capabilities: list[CapabilityBody] | UnsetType | None = UNSET
    tools: Tools | UnsetType | None = UNSET
    initial_files: Files | UnsetType | None = UNSET
    mcp_servers: dict[str, Json] | UnsetType | None = UNSET
    mcp_servers_camel: dict[str, Json] | UnsetType | None = UNSET
    network_access: NetworkBody | UnsetType | None = UNSET
    max_iterations: Iterations | UnsetType | None = UNSET
    parallel_tool_calls: bool | UnsetType | None = UNSET
    tags: list[Tag] | UnsetType | None = UNSET
    hints: Json | UnsetType | None = UNSET


def kept(value: T | UnsetType | None, present: T | None) -> T | None:
    """What a member becomes: `present` where it was left out."""
    return present if isinstance(value, UnsetType) else value


def tier_of(
    body: TierBody, present: Tier, registry: Registry, model_id: str | UnsetType | None
) -> Tier:
    """The tier with what the body gives. Raises ValidationFailed and the errors of the harness."""
    servers = body.mcp_servers_camel if body.mcp_servers is UNSET else body.mcp_servers
    tier = structs.replace(
        present,
        system_prompt=kept(body.system_prompt, present.system_prompt),
        capabilities=_listed(body.capabilities, present.capabilities, _capability),
        tools=_tools(body.tools, present.tools),
        initial_files=_listed(body.initial_files, present.initial_files, _file),
        mcp_servers=kept(servers, present.mcp_servers) or {},
        network_access=_network(body.network_access, present.network_access),
        model_id=kept(model_id, present.model_id),
        max_iterations=kept(body.max_iterations, present.max_iterations),
        parallel_tool_calls=kept(body.parallel_tool_calls, present.parallel_tool_calls),
        tags=_listed(body.tags, present.tags, str),
        hints=kept(body.hints, present.hints),
    )
    check_tier(tier, registry)
    return tier


def check_tier(tier: Tier, registry: Registry) -> None:
    """What a schema cannot say."""
    check_tags(tier.tags)
    check_model_id(tier.model_id)
    registry.resolve(carried_out_here(tier.capabilities))
    servers_of(tier.mcp_servers)
    for tool in tier.tools:
        check_schema(tool.name, tool.parameters)
    for file in tier.initial_files:
        if normalise(file.path) == "/":
            msg = "an initial file needs a name"
            raise ValidationFailed(msg)
        decode_content(file.content, file.encoding)
    directories({normalise(file.path) for file in tier.initial_files})


def _listed(
    value: Sequence[B] | UnsetType | None, present: tuple[T, ...], make: Callable[[B], T]
) -> tuple[T, ...]:
    if isinstance(value, UnsetType):
        return present
    return tuple(make(one) for one in value or ())


def _capability(body: CapabilityBody) -> CapabilityRef:
    return CapabilityRef(ref=body.ref, config=body.config)


def _tools(
    value: Sequence[ToolBody] | UnsetType | None, present: tuple[ToolDefinition, ...]
) -> tuple[ToolDefinition, ...]:
    tools = _listed(value, present, _tool)
    names = [tool.name for tool in tools]
    if len(set(names)) < len(names):
        msg = "two tools have the same name"
        raise ValidationFailed(msg, data={"field": "tools"})
    return tools


def _tool(body: ToolBody) -> ToolDefinition:
    return ToolDefinition(
        name=body.name,
        kind=body.kind,
        description=body.description,
        parameters=body.parameters,
        display_name=body.display_name,
        category=body.category,
        hints=body.hints,
        deferrable=body.deferrable,
        full_parameters=body.full_parameters,
        policy=body.policy,
        effect_class=body.effect_class or "at_most_once",
    )


def _file(body: FileBody) -> InitialFile:
    return InitialFile(
        path=body.path,
        content=body.content,
        encoding=body.encoding or "text",
        is_readonly=bool(body.is_readonly),
    )


def _network(
    value: NetworkBody | UnsetType | None, present: NetworkAccess | None
) -> NetworkAccess | None:
    if isinstance(value, UnsetType):
        return present
    if value is None:
        return None
    allowed = tuple(value.allowed) if value.allowed else None
    return NetworkAccess(allowed=allowed, blocked=tuple(value.blocked or ()))


# ── outgoing ────────────────────────────────────────────────────────────────────────────────────


class ToolView(Struct, frozen=True, kw_only=True, rename={"kind": "type"}):
    kind: Literal["builtin", "client_side"]
    name: str
    description: str
    parameters: Json
    display_name: str | UnsetType = UNSET
    category: str | UnsetType = UNSET
    hints: ToolHints | UnsetType = UNSET
    deferrable: str | UnsetType = UNSET
    full_parameters: Json | UnsetType = UNSET
    policy: str | UnsetType = UNSET
    effect_class: EffectClass


class CapabilityView(Struct, frozen=True, kw_only=True):
    ref: str
    config: Json | UnsetType = UNSET


class NetworkView(Struct, frozen=True, kw_only=True):
    allowed: tuple[str, ...]
    blocked: tuple[str, ...]


class InitialFileView(Struct, frozen=True, kw_only=True):
    path: str
    content: str
    encoding: str
    is_readonly: bool


class TierView(Struct, frozen=True, kw_only=True, rename={"mcp_servers": "mcpServers"}):
    """Shared by the answers of all three tiers."""

    system_prompt: str | None
    capabilities: tuple[CapabilityView, ...]
    tools: tuple[ToolView, ...]
    initial_files: tuple[InitialFileView, ...]
    mcp_servers: dict[str, Json]
    network_access: NetworkView | None
    max_iterations: int | None
    parallel_tool_calls: bool | None
    tags: tuple[str, ...]
    hints: Json | None


def joined(view: Callable[..., T], tier: Tier, **own: object) -> T:
    """A view that extends TierView: the tier's members and its own."""
    members: dict[str, object] = msgspec.structs.asdict(tier_view(tier)) | own
    return view(**members)


def extended(view: Callable[..., T], shown: Struct) -> T:
    """A view with the members of the one it extends; its own have defaults."""
    members: dict[str, object] = msgspec.structs.asdict(shown)
    return view(**members)


def or_unset(value: T | None) -> T | UnsetType:
    return UNSET if value is None else value


def tool_view(tool: ToolDefinition) -> ToolView:
    return ToolView(
        kind=tool.kind,
        name=tool.name,
        description=tool.description,
        parameters=tool.parameters,
        display_name=or_unset(tool.display_name),
        category=or_unset(tool.category),
        hints=or_unset(tool.hints),
        deferrable=or_unset(tool.deferrable),
        full_parameters=or_unset(tool.full_parameters),
        policy=or_unset(tool.policy),
        effect_class=tool.effect_class,
    )


def capability_views(refs: Sequence[CapabilityRef]) -> tuple[CapabilityView, ...]:
    return tuple(CapabilityView(ref=one.ref, config=or_unset(one.config)) for one in refs)


def network_view(rule: NetworkAccess | None) -> NetworkView | None:
    return None if rule is None else NetworkView(allowed=rule.allowed or (), blocked=rule.blocked)


def initial_file_view(file: InitialFile) -> InitialFileView:
    return InitialFileView(
        path=file.path,
        content=file.content,
        encoding=file.encoding,
        is_readonly=file.is_readonly,
    )


def tier_view(tier: Tier) -> TierView:
    return TierView(
        system_prompt=tier.system_prompt,
        capabilities=capability_views(tier.capabilities),
        tools=tuple(tool_view(tool) for tool in tier.tools),
        initial_files=tuple(initial_file_view(one) for one in tier.initial_files),
        mcp_servers=tier.mcp_servers,
        network_access=network_view(tier.network_access),
        max_iterations=tier.max_iterations,
        parallel_tool_calls=tier.parallel_tool_calls,
        tags=tier.tags,
        hints=tier.hints,
    )
