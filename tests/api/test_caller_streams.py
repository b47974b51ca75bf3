"""Streams through a channel: they show nothing more to who may not read any more."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from mainspring_api.usecases.stream import session_stream
from tests.api.backend import Backend
from tests.api.test_resources import made_agent
from tests.api.test_runtime_tokens import Door, opened
from tests.api.watcher import Opened, uuid_of

pytestmark = pytest.mark.enable_socket


@pytest.fixture
async def door(live: httpx.AsyncClient) -> Door:
    return await opened(live, str((await made_agent(live))["id"]))


@pytest.fixture(autouse=True)
def asked_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_stream, "SSE_ALLOWED_S", 0.0)


def watching(door: Door, session: dict[str, object], bearer: str) -> Opened:
    headers = {"authorization": f"Bearer {bearer}"}
    return Opened(door.client, f"{door.at}/sessions/{session['id']}/sse", headers)


async def revoke(door: Door) -> httpx.Response:
    return await door.client.delete(f"{door.owners}/keys/{door.key_id}")


async def close(door: Door) -> httpx.Response:
    return await door.client.delete(door.owners)


@pytest.mark.parametrize("taken", [revoke, close])
@pytest.mark.parametrize("by_token", [False, True])
async def test_a_stream_ends_unread_once_its_credential_is_taken(
    taken: Callable[[Door], Awaitable[httpx.Response]],
    by_token: bool,
    door: Door,
    backend: Backend,
) -> None:
    bearer = await door.token("alice") if by_token else door.key
    session = (await door.ask("POST", "/sessions", bearer)).json()

    async with watching(door, session, bearer) as watcher:
        backend.append(uuid_of(session), "turn.started", {})
        before = await watcher.frames(2)
        assert (await taken(door)).status_code == 204
        backend.append(uuid_of(session), "turn.completed", {"text": "a secret"})
        after = await watcher.until_end()
    again = await door.ask("GET", f"/sessions/{session['id']}/sse", bearer)

    assert [type_ for type_, _, _ in before] == ["session.started", "turn.started"]
    assert [(type_, data["reason"]) for type_, _, data in after] == [
        ("disconnecting", "unauthenticated")
    ]
    assert again.status_code == 401
