"""A tool of an MCP server. It is called as its session pinned it, or not at all."""

from collections.abc import Mapping
from typing import Final

from mainspring_harness import mcp
from mainspring_harness.arguments import problems
from mainspring_harness.errors import InvalidMcpServer
from mainspring_schema.agents import EffectClass, ToolDefinition, ToolHints
from mainspring_schema.mcp import ListPins, ServedTool, ToolPin
from mainspring_schema.messages import Json
from mainspring_worker.adapters.builtin_tools.function import error
from mainspring_worker.ports.servers import Manner, Reached, Served, ServerFailed, ToolServers
from mainspring_worker.ports.tool import Tool, ToolBox, ToolContext, ToolOutcome
from mainspring_worker.usecases.servers import reached

_HINTS: Final = ToolHints(open_world=True, long_running=True)


class WithServers:
    """A `ToolBox` that has the tools of MCP servers beside those of another."""

    def __init__(self, inner: ToolBox, servers: ToolServers) -> None:
        self._inner = inner
        self._servers = servers

    def find(self, name: str, capability_id: str | None) -> Tool | None:
        if capability_id == mcp.CAPABILITY:
            return ServedToolCall(name, self._servers)
        return self._inner.find(name, capability_id)


class ServedToolCall:
    """Which tool it is, the pins of the session say."""

    def __init__(self, name: str, servers: ToolServers) -> None:
        self.definition = ToolDefinition(name=name, hints=_HINTS)
        self._servers = servers

    async def call(self, arguments: Json, context: ToolContext) -> ToolOutcome:
        if context.agent is None:
            return error("it is not known which servers there are")
        pins = (await context.resources.ask(ListPins())).pins
        found = mcp.allowed(context.agent, pins).get(self.definition.name)
        if found is None:
            return error("no MCP server of this session has such a tool any more")
        offered, pin, tool = found.offered, found.pin, found.tool
        if wrong := problems(tool.name, offered.definition.parameters, arguments):
            return error(f"invalid arguments: {'; '.join(wrong)}")
        try:
            at = await reached(context.resources, _at(context, pin.server))
            await self._check(at, pin)
        except (ServerFailed, InvalidMcpServer) as failed:
            return error(f"{failed}; nothing was called")
        try:
            served = await self._servers.call(
                at,
                tool.name,
                arguments,
                key=context.idempotency_key,
                manner=Manner(told=context.progress, patience_s=context.patience_s),
            )
        except ServerFailed as failed:
            return _outcome(failed, offered.effect_class)
        return _told(served)

    async def _check(self, at: Reached, pin: ToolPin) -> None:
        """Raises ServerFailed unless the server offers what was pinned."""
        offered = await self._servers.list_tools(at)
        if mcp.pin_of(at.name, at.server, offered).hash != pin.hash:
            raise ServerFailed("refused", changed(pin, offered))

    async def probe(self, arguments: Json, context: ToolContext) -> ToolOutcome:
        del arguments, context
        return ToolOutcome(status="unknown", error="the tool has no probe")


def changed(pin: ToolPin, offered: tuple[ServedTool, ...]) -> str:
    """What people need to know of a server that is not what it was."""
    before = {tool.name: tool for tool in pin.tools}
    now: Mapping[str, ServedTool] = {tool.name: tool for tool in offered}
    names = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    return (
        f"the MCP server {pin.server!r} has changed its tools since this session first saw them "
        f"({', '.join(names)[:300]}); a person can accept that by removing the session's pin"
    )


def _at(context: ToolContext, name: str) -> Reached:
    assert context.agent is not None  # noqa: S101 - checked by the caller
    return Reached(
        session_id=context.session_id,
        name=name,
        server=context.agent.mcp_servers[name],
        network=context.network,
    )


def _told(served: Served) -> ToolOutcome:
    if not served.failed:
        return ToolOutcome(result=served.result, images=served.images)
    text = served.result if isinstance(served.result, str) else "the tool failed"
    return ToolOutcome(status="error", error=text or "the tool failed", result=served.result)


def _outcome(failed: ServerFailed, effect_class: EffectClass) -> ToolOutcome:
    """A call that was sent and not answered may have taken effect."""
    if failed.fault in {"refused", "unreachable"}:
        return error(f"{failed}; nothing was called")
    if effect_class == "at_most_once":
        return ToolOutcome(
            status="unknown", error=f"{failed}; whether the call took effect is not known"
        )
    return ToolOutcome(
        status="timeout" if failed.fault == "timeout" else "error", error=str(failed)
    )
