"""What callers of one channel do beside each other, and what its owner leaves to them."""

import httpx
import pytest

from tests.api.test_resources import made_agent
from tests.api.test_runtime_tokens import Door, opened

Json = dict[str, object]
MODEL = "model_01933b5a00007000800000000000a001"


@pytest.fixture
async def door(client: httpx.AsyncClient) -> Door:
    return await opened(client, str((await made_agent(client))["id"]))


def called(door: Door, user: str, key: str = "") -> dict[str, str]:
    headers = {"Authorization": f"Bearer {door.key}", "End-User": user}
    return headers | ({"Idempotency-Key": key} if key else {})


async def begun(door: Door, user: str, key: str = "") -> str:
    headers = called(door, user, key)
    made = await door.client.post(f"{door.at}/sessions", json={}, headers=headers)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def says(door: Door, **more: object) -> httpx.Response:
    """In a session of its own, so that every message begins a turn."""
    session = await begun(door, "alice")
    body = {"message": {"content": [{"type": "text", "text": "Hello"}]}, **more}
    path = f"{door.at}/sessions/{session}/messages"
    return await door.client.post(path, json=body, headers=called(door, "alice"))


async def test_a_caller_is_sent_to_no_receipt_for_it_may_read_none(door: Door) -> None:
    said = await says(door)

    assert said.status_code == 201
    assert "location" not in said.headers


async def test_callers_who_think_of_the_same_key_have_a_session_each(door: Door) -> None:
    alices, bobs = await begun(door, "alice", "new-1"), await begun(door, "bob", "new-1")

    assert alices != bobs
    assert await begun(door, "alice", "new-1") == alices
    assert await begun(door, "bob", "new-1") == bobs
    read = await door.client.get(f"{door.at}/sessions/{bobs}", headers=called(door, "bob"))
    assert read.status_code == 200


@pytest.mark.parametrize(
    "controls",
    [
        {"model_id": MODEL},
        {"reasoning": {"effort": "xhigh"}},
        {"speed": "priority"},
        {"hints": {"any": 1}},
        {"error_disclosure": "detailed"},
    ],
    ids=lambda controls: next(iter(controls)),
)
async def test_callers_choose_what_costs_the_owner_only_where_the_channel_lets_them(
    client: httpx.AsyncClient, door: Door, controls: Json
) -> None:
    agent = await made_agent(client)
    delegating = await opened(client, str(agent["id"]), delegates_controls=True)

    refused, taken = await says(door, controls=controls), await says(delegating, controls=controls)

    (name,) = controls
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert f"controls.{name}" in refused.json()["detail"]
    assert taken.status_code == 201, taken.text


async def test_callers_choose_how_they_are_answered(door: Door) -> None:
    answer = await says(door, controls={"locale": "de", "verbosity": "low"})

    assert answer.status_code == 201, answer.text
