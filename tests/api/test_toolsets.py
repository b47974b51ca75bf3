"""Tools that workers have announced: in an agent's configuration, its preview, the catalogue."""

import httpx
import msgspec

from mainspring_schema.agents import RuntimeAgent, ToolDefinition
from mainspring_schema.messages import Json
from mainspring_schema.toolsets import Toolset
from tests.api.backend import Backend
from tests.api.operators import FakeOperator
from tests.api.test_resources import V1, made_session, message

REFUND = ToolDefinition(name="refund", description="Gives money back.", effect_class="idempotent")
CHARGE = ToolDefinition(name="charge", description="Takes money.")
SHOP: Json = {"ref": "toolset:shop"}


def announce(operator: FakeOperator, *tools: ToolDefinition) -> None:
    operator.toolsets = [Toolset(name="shop", tools=tools)]


async def shop_session(client: httpx.AsyncClient) -> str:
    session = await made_session(client, capabilities=[SHOP])
    return f"{V1}/sessions/{session['id']}"


def tools_of(config: bytes | None) -> list[str]:
    assert config is not None
    (ref,) = (
        one
        for one in msgspec.json.decode(config, type=RuntimeAgent).capabilities
        if one.ref == "toolset:shop"
    )
    told = msgspec.convert((ref.config or {})["tools"], tuple[ToolDefinition, ...])
    return [tool.name for tool in told]


async def test_a_message_is_refused_until_a_worker_has_announced_the_tools(
    client: httpx.AsyncClient, operator: FakeOperator, backend: Backend
) -> None:
    session = await shop_session(client)

    early = await client.post(f"{session}/messages", json=message("refund"))
    announce(operator, REFUND)
    late = await client.post(f"{session}/messages", json=message("refund"))

    assert (early.status_code, early.json()["code"]) == (409, "toolset_unknown")
    assert late.status_code == 201
    (submit,) = backend.submits
    assert tools_of(submit.config) == ["refund"]


async def test_a_message_goes_with_the_tools_as_they_were_announced_last(
    client: httpx.AsyncClient, operator: FakeOperator, backend: Backend
) -> None:
    session = await shop_session(client)
    announce(operator, REFUND)
    await client.post(f"{session}/messages", json=message("one"))
    announce(operator, REFUND, CHARGE)
    await client.post(f"{session}/messages", json=message("two"))

    first, second = backend.submits

    assert first.config_hash != second.config_hash
    assert tools_of(second.config) == ["refund", "charge"]


async def test_a_message_is_refused_where_an_announced_tool_bears_a_taken_name(
    client: httpx.AsyncClient, operator: FakeOperator, backend: Backend
) -> None:
    made = await made_session(client, capabilities=[SHOP, {"ref": "test_math"}])
    session = f"{V1}/sessions/{made['id']}"
    announce(operator, ToolDefinition(name="add", description="Adds to the cart."))
    refused = await client.post(f"{session}/messages", json=message("one"))
    announce(operator, REFUND)
    taken = await client.post(f"{session}/messages", json=message("two"))

    assert (refused.status_code, refused.json()["code"]) == (422, "capability_conflict")
    assert "'toolset:shop' and 'test_math' both bring a tool 'add'" in refused.json()["detail"]
    assert taken.status_code == 201
    assert len(backend.submits) == 1


async def test_sessions_without_announced_tools_ask_nobody(
    client: httpx.AsyncClient, operator: FakeOperator
) -> None:
    session = await made_session(client)

    await client.post(f"{V1}/sessions/{session['id']}/messages", json=message("hi"))

    assert operator.asked == []


async def test_a_preview_shows_them_and_says_nothing_of_those_nobody_announced(
    client: httpx.AsyncClient, operator: FakeOperator
) -> None:
    session = await shop_session(client)
    draft: Json = {"name": "clerk", "capabilities": [SHOP]}

    async def shown() -> list[list[str]]:
        answers = [
            await client.get(f"{session}/preview"),
            await client.post(f"{V1}/agents/preview", json=draft),
        ]
        assert [answer.status_code for answer in answers] == [200] * len(answers)
        return [[tool["name"] for tool in answer.json()["tools"]] for answer in answers]

    assert await shown() == [[]] * 2
    announce(operator, REFUND)
    assert await shown() == [["refund"]] * 2


async def test_the_catalogue_lists_them(client: httpx.AsyncClient, operator: FakeOperator) -> None:
    announce(operator, REFUND)

    found = (await client.get(f"{V1}/capabilities", params={"search": "shop"})).json()
    one = await client.get(f"{V1}/capabilities/toolset:shop")
    none = await client.get(f"{V1}/capabilities/toolset:bank")

    assert [entry["id"] for entry in found["data"]] == ["toolset:shop"]
    assert [tool["name"] for tool in one.json()["tool_definitions"]] == ["refund"]
    assert (one.json()["category"], none.status_code) == ("toolsets", 404)


async def test_the_catalogue_answers_while_the_engine_is_away(
    client: httpx.AsyncClient, operator: FakeOperator
) -> None:
    announce(operator, REFUND)
    operator.away = True

    answer = await client.get(f"{V1}/capabilities")

    assert answer.status_code == 200
    assert "toolset:shop" not in [entry["id"] for entry in answer.json()["data"]]


async def test_a_name_that_no_set_can_have_is_refused_at_the_door(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post(
        f"{V1}/sessions", json={"capabilities": [{"ref": "toolset:My Shop"}]}
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_capability")
