"""What a session shows beside what it keeps: its features, and the schedules that write to it."""

from collections.abc import Awaitable, Callable
from typing import cast

import httpx
import msgspec
import pytest

from mainspring_api.adapters.http.app import application
from mainspring_api.adapters.http.services import Services
from mainspring_api.ports.schedules import Schedules
from mainspring_api.ports.store import Store
from mainspring_api.usecases.outlines import Outlines
from mainspring_kernel.errors import Unavailable
from mainspring_schema.agents import ToolDefinition
from mainspring_schema.schedules import SchedulesOfSessions, SessionCounts
from mainspring_schema.toolsets import Brings, Toolset
from tests.api.backend import Backend
from tests.api.conftest import inside
from tests.api.operators import FakeOperator
from tests.api.test_resources import V1, made_agent, made_session
from tests.api.test_schedules import FLOW, SAY, made

Json = dict[str, object]
SHOP = Toolset(
    name="shop",
    tools=(ToolDefinition(name="refund", description="Gives money back."),),
    brings=Brings(features=("refunds",), dependencies=("session_storage",)),
)


async def told(client: httpx.AsyncClient, session: Json, member: str) -> tuple[object, object]:
    """What one read and a list say of a session."""
    one = await client.get(f"{V1}/sessions/{session['id']}")
    page = await client.get(f"{V1}/sessions")
    listed = {row["id"]: row[member] for row in page.json()["data"]}
    return one.json()[member], listed[session["id"]]


async def writing_to(client: httpx.AsyncClient, session: Json, name: str, **members: object) -> str:
    made_ = await made(client, name=name, target=SAY | {"session_id": session["id"]}, **members)
    return f"{V1}/durable/schedules/{made_['id']}"


# ── schedules ───────────────────────────────────────────────────────────────────────────────────


async def test_a_session_has_as_many_active_schedules_as_will_write_to_it(
    client: httpx.AsyncClient,
) -> None:
    session, other = await made_session(client), await made_session(client)
    first = await writing_to(client, session, "first")
    second = await writing_to(client, session, "second", cron=None, at="2099-07-01T09:00:00Z")
    await writing_to(client, session, "off", enabled=False)
    await made(client, name="of a new session each time")
    await made(client, name="of a workflow", target=FLOW)

    assert session["active_schedule_count"] == 0
    assert await told(client, session, "active_schedule_count") == (2, 2)
    assert await told(client, other, "active_schedule_count") == (0, 0)
    await client.post(f"{first}/pause")
    assert await told(client, session, "active_schedule_count") == (1, 1)
    await client.delete(second)
    await client.post(f"{first}/resume")
    assert await told(client, session, "active_schedule_count") == (1, 1)


async def test_a_change_of_a_session_tells_its_schedules_and_a_fork_has_none(
    client: httpx.AsyncClient,
) -> None:
    session = await made_session(client)
    await writing_to(client, session, "nightly")

    changed = await client.patch(f"{V1}/sessions/{session['id']}", json={"title": "x"})
    fork = await client.post(f"{V1}/sessions/{session['id']}/fork")

    assert changed.json()["active_schedule_count"] == 1
    assert (fork.status_code, fork.json()["active_schedule_count"]) == (201, 0)


class Asked:
    """Counts what is asked of the scheduler, or is away."""

    def __init__(self, inner: Schedules, *, away: bool = False) -> None:
        self.inner = inner
        self.away = away
        self.times = 0

    async def of_sessions(self, command: SchedulesOfSessions) -> SessionCounts:
        self.times += 1
        if self.away:
            raise Unavailable
        return await self.inner.of_sessions(command)


class Opened:
    """Counts the transactions that are opened."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.times = 0

    def __getattr__(self, name: str) -> object:
        self.times += name == "transaction"
        return getattr(self.inner, name)


def with_outlines(services: Services, store: object, schedules: object) -> httpx.AsyncClient:
    outlines = Outlines(
        cast("Store", store), cast("Schedules", schedules), services.operator, services.registry
    )
    return inside(application(msgspec.structs.replace(services, outlines=outlines)))


async def test_sessions_are_read_while_the_scheduler_is_away(services: Services) -> None:
    asked = Asked(services.schedules, away=True)
    async with with_outlines(services, services.store, asked) as client:
        session = await made_session(client, capabilities=[{"ref": "session_schedule"}])

        assert await told(client, session, "active_schedule_count") == (None, None)
        assert await told(client, session, "features") == (["schedules"], ["schedules"])


async def test_a_page_costs_one_question_and_one_transaction(services: Services) -> None:
    asked, opened = Asked(services.schedules), Opened(services.store)
    async with inside(application(services)) as client:
        for number in range(6):
            await made_session(client, capabilities=[{"ref": "noop"}] * (number % 2))
    async with with_outlines(services, opened, asked) as client:
        page = await client.get(f"{V1}/sessions")
        again = await client.get(f"{V1}/sessions")

    assert (len(page.json()["data"]), page.json()) == (6, again.json())
    assert (asked.times, opened.times) == (2, 1)


async def test_callers_of_a_channel_are_told_alike(client: httpx.AsyncClient) -> None:
    agent = await made_agent(client, capabilities=[{"ref": "session_schedule"}])
    channel = (await client.post(f"{V1}/agents/{agent['id']}/channels")).json()
    at = f"{V1}/channels/{channel['id']}/sessions"
    headers = {"Authorization": f"Bearer {channel['keys'][0]['key']}", "End-User": "ann"}
    begun = (await client.post(at, headers=headers)).json()
    await writing_to(client, begun, "nightly")

    one = (await client.get(f"{at}/{begun['id']}", headers=headers)).json()
    (listed,) = (await client.get(at, headers=headers)).json()["data"]

    assert (begun["active_schedule_count"], begun["features"]) == (0, ["schedules"])
    for read in (one, listed):
        assert (read["active_schedule_count"], read["features"]) == (1, ["schedules"])


# ── features ────────────────────────────────────────────────────────────────────────────────────


async def test_features_are_those_of_all_tiers_and_what_they_depend_on(
    client: httpx.AsyncClient,
) -> None:
    agent = await made_agent(client, capabilities=[{"ref": "session_schedule"}])
    session = await made_session(
        client, agent_id=agent["id"], capabilities=[{"ref": "bash"}, {"ref": "subagents"}]
    )
    bare = await made_session(client)

    features = ["agent_runs", "file_system", "schedules"]
    assert session["features"] == features
    assert await told(client, session, "features") == (features, features)
    assert await told(client, bare, "features") == ([], [])


async def test_features_follow_a_change_of_the_session_and_not_of_the_agent(
    client: httpx.AsyncClient,
) -> None:
    agent = await made_agent(client, capabilities=[{"ref": "session_schedule"}])
    session = await made_session(client, agent_id=agent["id"])
    path = f"{V1}/sessions/{session['id']}"

    await client.patch(f"{V1}/agents/{agent['id']}", json={"capabilities": [{"ref": "skills"}]})
    changed = await client.patch(path, json={"capabilities": [{"ref": "budgeting"}]})

    assert changed.json()["features"] == ["budgeting", "schedules"]
    assert await told(client, session, "features") == (changed.json()["features"],) * 2
    await client.post(f"{path}/migration")
    assert "skills" in (await client.get(path)).json()["features"]


Mcp = Callable[[httpx.AsyncClient], Awaitable[Json]]


async def inline(client: httpx.AsyncClient) -> Json:
    del client
    return {"mcpServers": {"docs": {"url": "https://docs.example/mcp"}}}


async def named(client: httpx.AsyncClient) -> Json:
    body = {"name": "docs", "url": "https://docs.example/mcp"}
    server = (await client.post(f"{V1}/mcp-servers", json=body)).raise_for_status().json()
    return {"capabilities": [{"ref": f"mcp:{server['id']}"}]}


@pytest.mark.parametrize("servers", [inline, named])
async def test_mcp_servers_are_a_feature_wherever_they_are_named(
    client: httpx.AsyncClient, servers: Mcp
) -> None:
    session = await made_session(client, **await servers(client))

    assert await told(client, session, "features") == (["mcp"], ["mcp"])


async def test_tools_of_a_worker_bring_the_features_that_it_announced(
    client: httpx.AsyncClient, operator: FakeOperator
) -> None:
    session = await made_session(client, capabilities=[{"ref": "toolset:shop"}])
    assert await told(client, session, "features") == ([], [])

    operator.toolsets = [SHOP]

    features = ["refunds", "storage"]
    assert await told(client, session, "features") == (features, features)


async def test_what_cannot_be_had_together_shows_no_features(
    client: httpx.AsyncClient, operator: FakeOperator
) -> None:
    session = await made_session(
        client, capabilities=[{"ref": "toolset:shop"}, {"ref": "test_math"}]
    )
    taken = ToolDefinition(name="add", description="Adds to the cart.")
    operator.toolsets = [msgspec.structs.replace(SHOP, tools=(taken,))]

    assert await told(client, session, "features") == ([], [])


@pytest.mark.parametrize("look", ["", "/pending"])
async def test_a_look_has_nothing_counted_that_it_does_not_show(
    client: httpx.AsyncClient, backend: Backend, look: str
) -> None:
    session = await made_session(client)

    assert (await client.get(f"{V1}/sessions/{session['id']}{look}")).status_code == 200

    assert [filter_.counted for filter_ in backend.listed] == [False]
