"""Forks over the wire: behind which event, and what is refused."""

from uuid import UUID

import httpx
import pytest
from msgspec import structs

from mainspring_api.adapters.http.services import Services
from mainspring_api.domain.secrets import SessionValue
from mainspring_api.usecases import sessions
from mainspring_api.usecases.forking import Forks, _later
from mainspring_kernel.ids import DEFAULT_ORG_ID, Prefix, SessionId, to_wire
from mainspring_schema.messages import Message
from tests.api.backend import Backend
from tests.api.test_resources import V1, made_session, message
from tests.api.watcher import uuid_of

Json = dict[str, object]
SAID = "message_" + "5" * 32


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


async def test_a_fork_may_have_any_title_that_a_session_may_have(
    client: httpx.AsyncClient, session: Json
) -> None:
    made = await fork(client, session, title="t" * 200)

    assert (made.status_code, made.json()["title"]) == (201, "t" * 200)


async def test_without_an_event_a_session_is_forked_behind_its_newest(
    client: httpx.AsyncClient, session: Json
) -> None:
    made = (await fork(client, session)).json()
    listed = (await client.get(f"{V1}/sessions/{session['id']}/events")).json()["data"]
    by_id = (await fork(client, session, event_id=listed[0]["id"])).json()

    assert (made["forked_from_sequence"], made["title"]) == (2, "first")
    assert by_id["forked_from_sequence"] == 1


async def test_a_session_is_forked_behind_a_message_where_it_was_taken_up(
    client: httpx.AsyncClient, backend: Backend, session: Json
) -> None:
    id_ = uuid_of(session)
    first = first_message(backend, id_)
    backend.append(id_, "turn.started", {})
    backend.append(id_, "reason.started", {"harness_id": "h", "consumed": [first]})
    said = Message(id=SAID, role="agent", content=(), created_at="2026-11-22T10:00:00.000Z")
    backend.append(id_, "output.message.completed", {"message": said})
    backend.append(id_, "session.idled", {})

    made = [await fork(client, session, up_to_message_id=one) for one in (first, SAID)]

    assert [one.json()["forked_from_sequence"] for one in made] == [4, 5]


async def test_a_message_that_no_turn_took_up_is_in_no_conversation(
    client: httpx.AsyncClient, backend: Backend, session: Json
) -> None:
    unseen = first_message(backend, uuid_of(session))

    answer = await fork(client, session, up_to_message_id=unseen)

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def first_message(backend: Backend, session_id: UUID) -> str:
    return to_wire(Prefix.MESSAGE, next(iter(backend.sessions[session_id].seqs)))


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"sequence": 99}, 404, "not_found"),
        ({"sequence": 0}, 422, "validation_failed"),
        ({"sequence": 1, "event_id": "event_" + "0" * 32}, 400, "conflicting_references"),
        ({"event_id": "nonsense"}, 400, "invalid_id"),
        ({"up_to_message_id": "nonsense"}, 400, "invalid_id"),
        ({"sequence": 1, "up_to_message_id": SAID}, 400, "conflicting_references"),
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


async def test_a_fork_has_what_was_stored_and_the_secrets_that_are_there(
    client: httpx.AsyncClient, services: Services, session: Json
) -> None:
    source = SessionId(uuid_of(session))
    value = SessionValue(
        org_id=DEFAULT_ORG_ID,
        id=services.ids.uuid7(),
        owner_id=source,
        key="place",
        value="sofa",
        created_ms=1,
        updated_ms=1,
    )
    async with services.store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_record(value)
    await client.put(
        f"{V1}/sessions/{session['id']}/storage/secrets", json={"secrets": {"TOKEN": "hunter2"}}
    )

    made = (await fork(client, session)).json()

    stored = f"{V1}/sessions/{made['id']}/storage"
    values = (await client.get(f"{stored}/keys")).json()["data"]
    secrets = (await client.get(f"{stored}/secrets")).json()["data"]
    assert [one["key"] for one in values] == ["place"]
    assert [one["name"] for one in secrets] == ["TOKEN"]


async def test_files_count_as_of_the_next_time_behind_however_many_events_share_one(
    client: httpx.AsyncClient, backend: Backend, services: Services, session: Json
) -> None:
    source = uuid_of(session)
    log = backend.sessions[source]
    first = log.events[0]
    later_ms = first.ts_ms + 10
    same = [structs.replace(first, seq=seq) for seq in range(2, 60)]
    log.events[1:] = [*same, structs.replace(first, seq=60, ts_ms=later_ms)]
    place = Forks(
        store=services.store,
        log=services.log,
        vault=services.vault,
        ids=services.ids,
        org_id=DEFAULT_ORG_ID,
    )

    found = [await _later(place, SessionId(source), seq) for seq in (1, 59, 60)]

    assert [event and (event.seq, event.ts_ms) for event in found] == [
        (60, later_ms), (60, later_ms), None,
    ]  # fmt: skip


async def test_a_fork_of_a_fork_has_the_files_of_the_session_in_which_it_happened(
    client: httpx.AsyncClient, backend: Backend, services: Services, session: Json
) -> None:
    between_ms = services.clock.wall_ms() + 1
    log = backend.sessions[uuid_of(session)]
    log.events[1] = structs.replace(log.events[1], ts_ms=between_ms)
    while services.clock.wall_ms() <= between_ms:
        """The change is to be later than the event by a clock of whole milliseconds."""
    path = f"{V1}/sessions/{session['id']}/fs/a.txt"
    await client.put(path, json={"content": "2"})
    child = (await fork(client, session)).json()
    of_child = backend.sessions[uuid_of(child)]
    # In a real log a fork reads what it inherited.
    own = [structs.replace(event, seq=event.seq + 2) for event in of_child.events]
    of_child.events[:] = [*log.events[:2], *own]

    early = (await fork(client, child, sequence=1)).json()
    late = (await fork(client, child, sequence=2)).json()

    found = {}
    for made in (early, late):
        answer = await client.get(f"{V1}/sessions/{made['id']}/fs/a.txt")
        found[made["id"]] = answer.json()["content"]
    assert found == {early["id"]: "1", late["id"]: "2"}

    await client.delete(f"{V1}/sessions/{session['id']}")
    gone = await fork(client, child, sequence=1)
    assert (gone.status_code, gone.json()["code"]) == (409, "conflict")


async def test_forks_keep_what_they_had_when_their_session_is_deleted_however_many(
    client: httpx.AsyncClient, session: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "FORKS_RELEASED_MAX", 2)
    forks = [(await fork(client, session)).json()["id"] for _ in range(5)]

    gone = await client.delete(f"{V1}/sessions/{session['id']}")

    assert gone.status_code == 204
    for id_ in forks:
        file = await client.get(f"{V1}/sessions/{id_}/fs/a.txt")
        assert file.json()["content"] == "1"
