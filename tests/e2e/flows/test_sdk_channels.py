"""An agent called by an application, through the SDK's client for that."""

import asyncio
from typing import cast

import pytest
from everruns_sdk import AgentClient, Everruns
from everruns_sdk.errors import ApiError

from tests.e2e.flows.sdk import PATIENCE_S
from tests.e2e.flows.surface import proves
from tests.e2e.flows.wire import Json, Wire, unique

pytestmark = pytest.mark.stack


async def made_channel(client: Everruns, wire: Wire) -> tuple[str, Json]:
    """The agent's id, and its new channel."""
    agent = await client.agents.create(unique("called"), "Help.", description="Helps.")
    return agent.id, await wire.make(f"/agents/{agent.id}/channels", {"name": "App"})


def caller(wire: Wire, channel: Json) -> AgentClient:
    (key,) = cast("list[Json]", channel["keys"])
    url = f"{wire.api}/channels/{channel['id']}"
    return AgentClient(agent_url=url, credential=str(key["key"]))


@proves(
    "channel.card",
    "channel.create_session",
    "channel.get_session",
    "channel.list_sessions",
    "channel.send_message",
    "channel.cancel",
    "channel.list_events",
    "channel.stream_events",
    "channel.run",
)
async def test_an_application_calls_an_agent(client: Everruns, wire: Wire) -> None:
    _, channel = await made_channel(client, wire)
    async with asyncio.timeout(PATIENCE_S), caller(wire, channel) as agent:
        card = await agent.card()
        session = await agent.create_session("Mine", idempotency_key=unique("key"))
        sent = await agent.send_message(session["id"], "Hello")
        stream = agent.stream_events(session["id"], after_sequence=0)
        async for event in stream:
            if event.type == "turn.completed":
                break
        await stream.aclose()
        reply = await agent.run("Hello again", session["id"])
        anew = await agent.run("And in a new session")
        events = await agent.list_events(session["id"], after_sequence=0, limit=500)
        cancelled = await agent.cancel(session["id"])
        page = await agent.list_sessions(limit=1)
        rest = await agent.list_sessions(limit=1, page_token=page["next_page_token"])
        got = await agent.get_session(session["id"])

    assert (card["description"], card["streaming"]) == ("Helps.", True)
    assert (session["title"], got["id"], got["pending_approvals"]) == ("Mine", session["id"], [])
    assert reply
    assert anew
    assert [one.type for one in events].count("turn.completed") == 2
    assert sent["id"] in str([one.data for one in events if one.type == "input.message"])
    assert cancelled["status"] == "no_op"
    assert [one["id"] for one in rest["data"]] == [session["id"]]


async def test_callers_see_their_own_sessions_alone(client: Everruns, wire: Wire) -> None:
    _, channel = await made_channel(client, wire)
    async with caller(wire, channel) as app:
        alice, bob = app.for_end_user("alice"), app.for_end_user("bob")
        session = await alice.create_session()
        refused: list[int] = []
        for other in (bob, app):
            with pytest.raises(ApiError) as error:
                await other.get_session(session["id"])
            refused.append(error.value.status_code)
        elsewhere = await client.sessions.list()
        listed = [(await one.list_sessions())["data"] for one in (alice, bob, app)]

    assert refused == [404, 404]
    assert [len(data) for data in listed] == [1, 0, 0]
    assert session["id"] in [one.id for one in elsewhere]


async def test_only_a_living_key_opens_a_channel(client: Everruns, wire: Wire) -> None:
    agent_id, channel = await made_channel(client, wire)
    at = f"/agents/{agent_id}/channels/{channel['id']}"
    (first,) = cast("list[Json]", channel["keys"])
    second = await wire.make(f"{at}/keys")
    url = f"{wire.api}/channels/{channel['id']}"
    await wire.ask("DELETE", f"{at}/keys/{first['id']}")
    listed = await wire.ask("GET", f"/agents/{agent_id}/channels")

    statuses: list[int] = []
    for key in (str(first["key"]), "evr_ak_nothing", "x"):
        async with AgentClient(agent_url=url, credential=key) as agent:
            with pytest.raises(ApiError) as refused:
                await agent.card()
            statuses.append(refused.value.status_code)
    async with AgentClient(agent_url=url, credential=str(second["key"])) as agent:
        await agent.card()
        await wire.ask("DELETE", at)
        with pytest.raises(ApiError) as closed:
            await agent.card()

    assert statuses == [401, 401, 401]
    assert closed.value.status_code == 401
    assert str(second["key"]) not in listed.text


@proves("channel.runtime_token")
async def test_a_browser_calls_as_one_user_by_a_token(client: Everruns, wire: Wire) -> None:
    _, channel = await made_channel(client, wire)
    async with asyncio.timeout(PATIENCE_S), caller(wire, channel) as app:
        alice = app.for_end_user("alice")
        session = await alice.create_session()
        token = await alice.runtime_token()
        url = f"{wire.api}/channels/{channel['id']}"
        async with AgentClient(agent_url=url, credential=token["access_token"]) as browser:
            reply = await browser.run("Hello", session["id"])
            listed = await browser.list_sessions()

    assert reply
    assert [one["id"] for one in listed["data"]] == [session["id"]]
    assert (token["token_type"], token["expires_in"] > 0) == ("Bearer", True)
    assert token["virtual_user_id"].startswith("vuser_")
