"""The MCP servers of an agent, in its session: opened with secrets, pinned, offered to the model.

A session asks its servers once, before the model call that first needs them, and keeps their tool
lists. So a prompt never depends on whether a server answers today, and a server that changes its
tools is noticed when one of them is called.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Final
from uuid import UUID

from msgspec import structs

from mainspring_harness import mcp
from mainspring_harness.calling import SessionResources
from mainspring_harness.errors import InvalidMcpServer
from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import Unavailable
from mainspring_schema.agents import RuntimeAgent
from mainspring_schema.codec import canonical_json
from mainspring_schema.holdings import OpenSecret
from mainspring_schema.mcp import ListPins, McpServer, OpenServer, PinTools, ToolPin, ToolPins
from mainspring_schema.tasks import EmitEvent
from mainspring_worker.domain.limits import (
    ERROR_TEXT_CHARS_MAX,
    SERVERS_SILENT_MAX,
    SERVERS_SILENT_S,
    SERVERS_WAIT_S,
)
from mainspring_worker.ports.servers import Reached, ServerFailed, ToolServers
from mainspring_worker.usecases.blueprints import Prepared
from mainspring_worker.usecases.holding import Holdings
from mainspring_workstream.attempt import Attempt

REFUSED: Final = "mcp.server.refused"
"""The event that says why a session has none of a server's tools."""
_SECRET: Final = re.compile(r"\$\{secret:([A-Za-z0-9_.-]{1,128})\}")


class Servers:
    """One per worker. Whom it could not ask it leaves alone for a while."""

    def __init__(self, servers: ToolServers, holdings: Holdings, clock: Clock) -> None:
        self._servers = servers
        self._holdings = holdings
        self._clock = clock
        self._silent: dict[tuple[UUID, str, str], float] = {}

    async def joined(self, attempt: Attempt, agent: RuntimeAgent, prepared: Prepared) -> Prepared:
        """What the call is made with, the tools of the agent's servers among it.

        Raises Unavailable where nobody tells what the session has pinned.
        """
        if not agent.mcp_servers:
            return prepared
        resources = self._holdings.of(attempt.held, f"mcp:{attempt.held.task_id.hex}")
        try:
            async with asyncio.timeout(SERVERS_WAIT_S):
                pins = await self._pins(attempt, resources, agent)
        except TimeoutError as error:
            message = "what the session keeps of its MCP servers is not known"
            raise Unavailable(message) from error
        return _with_tools(prepared, mcp.allowed(agent, pins.pins))

    async def _pins(
        self, attempt: Attempt, resources: SessionResources, agent: RuntimeAgent
    ) -> ToolPins:
        pins = await resources.ask(ListPins())
        missing = self._missing(attempt, agent.mcp_servers, pins)
        asked = await asyncio.gather(
            *(self._asked(attempt, resources, agent, name) for name in missing)
        )
        made = tuple(pin for pin in asked if pin is not None)
        if not made:
            return pins
        # Another attempt may be told other tools; the first that are kept stand.
        part = sha256("".join(pin.hash for pin in made).encode()).hexdigest()[:16]
        return await resources.change(PinTools(pins=made), part=part)

    def _missing(
        self, attempt: Attempt, servers: Mapping[str, McpServer], pins: ToolPins
    ) -> list[str]:
        now, session = self._clock.mono(), attempt.task.session_id
        self._silent = {key: until for key, until in self._silent.items() if until > now}
        missing: list[str] = []
        for name, server in servers.items():
            pin, source = pins.of(name), mcp.source_of(server)
            known = pin is not None and pin.source == source
            if not known and (session, name, source) not in self._silent:
                missing.append(name)
        return missing

    async def _asked(
        self, attempt: Attempt, resources: SessionResources, agent: RuntimeAgent, name: str
    ) -> ToolPin | None:
        """What a server offers; None, and an event, where that cannot be used."""
        server = agent.mcp_servers[name]
        at = Reached(
            session_id=attempt.task.session_id,
            name=name,
            server=server,
            network=agent.network_access,
        )
        try:
            opened = await reached(resources, at)
            return mcp.pin_of(name, server, await self._servers.list_tools(opened))
        except (ServerFailed, InvalidMcpServer) as failed:
            if len(self._silent) < SERVERS_SILENT_MAX:
                until = self._clock.mono() + SERVERS_SILENT_S
                self._silent[attempt.task.session_id, name, mcp.source_of(server)] = until
            await attempt.emit(_refused(name, failed))
            return None


def _with_tools(prepared: Prepared, found: Mapping[str, mcp.PinnedTool]) -> Prepared:
    """What the agent has of its own under a name stays."""
    if not found:
        return prepared
    tools = dict(prepared.plan.tools)
    for name, one in found.items():
        tools.setdefault(name, one.offered)
    told = canonical_json([tools[name].definition for name in found])
    return structs.replace(
        prepared,
        plan=structs.replace(prepared.plan, tools=tools),
        digest=sha256(prepared.digest + told).digest(),
    )


def _refused(name: str, failed: ServerFailed | InvalidMcpServer) -> EmitEvent:
    fault = failed.fault if isinstance(failed, ServerFailed) else "refused"
    reason = str(failed)[:ERROR_TEXT_CHARS_MAX]
    return EmitEvent(type=REFUSED, data={"server": name, "fault": fault, "reason": reason})


async def reached(resources: SessionResources, at: Reached) -> Reached:
    """The server with the secrets of its session in place of their names, and its own key.

    Raises ServerFailed where one is missing.
    """
    server = at.server
    names = {*_named(server.headers.values()), *_named(server.env.values())}
    secrets = {name: await _secret(resources, at.name, name) for name in sorted(names)}
    headers = {name: _filled(value, secrets) for name, value in server.headers.items()}
    if server.id is not None:
        key = (await resources.ask(OpenServer(id=server.id))).api_key
        headers |= {} if key is None else {"Authorization": f"Bearer {key}"}
    env = {name: _filled(value, secrets) for name, value in server.env.items()}
    return at.opened(headers, env)


def _named(values: Iterable[str]) -> list[str]:
    return [match.group(1) for value in values for match in _SECRET.finditer(value)]


async def _secret(resources: SessionResources, server: str, name: str) -> str:
    value = (await resources.ask(OpenSecret(name=name))).value
    if value is None:
        message = f"the MCP server {server!r} needs the secret {name!r}, which the session lacks"
        raise ServerFailed("refused", message)
    return value


def _filled(text: str, secrets: Mapping[str, str]) -> str:
    return _SECRET.sub(lambda match: secrets[match.group(1)], text)
