"""An agent with MCP servers: their tools are pinned and called; who is not reached is named."""

from collections.abc import AsyncIterator
from typing import NamedTuple, cast

import pytest

from tests.e2e.flows.wire import Json, Wire, scripted
from tests.integration.mcp.server import Seen, over_http, server

pytestmark = pytest.mark.stack


class Place(NamedTuple):
    url: str
    seen: Seen


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    seen = Seen()
    async with over_http(server(seen)) as url:
        yield Place(url, seen)


def calling(name: str, **arguments: object) -> str:
    calls = [{"name": name, "arguments": arguments}]
    return scripted("Work.", turns=[{"tool_calls": calls}, {"text": "Done."}])


async def test_tools_of_a_server_are_called_once_and_pinned(wire: Wire, place: Place) -> None:
    session = await wire.session(mcpServers={"desk": {"url": place.url}})

    await wire.say(session, calling("mcp_desk__add", amount=3))
    frames = await wire.to_rest(session)
    (pin,) = await _pins(wire, session)
    await wire.say(session, calling("mcp_desk__echo", text="again"))
    more = await wire.to_rest(session, f"?after_sequence={frames[-1].sequence}")

    (done,) = [f for f in frames if f.type == "tool.completed"]
    (again,) = [f for f in more if f.type == "tool.completed"]
    assert done.data["success"] is True
    assert "3" in str(done.data["result"])
    assert "again" in str(again.data["result"])
    assert len(place.seen.keys) == 1
    assert pin["name"] == "desk"
    assert [f.type for f in frames if f.type.startswith("mcp.")] == []


async def test_what_cannot_be_reached_is_told_and_the_turn_goes_on(wire: Wire) -> None:
    servers = {"inside": {"url": "http://[fc00::1]/mcp"}, "host": {"command": "sh", "args": ["-c"]}}
    session = await wire.session(mcpServers=servers)

    await wire.say(session, calling("mcp_inside__add"))
    frames = await wire.to_rest(session)

    told = {
        str(f.data["server"]): f.data["fault"] for f in frames if f.type == "mcp.server.refused"
    }
    assert told == {"inside": "refused", "host": "refused"}
    assert frames[-2].type == "turn.completed"
    assert await _pins(wire, session) == []


async def _pins(wire: Wire, session: str) -> list[Json]:
    answer = await wire.ask("GET", f"/sessions/{session}/mcp-servers")
    return cast("list[Json]", cast("Json", answer.json())["data"])
