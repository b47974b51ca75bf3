"""MCP servers of an agent: read from its configuration, and their tools as a model is offered them.

What a server says is a stranger's word. Its tools are checked before they are pinned, its hints
only choose among effect classes (none means `at_most_once`), and names get a prefix of ours, so
that no server can put its tool in place of another's.
"""

import hashlib
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct, structs

from mainspring_harness.arguments import check_schema
from mainspring_harness.errors import InvalidMcpServer, InvalidToolSchema
from mainspring_harness.toolset import Offered
from mainspring_schema.agents import (
    CapabilityRef,
    EffectClass,
    RuntimeAgent,
    ToolDefinition,
    ToolHints,
)
from mainspring_schema.codec import canonical_json
from mainspring_schema.limits import (
    MCP_CALL_S_MAX,
    MCP_PIN_BYTES_MAX,
    MCP_SERVERS_PER_AGENT_MAX,
    MCP_TOOLS_PER_SERVER_MAX,
)
from mainspring_schema.mcp import McpServer, ServedTool, ToolPin
from mainspring_schema.messages import Json

CAPABILITY: Final = "mcp"
"""What carries out the calls of all servers' tools."""
REF: Final = "mcp:"
"""A capability ref that begins so names a server of the organization by its id."""
_SERVER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_STRANGE: Final = re.compile(r"[^A-Za-z0-9_-]")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_TOOL_NAME_CHARS_MAX: Final = 64
"""What every provider of models takes."""
_DESCRIPTION_CHARS_MAX: Final = 4_000
_Short = Annotated[str, Meta(max_length=2_000)]
_Words = Annotated[tuple[Annotated[str, Meta(max_length=200)], ...], Meta(max_length=200)]


class _Told(Struct, frozen=True, kw_only=True):
    """The members of a configuration that are read; others belong to other clients."""

    type: Literal["http", "streamable_http", "streamable-http", "stdio"] | None = None
    transport_type: Literal["http", "stdio"] | None = None
    url: Annotated[str, Meta(pattern="^https?://[^\\s]+$", max_length=2_000)] | None = None
    headers: dict[str, _Short] = {}
    command: _Short | None = None
    args: _Words = ()
    env: dict[str, _Short] = {}
    allowed_tools: _Words | None = None
    tools_hash: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | None = None
    timeout_seconds: Annotated[int, Meta(ge=1, le=MCP_CALL_S_MAX)] | None = None


def server_of(name: str, config: Json) -> McpServer:
    """One entry of `mcpServers`. Raises InvalidMcpServer."""
    if _SERVER.fullmatch(name) is None:
        raise InvalidMcpServer(name, "a name has 1 to 32 letters, digits, dashes and underscores")
    try:
        told = msgspec.convert(config, _Told)
    except msgspec.ValidationError as error:
        raise InvalidMcpServer(name, str(error)) from error
    if (told.url is None) is (told.command is None):
        raise InvalidMcpServer(name, "it needs either a url or a command")
    _check_names(name, told)
    return McpServer(
        url=told.url,
        headers=told.headers,
        command=told.command,
        args=told.args,
        env=told.env,
        allowed_tools=told.allowed_tools,
        tools_hash=told.tools_hash,
        timeout_seconds=told.timeout_seconds,
    )


def _check_names(name: str, told: _Told) -> None:
    for header, value in told.headers.items():
        if _HEADER.fullmatch(header) is None or not value.isprintable():
            raise InvalidMcpServer(name, f"no header can be {header[:40]!r} with that value")
    for variable in told.env:
        if _VARIABLE.fullmatch(variable) is None:
            raise InvalidMcpServer(name, f"no variable can be named {variable[:40]!r}")


def servers_of(configs: Mapping[str, Json]) -> dict[str, McpServer]:
    """All of a tier. Raises InvalidMcpServer."""
    if len(configs) > MCP_SERVERS_PER_AGENT_MAX:
        raise InvalidMcpServer("*", f"an agent has at most {MCP_SERVERS_PER_AGENT_MAX} servers")
    return {name: server_of(name, config) for name, config in configs.items()}


def with_servers(
    agent: RuntimeAgent, inline: Mapping[str, Json], own: Mapping[str, tuple[str, McpServer]]
) -> RuntimeAgent:
    """The agent with its servers: those of `mcpServers`, and those its `mcp:` refs name.

    `own` holds the organization's servers by ref, each with its name; an inline one of the same
    name wins. A ref that is not there stays, and is refused as the unknown capability it is.
    Raises InvalidMcpServer.
    """
    refs = agent.capabilities
    named = {own[ref.ref][0]: own[ref.ref][1] for ref in refs if ref.ref in own}
    servers = {**named, **servers_of(inline)}
    if not servers:
        return agent
    rest = tuple(ref for ref in refs if ref.ref not in own)
    if not any(ref.ref == CAPABILITY for ref in rest):
        rest = (*rest, CapabilityRef(ref=CAPABILITY))
    return structs.replace(agent, capabilities=rest, mcp_servers=servers)


def command_line(server: McpServer) -> str:
    """As an operator allows it: the words of a command, quoted where that is needed."""
    return shlex.join((server.command or "", *server.args))


# ── tools ───────────────────────────────────────────────────────────────────────────────────────


def source_of(server: McpServer) -> str:
    """Two servers that are reached alike are one; what opens them may change."""
    reached = (server.id, server.url, server.command, server.args)
    return hashlib.sha256(canonical_json(reached)).hexdigest()


def pin_of(name: str, server: McpServer, tools: Sequence[ServedTool]) -> ToolPin:
    """The tools as they are kept. Raises InvalidMcpServer for what no model should be shown."""
    if len(tools) > MCP_TOOLS_PER_SERVER_MAX:
        raise InvalidMcpServer(name, f"it offers more than {MCP_TOOLS_PER_SERVER_MAX} tools")
    if len({tool.name for tool in tools}) < len(tools):
        raise InvalidMcpServer(name, "it offers several tools of one name")
    for tool in tools:
        _check_tool(name, tool)
    ordered = tuple(sorted(tools, key=lambda tool: tool.name))
    told = canonical_json(ordered)
    if len(told) > MCP_PIN_BYTES_MAX:
        raise InvalidMcpServer(name, f"what it says of its tools is over {MCP_PIN_BYTES_MAX} B")
    found = hashlib.sha256(told).hexdigest()
    if server.tools_hash not in {None, found}:
        raise InvalidMcpServer(name, f"its tools are not those that were expected, but {found}")
    return ToolPin(server=name, source=source_of(server), hash=found, tools=ordered)


def _check_tool(server: str, tool: ServedTool) -> None:
    if not tool.name or not tool.name.isprintable() or len(tool.name) > 200:  # noqa: PLR2004 - a name
        raise InvalidMcpServer(server, "a tool has no usable name")
    try:
        check_schema(tool.name, tool.input_schema)
    except InvalidToolSchema as error:
        raise InvalidMcpServer(server, error.detail or error.title) from error


class PinnedTool(Struct, frozen=True, kw_only=True):
    """A tool as a model is offered it, and as its server knows it."""

    offered: Offered
    pin: ToolPin
    tool: ServedTool


def allowed(agent: RuntimeAgent, pins: Iterable[ToolPin]) -> dict[str, PinnedTool]:
    """What an agent may call of its servers."""
    found = offered(agent.mcp_servers, pins)
    if agent.allowed_tools is None:
        return found
    return {name: tool for name, tool in found.items() if name in agent.allowed_tools}


def offered(servers: Mapping[str, McpServer], pins: Iterable[ToolPin]) -> dict[str, PinnedTool]:
    """What a model may call of the agent's servers, by the name it calls it by."""
    found: dict[str, PinnedTool] = {}
    for pin in pins:
        server = servers.get(pin.server)
        if server is None or pin.source != source_of(server):
            continue
        for tool in pin.tools:
            if server.allowed_tools is not None and tool.name not in server.allowed_tools:
                continue
            definition = _definition(pin.server, tool)
            one = Offered(definition=definition, capability_id=CAPABILITY)
            found.setdefault(definition.name, PinnedTool(offered=one, pin=pin, tool=tool))
    return found


def _definition(server: str, tool: ServedTool) -> ToolDefinition:
    return ToolDefinition(
        name=tool_name(server, tool.name),
        display_name=tool.title,
        description=_plain(tool.description)[:_DESCRIPTION_CHARS_MAX],
        category="mcp",
        parameters=tool.input_schema or {"type": "object"},
        hints=ToolHints(
            readonly=tool.readonly,
            destructive=tool.destructive,
            idempotent=tool.idempotent,
            open_world=True,
            long_running=True,
            capability_id=CAPABILITY,
            capability_name=server,
        ),
        effect_class=effect_class(tool),
    )


def tool_name(server: str, tool: str) -> str:
    """`mcp_{server}__{tool}`; where that is no name a model can call, a likeness with a hash."""
    plain = f"mcp_{server}__{tool}"
    name = _STRANGE.sub("_", plain)
    if name == plain and len(name) <= _TOOL_NAME_CHARS_MAX:
        return name
    digest = hashlib.sha256(plain.encode()).hexdigest()[:8]
    return f"{name[: _TOOL_NAME_CHARS_MAX - 9]}_{digest}"


def effect_class(tool: ServedTool) -> EffectClass:
    """What a crash may do to a call, as far as the server's hints say it."""
    if tool.readonly:
        return "pure"
    return "idempotent" if tool.idempotent else "at_most_once"


def _plain(text: str) -> str:
    """Without what people do not see and models read: control, format and private characters."""
    # Most are plain, and each is read once more with every call of a model.
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(c for c in text if c.isprintable() or c in "\n\t")
