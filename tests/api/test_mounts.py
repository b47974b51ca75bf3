"""Files that capabilities bring: in the workspace before a message goes to its agent."""

from collections.abc import AsyncIterator

import httpx
import pytest

from mainspring_api.adapters.http.app import application
from mainspring_api.adapters.http.services import Services
from mainspring_harness.capability import Capability, Info
from mainspring_schema.agents import InitialFile
from mainspring_schema.messages import Json
from tests.api.backend import Backend
from tests.api.conftest import inside, wired
from tests.api.test_resources import V1, made_session, message


def brought(config: Json) -> tuple[InitialFile, ...]:
    terms = str(config.get("terms", "30 days."))
    return (
        InitialFile(path="/shop/terms.md", content=terms, is_readonly=True),
        InitialFile(path="/shop/notes.md", content="none yet"),
    )


SHOP = Capability(
    info=Info(
        id="shop",
        name="Shop",
        description="A shop.",
        status="available",
        config_schema={"type": "object", "properties": {"terms": {"type": "string"}}},
    ),
    mounts=brought,
)


@pytest.fixture
def services(backend: Backend) -> Services:
    return wired(backend, own=[SHOP])


@pytest.fixture
async def client(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    async with inside(application(services)) as client:
        yield client


async def shop_session(client: httpx.AsyncClient) -> str:
    session = await made_session(client, capabilities=[{"ref": "shop"}])
    return f"{V1}/sessions/{session['id']}"


async def say(client: httpx.AsyncClient, session: str) -> None:
    assert (await client.post(f"{session}/messages", json=message("hi"))).status_code == 201


async def content(client: httpx.AsyncClient, session: str, path: str) -> str:
    return str((await client.get(f"{session}/fs{path}")).json().get("content"))


async def test_they_are_there_when_a_message_goes_and_a_person_cannot_change_read_only_ones(
    client: httpx.AsyncClient, services: Services
) -> None:
    session = await shop_session(client)
    before = await client.get(f"{session}/fs/shop/terms.md")

    await say(client, session)
    changed = await client.put(f"{session}/fs/shop/terms.md", json={"content": "mine"})

    assert (before.status_code, changed.status_code) == (404, 409)
    assert await content(client, session, "/shop/terms.md") == "30 days."


async def test_what_agents_wrote_stays_and_what_nobody_may_write_becomes_new(
    client: httpx.AsyncClient,
) -> None:
    session = await shop_session(client)
    await say(client, session)
    await client.put(f"{session}/fs/shop/notes.md", json={"content": "one sold"})
    moved = [{"ref": "shop", "config": {"terms": "60 days."}}]

    await client.patch(session, json={"capabilities": moved})
    await say(client, session)

    assert await content(client, session, "/shop/terms.md") == "60 days."
    assert await content(client, session, "/shop/notes.md") == "one sold"


async def test_peoples_own_file_in_their_place_stays(client: httpx.AsyncClient) -> None:
    session = await shop_session(client)
    await client.post(f"{session}/fs/shop", json={"content": "a file of mine"})

    await say(client, session)

    assert await content(client, session, "/shop") == "a file of mine"


async def test_they_are_looked_for_once(client: httpx.AsyncClient) -> None:
    session = await shop_session(client)
    await say(client, session)
    assert (await client.delete(f"{session}/fs/shop/notes.md")).is_success

    await say(client, session)

    assert (await client.get(f"{session}/fs/shop/notes.md")).status_code == 404
