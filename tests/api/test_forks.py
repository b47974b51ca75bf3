"""Forks over the wire: behind which event, and what is refused."""

import httpx
import pytest

from tests.api.backend import Backend
from tests.api.test_resources import V1, made_session, message
from tests.api.watcher import uuid_of

Json = dict[str, object]


@pytest.fixture
async def session(client: httpx.AsyncClient) -> Json:
    files = [{"path": "/a.txt", "content": "1"}]
    session = await made_session(client, title="first", initial_files=files)
    await client.post(f"{V1}/sessions/{session['id']}/messages", json=message("hi"))
    return session


async def fork(client: httpx.AsyncClient, session: Json, **body: object) -> httpx.Response:
    return await client.post(f"{V1}/sessions/{session['id']}/fork", json=body)


async def test_a_fork_is_a_session_that_says_where_it_comes_from(
    client: httpx.AsyncClient, backend: Backend, session: Json
) -> None:
    made = await fork(client, session, sequence=1, title="second")
    fork_id = made.json()["id"]

    read = (await client.get(f"{V1}/sessions/{fork_id}")).json()
    file = await client.get(f"{V1}/sessions/{fork_id}/fs/a.txt")
    events = backend.sessions[uuid_of(made.json())].events

    assert made.status_code == 201, made.text
    assert (read["forked_from_session_id"], read["forked_from_sequence"]) == (session["id"], 1)
    assert (read["title"], read["harness_id"]) == ("second", session["harness_id"])
    assert read["workspace_id"] != session["workspace_id"]
    assert file.json()["content"] == "1"
    assert [event.type for event in events] == ["session.started", "session.forked"]


async def test_without_an_event_a_session_is_forked_behind_its_newest(
    client: httpx.AsyncClient, session: Json
) -> None:
    made = (await fork(client, session)).json()
    listed = (await client.get(f"{V1}/sessions/{session['id']}/events")).json()["data"]
    by_id = (await fork(client, session, event_id=listed[0]["id"])).json()

    assert (made["forked_from_sequence"], made["title"]) == (2, "first")
    assert by_id["forked_from_sequence"] == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"sequence": 99}, 404, "not_found"),
        ({"sequence": 0}, 422, "validation_failed"),
        ({"sequence": 1, "event_id": "event_" + "0" * 32}, 400, "conflicting_references"),
        ({"event_id": "nonsense"}, 400, "invalid_id"),
    ],
)
async def test_an_event_that_is_not_there_is_refused(
    client: httpx.AsyncClient, session: Json, body: Json, status: int, code: str
) -> None:
    answer = await fork(client, session, **body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_an_event_of_another_session_is_refused(
    client: httpx.AsyncClient, session: Json
) -> None:
    other = await made_session(client)
    listed = (await client.get(f"{V1}/sessions/{other['id']}/events")).json()["data"]

    answer = await fork(client, session, event_id=listed[0]["id"])

    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_mismatch")
