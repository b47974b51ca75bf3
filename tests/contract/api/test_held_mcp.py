"""What sessions keep of MCP servers, and what opens one: both stores answer alike."""

import pytest
from msgspec import structs

from mainspring_api.usecases import held_mcp, mcp_servers
from mainspring_api.usecases.mcp_servers import ServerDraft
from mainspring_kernel import errors
from mainspring_kernel.ids import DEFAULT_ORG_ID, Prefix, SessionId, to_wire
from mainspring_schema.mcp import (
    ListPins,
    OpenServer,
    PinTools,
    ServedTool,
    ServerKey,
    ToolPin,
    ToolPins,
)
from tests.contract.api.conftest import NOW_MS
from tests.contract.api.test_held_resources import IDS, VAULT, Tool, tool

__all__ = ["tool"]
PIN = ToolPin(server="docs", source="s", hash="h", tools=(ServedTool(name="echo"),))


async def test_the_first_pin_of_a_source_stays(tool: Tool) -> None:
    later = structs.replace(PIN, hash="other")
    wiki = structs.replace(PIN, server="a-wiki")

    assert (await tool.ask(ListPins(), ToolPins)).pins == ()
    first = await tool.order(PinTools(pins=(PIN,)), ToolPins)
    again = await tool.order(PinTools(pins=(later, wiki)), ToolPins)

    assert (first.pins, again.pins) == ((PIN,), (wiki, PIN))
    assert (await tool.ask(ListPins(), ToolPins)).pins == (wiki, PIN)


async def test_another_source_is_another_server(tool: Tool) -> None:
    moved = structs.replace(PIN, source="elsewhere", hash="other")
    await tool.order(PinTools(pins=(PIN,)), ToolPins)

    assert (await tool.order(PinTools(pins=(moved,)), ToolPins)).pins == (moved,)


async def test_a_person_takes_a_pin_away(tool: Tool) -> None:
    await tool.order(PinTools(pins=(PIN,)), ToolPins)
    session_id = SessionId(tool.session.id)

    async with tool.store.transaction(DEFAULT_ORG_ID) as tx:
        await mcp_servers.unpin(tx, session_id, "docs")
        with pytest.raises(errors.NotFound):
            await mcp_servers.unpin(tx, session_id, "docs")
    assert (await tool.ask(ListPins(), ToolPins)).pins == ()


async def test_pins_have_bounds(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_mcp, "MCP_PINS_MAX", 1)
    large = structs.replace(PIN, tools=(ServedTool(name="a", description="x" * 600_000),))

    with pytest.raises(errors.PayloadTooLarge):
        await tool.order(PinTools(pins=(large,)), ToolPins)
    with pytest.raises(errors.Conflict):
        await tool.order(PinTools(pins=(PIN, structs.replace(PIN, server="b"))), ToolPins)


async def test_a_key_opens_for_who_holds_a_task_while_the_server_is_there(tool: Tool) -> None:
    id_, draft = IDS.uuid7(), ServerDraft(name="docs", config={"url": "https://a.test"})
    wire = to_wire(Prefix.MCP_SERVER, id_)

    async def put(draft: ServerDraft) -> None:
        async with tool.store.transaction(DEFAULT_ORG_ID) as tx:
            await mcp_servers.put(tx, VAULT, DEFAULT_ORG_ID, id_, draft, now_ms=NOW_MS)

    async def opened() -> str | None:
        return (await tool.ask(OpenServer(id=wire), ServerKey)).api_key

    await put(draft)
    assert await opened() is None
    await put(structs.replace(draft, api_key="hunter2"))
    assert await opened() == "hunter2"
    await put(structs.replace(draft, description="the key stays"))
    assert await opened() == "hunter2"
    await put(structs.replace(draft, keyless=True))
    assert await opened() is None
    await put(structs.replace(draft, status="archived"))
    with pytest.raises(errors.NotFound):
        await opened()


def test_no_key_stands_in_a_text_form() -> None:
    assert "hunter2" not in repr(ServerKey(api_key="hunter2"))
