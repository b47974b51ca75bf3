"""MCP servers of an organization and pins of sessions on the wire. Keys never."""

from typing import Annotated, Literal, cast

from msgspec import UNSET, Meta, Struct, UnsetType

from mainspring_api.adapters.http.wire.models import ApiKey
from mainspring_api.domain.mcp import OwnServer, PinnedTools
from mainspring_api.usecases.mcp_servers import ServerDraft
from mainspring_kernel.errors import ValidationFailed
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_kernel.times import rfc3339
from mainspring_schema.limits import MCP_CALL_S_MAX
from mainspring_schema.messages import Json

ServerName = Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
_Text = Annotated[str, Meta(max_length=2_000)]
_Words = Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(max_length=200)]
_CONFIG = ("url", "headers", "command", "args", "allowed_tools", "tools_hash", "timeout_seconds")


class McpServerPatch(Struct, frozen=True, kw_only=True):
    """`auth_mode` api_key sends the key as a bearer token; none forgets the key."""

    name: ServerName | UnsetType = UNSET
    description: _Text | UnsetType | None = UNSET
    transport_type: Literal["http", "stdio"] | UnsetType = UNSET
    url: Annotated[str, Meta(pattern="^https?://[^\\s]+$", max_length=2_000)] | UnsetType | None = (
        UNSET
    )
    headers: dict[str, _Text] | UnsetType = UNSET
    command: _Text | UnsetType | None = UNSET
    args: _Words | UnsetType = UNSET
    allowed_tools: _Words | UnsetType | None = UNSET
    tools_hash: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | UnsetType | None = UNSET
    timeout_seconds: Annotated[int, Meta(ge=1, le=MCP_CALL_S_MAX)] | UnsetType | None = UNSET
    auth_mode: Literal["none", "api_key"] | UnsetType = UNSET
    api_key: ApiKey | UnsetType = UNSET
    status: Literal["active", "archived"] | UnsetType = UNSET


class McpServerBody(McpServerPatch, frozen=True, kw_only=True):
    name: ServerName  # pyright: ignore[reportGeneralTypeIssues] -- required here, optional in a patch


class McpServerView(Struct, frozen=True, kw_only=True):
    id: str
    name: str
    description: str | None
    transport_type: Literal["http", "stdio"]
    url: str | None
    headers: dict[str, str]
    command: str | None
    args: tuple[str, ...]
    allowed_tools: tuple[str, ...] | None
    tools_hash: str | None
    timeout_seconds: int | None
    auth_mode: Literal["none", "api_key"]
    api_key_set: bool
    capability_ref: str
    status: Literal["active", "archived"]
    created_at: str
    updated_at: str


class PinnedToolView(Struct, frozen=True, kw_only=True):
    name: str
    description: str
    parameters: Json


class PinView(Struct, frozen=True, kw_only=True):
    """`hash` covers all that the server says of its tools; it may go into `tools_hash`."""

    name: str
    hash: str
    tools: tuple[PinnedToolView, ...]
    pinned_at: str


def server_draft(body: McpServerPatch, present: OwnServer | None) -> ServerDraft:
    """What a body makes of a server. Raises ValidationFailed."""
    config: Json = dict(present.config) if present else {}
    for name in _CONFIG:
        value = cast("object", getattr(body, name))
        if value is None:
            config.pop(name, None)
        elif value is not UNSET:
            config[name] = value
    transport = body.transport_type
    if not isinstance(transport, UnsetType) and (transport == "stdio") is not ("command" in config):
        msg = "transport_type http goes with a url, stdio with a command"
        raise ValidationFailed(msg)
    if body.auth_mode == "api_key" and not (body.api_key or (present and present.sealed)):
        msg = "auth_mode api_key needs an api_key"
        raise ValidationFailed(msg)
    described = present.description if present else None
    return ServerDraft(
        name=present.name if isinstance(body.name, UnsetType) and present else str(body.name),
        description=described if isinstance(body.description, UnsetType) else body.description,
        config=config,
        api_key=None if isinstance(body.api_key, UnsetType) else body.api_key,
        keyless=body.auth_mode == "none",
        status=_status(body, present),
    )


def _status(body: McpServerPatch, present: OwnServer | None) -> Literal["active", "archived"]:
    if isinstance(body.status, UnsetType):
        return present.status if present else "active"
    return body.status


def server_view(one: OwnServer) -> McpServerView:
    server, wire = one.server(), to_wire(Prefix.MCP_SERVER, one.id)
    return McpServerView(
        id=wire,
        name=one.name,
        description=one.description,
        transport_type="http" if server.command is None else "stdio",
        url=server.url,
        headers=server.headers,
        command=server.command,
        args=server.args,
        allowed_tools=server.allowed_tools,
        tools_hash=server.tools_hash,
        timeout_seconds=server.timeout_seconds,
        auth_mode="none" if one.sealed is None else "api_key",
        api_key_set=one.sealed is not None,
        capability_ref=f"mcp:{one.id}",
        status=one.status,
        created_at=rfc3339(one.created_ms),
        updated_at=rfc3339(one.updated_ms),
    )


def pin_view(one: PinnedTools) -> PinView:
    tools = tuple(
        PinnedToolView(name=tool.name, description=tool.description, parameters=tool.input_schema)
        for tool in one.pin.tools
    )
    return PinView(name=one.key, hash=one.pin.hash, tools=tools, pinned_at=rfc3339(one.updated_ms))
