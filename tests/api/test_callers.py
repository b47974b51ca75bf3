"""What callers of one channel do beside each other."""

import httpx
import pytest

from tests.api.test_resources import made_agent
from tests.api.test_runtime_tokens import Door, opened


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


async def test_a_caller_is_sent_to_no_receipt_for_it_may_read_none(door: Door) -> None:
    session = await begun(door, "alice")
    body = {"message": {"content": [{"type": "text", "text": "Hello"}]}}

    said = await door.client.post(
        f"{door.at}/sessions/{session}/messages", json=body, headers=called(door, "alice")
    )

    assert said.status_code == 201
    assert "location" not in said.headers


async def test_callers_who_think_of_the_same_key_have_a_session_each(door: Door) -> None:
    alices, bobs = await begun(door, "alice", "new-1"), await begun(door, "bob", "new-1")

    assert alices != bobs
    assert await begun(door, "alice", "new-1") == alices
    assert await begun(door, "bob", "new-1") == bobs
    read = await door.client.get(f"{door.at}/sessions/{bobs}", headers=called(door, "bob"))
    assert read.status_code == 200
