"""MCP servers of an organization, in agents, and what sessions pinned of them."""

from typing import cast

import httpx
import pytest

from mainspring_api.adapters.http.services import Services
from mainspring_api.domain.mcp import PinnedTools
from mainspring_kernel.ids import DEFAULT_ORG_ID, Prefix, from_wire
from mainspring_schema.agents import decode_runtime_agent
from mainspring_schema.mcp import McpServer, ServedTool, ToolPin
from tests.api.backend import Backend
from tests.api.test_own_models import made
from tests.api.test_resources import V1, made_agent, made_session, message

Json = dict[str, object]
KEY = "mcp-canary-1234567890"
URL = "https://docs.test/mcp"


async def own_server(client: httpx.AsyncClient, name: str = "docs") -> Json:
    return await made(client, "mcp-servers", name=name, url=URL, auth_mode="api_key", api_key=KEY)


async def test_a_server_lives_and_its_key_is_never_shown(client: httpx.AsyncClient) -> None:
    server = await own_server(client)
    at = f"{V1}/mcp-servers/{server['id']}"

    changed = await client.patch(
        at, json={"description": "Docs.", "allowed_tools": ["a"], "timeout_seconds": 5}
    )
    kept = changed.json()
    cleared = await client.patch(at, json={"auth_mode": "none", "allowed_tools": None})
    listed = await client.get(f"{V1}/mcp-servers", params={"search": "docs"})
    archived = await client.patch(at, json={"status": "archived"})
    without = await client.get(f"{V1}/mcp-servers")
    gone = await client.delete(at)

    assert KEY not in str([server, kept, listed.json()])
    assert (server["api_key_set"], server["transport_type"]) == (True, "http")
    assert (kept["allowed_tools"], kept["timeout_seconds"], kept["api_key_set"]) == (["a"], 5, True)
    assert (cleared.json()["api_key_set"], cleared.json()["allowed_tools"]) == (False, None)
    assert [one["name"] for one in listed.json()["data"]] == ["docs"]
    assert archived.json()["status"] == "archived"
    assert without.json()["data"] == []
    assert gone.status_code == 204
    assert (await client.get(at)).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"name": "docs"},
        {"name": "docs", "url": URL, "command": "serve"},
        {"name": "docs", "url": "file:///etc/passwd"},
        {"name": "docs", "url": URL, "transport_type": "stdio"},
        {"name": "docs", "url": URL, "auth_mode": "api_key"},
        {"name": "docs", "url": URL, "headers": {"a b": "c"}},
    ],
)
async def test_a_server_that_cannot_be_is_refused(client: httpx.AsyncClient, body: Json) -> None:
    assert (await client.post(f"{V1}/mcp-servers", json=body)).status_code == 422


async def test_an_agent_gets_the_servers_it_names(
    client: httpx.AsyncClient, backend: Backend
) -> None:
    server = await own_server(client)
    agent = await made_agent(
        client,
        capabilities=[{"ref": server["capability_ref"]}],
        mcpServers={"wiki": {"url": "https://wiki.test", "headers": {"X": "${secret:W}"}}},
    )
    session = await made_session(client, agent_id=agent["id"])

    await client.post(f"{V1}/sessions/{session['id']}/messages", json=message("Hello."))

    sent = backend.submits[-1].config
    assert sent is not None
    runtime = decode_runtime_agent(sent)
    assert runtime.mcp_servers == {
        "docs": McpServer(id=str(server["id"]), url=URL),
        "wiki": McpServer(url="https://wiki.test", headers={"X": "${secret:W}"}),
    }
    assert [ref.ref for ref in runtime.capabilities][-1] == "mcp"
    assert KEY.encode() not in sent


@pytest.mark.parametrize(
    "servers", [{"a": {}}, {"a": {"url": "x"}}, {"a b": {"url": URL}}, {"a": {"url": 1}}]
)
async def test_an_agent_with_a_server_that_cannot_be_is_refused(
    client: httpx.AsyncClient, servers: Json
) -> None:
    body = {"name": "bad", "system_prompt": "Help.", "mcpServers": servers}
    answer = await client.post(f"{V1}/agents", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_mcp_server")


async def test_pins_of_a_session_are_listed_and_taken_away(
    client: httpx.AsyncClient, services: Services
) -> None:
    session = await made_session(client)
    id_ = from_wire(Prefix.SESSION, str(session["id"]))
    tool = ServedTool(name="echo", description="Says it again.")
    pin = ToolPin(server="docs", source="s", hash="h", tools=(tool,))
    async with services.store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_record(
            PinnedTools(
                org_id=DEFAULT_ORG_ID,
                id=services.ids.uuid7(),
                owner_id=id_,
                key="docs",
                pin=pin,
                created_ms=1,
                updated_ms=1,
            )
        )
    at = f"{V1}/sessions/{session['id']}/mcp-servers"

    (shown,) = (await client.get(at)).json()["data"]
    statuses = [(await client.delete(f"{at}/docs")).status_code for _ in range(2)]

    assert (shown["name"], shown["hash"]) == ("docs", "h")
    assert cast("list[Json]", shown["tools"])[0]["name"] == "echo"
    assert statuses == [204, 404]
    assert (await client.get(at)).json()["data"] == []
