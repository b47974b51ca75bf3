"""Runtime tokens of a channel: for one user, for a time, and no longer than what they hang on."""

from typing import NamedTuple, cast

import httpx
import msgspec
import pytest

from mainspring_api.adapters.http.app import application
from mainspring_api.adapters.http.services import Services
from mainspring_api.adapters.vault import EnvelopeVault
from mainspring_api.domain.limits import RUNTIME_TOKEN_S
from mainspring_kernel.clock import ManualClock
from tests.api.conftest import inside
from tests.api.test_resources import V1, made_agent

Json = dict[str, object]


class Door(NamedTuple):
    """A channel as its application knows it."""

    client: httpx.AsyncClient
    at: str
    owners: str
    key_id: str
    key: str

    async def ask(self, method: str, path: str, bearer: str, user: str = "") -> httpx.Response:
        headers = {"Authorization": f"Bearer {bearer}"} | ({"End-User": user} if user else {})
        body: Json | None = {} if method == "POST" else None
        return await self.client.request(method, f"{self.at}{path}", json=body, headers=headers)

    async def token(self, user: str) -> str:
        made = await self.ask("POST", "/runtime-auth", self.key, user)
        assert made.status_code == 200, made.text
        return str(made.json()["access_token"])


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def services(services: Services, clock: ManualClock) -> Services:
    return msgspec.structs.replace(services, clock=clock)


@pytest.fixture
async def door(client: httpx.AsyncClient) -> Door:
    return await opened(client, str((await made_agent(client))["id"]))


async def opened(client: httpx.AsyncClient, agent_id: str, **channel: object) -> Door:
    owners = f"{V1}/agents/{agent_id}/channels"
    made = (await client.post(owners, json=channel)).json()
    (key,) = cast("list[Json]", made["keys"])
    at = f"{V1}/channels/{made['id']}"
    return Door(client, at, f"{owners}/{made['id']}", str(key["id"]), str(key["key"]))


async def test_a_token_opens_the_sessions_of_its_user_alone(door: Door) -> None:
    mine = (await door.ask("POST", "/sessions", door.key, "alice")).json()["id"]
    others = (await door.ask("POST", "/sessions", door.key, "bob")).json()["id"]
    token = await door.token("alice")

    asked = [await door.ask("GET", f"/sessions/{one}", token) for one in (mine, others)]
    named = [await door.ask("GET", "/sessions", token, user) for user in ("alice", "bob")]

    assert [one.status_code for one in asked] == [200, 404]
    assert [one.status_code for one in named] == [200, 403]


async def test_a_session_belongs_to_the_user_who_made_it_and_falls_under_their_budgets(
    door: Door,
) -> None:
    made = await door.ask("POST", "/runtime-auth", door.key, "alice")
    user = made.json()["virtual_user_id"]
    session = (await door.ask("POST", "/sessions", door.key, "alice")).json()["id"]
    body = {"subject_type": "user", "subject_id": user, "currency": "calls", "limit": 5}
    budget = (await door.client.post(f"{V1}/budgets", json=body)).json()

    read = (await door.client.get(f"{V1}/sessions/{session}")).json()
    found = (await door.client.get(f"{V1}/sessions/{session}/budgets")).json()

    assert read["owner_principal_id"] == user
    assert [one["id"] for one in found] == [budget["id"]]


async def test_only_a_key_makes_a_token_and_only_for_a_user(door: Door) -> None:
    token = await door.token("alice")

    by_token = await door.ask("POST", "/runtime-auth", token, "alice")
    for_nobody = await door.ask("POST", "/runtime-auth", door.key)

    assert (by_token.status_code, for_nobody.status_code) == (403, 400)


async def test_a_token_ends_with_its_time(door: Door, clock: ManualClock) -> None:
    token = await door.token("alice")

    clock.advance(RUNTIME_TOKEN_S - 1)
    before = await door.ask("GET", "/sessions", token)
    clock.advance(1)
    after = await door.ask("GET", "/sessions", token)

    assert (before.status_code, after.status_code) == (200, 401)


async def test_a_token_ends_with_the_key_that_made_it(door: Door) -> None:
    token = await door.token("alice")

    await door.client.delete(f"{door.owners}/keys/{door.key_id}")

    assert (await door.ask("GET", "/sessions", token)).status_code == 401


async def test_a_token_opens_no_other_channel(door: Door) -> None:
    agent = await made_agent(door.client, name="another")
    other = await opened(door.client, str(agent["id"]))

    answer = await other.ask("GET", "/sessions", await door.token("alice"))

    assert answer.status_code == 401


async def test_what_nobody_made_opens_nothing(door: Door) -> None:
    made_up = ["evr_rt_", "evr_rt_x", "evr_rt_" + "A" * 300, "evr_rt_é"]

    answers = [
        await door.client.get(
            f"{door.at}/sessions", headers={b"Authorization": f"Bearer {token}".encode()}
        )
        for token in made_up
    ]

    assert [answer.status_code for answer in answers] == [401] * len(made_up)


async def test_without_a_key_of_the_house_there_are_no_tokens(services: Services) -> None:
    keyless = msgspec.structs.replace(services, vault=EnvelopeVault([]))
    async with inside(application(keyless)) as client:
        door = await opened(client, str((await made_agent(client))["id"]))
        answer = await door.ask("POST", "/runtime-auth", door.key, "alice")

    assert (answer.status_code, answer.json()["code"]) == (501, "encryption_unconfigured")


async def pages(door: Door, token: str | None = None) -> tuple[list[str], str | None]:
    query = "?limit=2" + (f"&page_token={token}" if token else "")
    page = (await door.ask("GET", f"/sessions{query}", door.key)).json()
    return [one["title"] for one in page["data"]], page["next_page_token"]


async def test_a_session_that_begins_between_two_pages_moves_neither(door: Door) -> None:
    async def begin(title: str) -> None:
        headers = {"Authorization": f"Bearer {door.key}"}
        await door.client.post(f"{door.at}/sessions", json={"title": title}, headers=headers)

    for title in "abcd":
        await begin(title)
    first, token = await pages(door)
    await begin("e")
    second, end = await pages(door, token)

    assert (first, second, end) == (["d", "c"], ["b", "a"], None)


@pytest.mark.parametrize("token", ["2", "x", "1-2", "99999999999999-" + "0" * 32])
async def test_what_no_page_gave_is_no_token(door: Door, token: str) -> None:
    answer = await door.ask("GET", f"/sessions?page_token={token}", door.key)

    assert answer.status_code == 400
