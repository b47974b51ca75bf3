"""MCP servers as a worker uses them: over HTTP, as processes and in the twin it must be alike."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import pytest

from mainspring_schema.mcp import McpServer, ServedTool
from mainspring_worker.adapters.builtin_tools.web.connecting import Connector
from mainspring_worker.adapters.mcp.commands import allowed_commands
from mainspring_worker.adapters.mcp.entry import public_or_loopback
from mainspring_worker.adapters.mcp.servers import McpServers
from mainspring_worker.adapters.memory import MemoryServers
from mainspring_worker.ports.servers import Manner, Reached, Served, ServerFailed, ToolServers
from tests.integration.mcp.server import Seen, over_http, server

SCRIPT = str(Path(__file__).parents[2] / "integration" / "mcp" / "server.py")
SESSION = UUID(int=2)


class Place(NamedTuple):
    servers: ToolServers
    at: Reached


def process(*arguments: str) -> McpServer:
    return McpServer(command=sys.executable, args=(SCRIPT, *arguments))


def twin() -> MemoryServers:
    made = MemoryServers()
    made.tools["test"] = (ServedTool(name="echo", readonly=True), ServedTool(name="fail"))
    made.answers["test", "echo"] = Served(result={"result": "hi"})
    made.progress["test", "slow"] = "nearly there"
    made.answers["test", "slow"] = Served(result="done")
    made.answers["test", "fail"] = Served(result="Error executing tool fail", failed=True)
    return made


@pytest.fixture(params=["memory", "http", "process"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    if request.param == "memory":
        at = Reached(session_id=SESSION, name="test", server=McpServer(url="https://a.test"))
        yield Place(twin(), at)
        return
    servers = McpServers(
        connector=Connector(is_allowed=public_or_loopback),
        commands=allowed_commands(f"{sys.executable} {SCRIPT}"),
    )
    async with over_http(server(Seen())) as url:
        found = McpServer(url=url) if request.param == "http" else process()
        try:
            yield Place(servers, Reached(session_id=SESSION, name="test", server=found))
        finally:
            await servers.aclose()


async def test_tools_are_listed_and_called(place: Place) -> None:
    listed = {tool.name: tool for tool in await place.servers.list_tools(place.at)}
    answer = await place.servers.call(place.at, "echo", {"text": "hi"}, key="k")
    failed = await place.servers.call(place.at, "fail", {}, key="k")

    assert listed["echo"].readonly is True
    assert listed["fail"].readonly is None
    assert answer == Served(result={"result": "hi"})
    assert failed.failed is True


async def test_who_listens_hears_how_far_a_call_is(place: Place) -> None:
    lines: list[str] = []

    async def told(line: str) -> None:
        lines.append(line)

    answer = await place.servers.call(
        place.at, "slow", {}, key="k", manner=Manner(told=told, patience_s=60)
    )
    unheard = await place.servers.call(place.at, "slow", {}, key="k")

    assert answer == unheard == Served(result="done")
    assert lines[-1] == "nearly there"
    assert lines[:-1] in ([], ["1 of 3"])


async def test_a_server_that_is_not_there_says_so() -> None:
    away = Reached(session_id=SESSION, name="away", server=McpServer(url="http://127.0.0.1:9/"))
    real = McpServers(connector=Connector(is_allowed=public_or_loopback))

    for servers in (MemoryServers(), real):
        with pytest.raises(ServerFailed) as failed:
            await servers.list_tools(away)
        assert failed.value.fault in {"refused", "unreachable"}
    await real.aclose()
