"""The stream on the live application, with a bus that may lose what it likes."""

import asyncio

import httpx
import pytest

from mainspring_api.adapters.http.services import Services
from mainspring_api.domain.limits import SSE_QUEUE_FRAMES_MAX, SSE_STREAMS_PER_SESSION_MAX
from mainspring_api.usecases.stream import hub
from mainspring_api.usecases.stream.subscriber import Subscriber
from mainspring_kernel.ids import OrgId, SessionId
from tests.api.backend import Backend
from tests.api.test_resources import V1, made_session
from tests.api.watcher import PATIENCE_S, data_of, positions, uuid_of, watching


@pytest.fixture
async def session(live: httpx.AsyncClient) -> dict[str, object]:
    return await made_session(live)


async def test_history_then_live_without_gap(
    live: httpx.AsyncClient, backend: Backend, session: dict[str, object]
) -> None:
    id_ = uuid_of(session)
    backend.append(id_, "turn.started", {})

    async with watching(live, session, "?after_sequence=0") as watcher:
        before = await watcher.frames(2)
        backend.append(id_, "turn.completed", {})
        after = await watcher.frames(1)

    assert positions(before + after) == [1, 2, 3]
    assert all(frame_id == data["id"] for _, frame_id, data in before + after)
    assert all(data["session_id"] == session["id"] for _, _, data in before + after)


async def test_the_first_frame_says_connected_and_when_to_come_again(
    live: httpx.AsyncClient, session: dict[str, object]
) -> None:
    async with live.stream("GET", f"{V1}/sessions/{session['id']}/sse") as response:
        lines = response.aiter_lines()
        async with asyncio.timeout(PATIENCE_S):
            first = [await anext(lines) for _ in range(4)]

    assert first[0].startswith("retry: ")
    assert first[1:] == ["event: connected", 'data: {"status":"connected"}', ""]


async def test_without_cursor_the_newest_turn_is_replayed(
    live: httpx.AsyncClient, backend: Backend, session: dict[str, object]
) -> None:
    id_ = uuid_of(session)
    for _ in range(2):
        backend.append(id_, "turn.started", {})
        backend.append(id_, "turn.completed", {})
    backend.sessions[id_].turn_first = 4

    async with watching(live, session) as watcher:
        found = await watcher.frames(2)

    assert positions(found) == [4, 5]


async def test_an_event_the_bus_lost_is_read_when_the_next_one_shows_the_gap(
    live: httpx.AsyncClient, backend: Backend, session: dict[str, object]
) -> None:
    id_ = uuid_of(session)

    async with watching(live, session, "?after_sequence=0") as watcher:
        await watcher.frames(1)
        backend.append(id_, "turn.started", {}, publish=False)
        backend.append(id_, "turn.completed", {})
        found = await watcher.frames(2)

    assert positions(found) == [2, 3]


async def test_lost_deltas_show_in_deltas_before(
    live: httpx.AsyncClient, backend: Backend, session: dict[str, object]
) -> None:
    id_ = uuid_of(session)

    async with watching(live, session, "?after_sequence=0") as watcher:
        await watcher.frames(1)
        backend.stream(id_, "message_1", "lost", offset=0, publish=False)
        backend.append(id_, "turn.completed", {})
        found = await watcher.frames(2)

    assert [type_ for type_, _, _ in found] == ["output.message.delta", "turn.completed"]


async def test_without_any_bus_the_sweep_brings_everything(
    live: httpx.AsyncClient,
    backend: Backend,
    session: dict[str, object],
    services: Services,
) -> None:
    id_ = uuid_of(session)
    backend.bus = False

    async with watching(live, session, "?after_sequence=0") as watcher:
        await watcher.frames(1)
        backend.append(id_, "turn.started", {})
        backend.stream(id_, "message_1", "a", offset=0)
        await services.hub.sweep()
        found = await watcher.frames(2)

    assert [type_ for type_, _, _ in found] == ["turn.started", "output.message.delta"]


async def test_deltas_accumulate_and_can_be_resumed_from(
    live: httpx.AsyncClient, backend: Backend, session: dict[str, object]
) -> None:
    id_ = uuid_of(session)
    backend.append(id_, "output.message.started", {"message_id": "message_1"})
    backend.stream(id_, "message_1", "Hel", offset=0)
    backend.stream(id_, "message_1", "lo", offset=3)

    async with watching(live, session, "?after_sequence=1") as watcher:
        _, first, second = await watcher.frames(3)
    async with watching(live, session, f"?since_id={first[1]}") as watcher:
        again = await watcher.frame()
        backend.stream(id_, "message_1", "!", offset=5)
        live_delta = await watcher.frame()

    assert second == again
    assert data_of(again)["accumulated"] == "Hello"
    assert data_of(live_delta)["delta"] == "!"
    assert data_of(live_delta)["accumulated"] == "Hello!"
    assert "sequence" not in again[2]


@pytest.mark.parametrize("asked", ["false", "true"])
async def test_who_wants_no_text_so_far_has_each_fragment_alone(
    asked: str, live: httpx.AsyncClient, backend: Backend, session: dict[str, object]
) -> None:
    id_ = uuid_of(session)
    backend.stream(id_, "message_1", "Hel", offset=0)

    async with watching(live, session, f"?after_sequence=1&accumulated={asked}") as watcher:
        found = [await watcher.frame()]
        backend.stream(id_, "message_1", "lo", offset=3)
        found.append(await watcher.frame())

    assert [data_of(one)["delta"] for one in found] == ["Hel", "lo"]
    assert all(("accumulated" in data_of(one)) == (asked == "true") for one in found)


async def test_a_reset_voids_what_came_before(
    live: httpx.AsyncClient, backend: Backend, session: dict[str, object]
) -> None:
    id_ = uuid_of(session)
    backend.append(id_, "output.message.started", {"message_id": "m"})
    backend.stream(id_, "m", "half", offset=0)

    async with watching(live, session, "?after_sequence=2") as watcher:
        await watcher.frames(1)
        backend.stream(id_, "m", "new", offset=0, attempt=2, reset=True)
        again = await watcher.frame()

    assert data_of(again)["accumulated"] == "new"
    assert data_of(again)["reset"] is True


async def test_what_a_tool_writes_is_told_with_its_name_also_from_its_middle(
    live: httpx.AsyncClient, backend: Backend, session: dict[str, object]
) -> None:
    id_ = uuid_of(session)
    backend.append(id_, "tool.started", {"tool_call": {"id": "call_1", "name": "bash"}})
    backend.stream(id_, "call_1", "one\n", offset=0, channel="stdout")
    backend.stream(id_, "call_1", "oh\n", offset=0, channel="stderr")
    backend.stream(id_, "call_1", "anew\n", offset=0, channel="stdout", attempt=2, reset=True)

    async with watching(live, session, "?after_sequence=2") as watcher:
        found = await watcher.frames(3)
    async with watching(live, session, f"?since_id={found[0][1]}") as watcher:
        again = await watcher.frames(2)

    assert found[1:] == again
    assert {type_ for type_, _, _ in found} == {"tool.output.delta"}
    call = {"tool_call_id": "call_1", "tool_name": "bash"}
    assert [data_of(frame) for frame in found] == [
        call | {"delta": "one\n", "stream": "stdout"},
        call | {"delta": "oh\n", "stream": "stderr"},
        call | {"delta": "anew\n", "stream": "stdout", "attempt": 2, "reset": True},
    ]


async def test_last_event_id_beats_the_query(
    live: httpx.AsyncClient, backend: Backend, session: dict[str, object]
) -> None:
    id_ = uuid_of(session)
    backend.append(id_, "turn.started", {})
    backend.append(id_, "turn.completed", {})
    events = (await live.get(f"{V1}/sessions/{session['id']}/events")).json()["data"]
    query = f"?since_id={events[0]['id']}"

    async with watching(live, session, query, **{"Last-Event-ID": events[1]["id"]}) as watcher:
        found = await watcher.frames(1)

    assert positions(found) == [3]


async def test_types_keep_and_exclude_drops(
    live: httpx.AsyncClient, backend: Backend, session: dict[str, object]
) -> None:
    id_ = uuid_of(session)
    query = "?after_sequence=0&types=turn.started&types=turn.completed&exclude=turn.started"

    async with watching(live, session, query) as watcher:
        backend.append(id_, "turn.started", {})
        backend.stream(id_, "m", "x", offset=0)
        backend.append(id_, "turn.completed", {})
        found = await watcher.frames(1)

    assert [type_ for type_, _, _ in found] == ["turn.completed"]


async def test_two_subscribers_get_the_same_bytes(
    live: httpx.AsyncClient, backend: Backend, session: dict[str, object]
) -> None:
    id_ = uuid_of(session)

    async with (
        watching(live, session, "?after_sequence=0") as one,
        watching(live, session, "?after_sequence=0") as other,
    ):
        backend.append(id_, "turn.started", {})
        backend.stream(id_, "m", "x", offset=0)
        found = await one.frames(3), await other.frames(3)

    assert found[0] == found[1]


async def test_a_slow_client_misses_nothing(
    live: httpx.AsyncClient,
    backend: Backend,
    session: dict[str, object],
    services: Services,
) -> None:
    id_ = uuid_of(session)
    count = SSE_QUEUE_FRAMES_MAX * 2

    async with watching(live, session, "?after_sequence=0") as watcher:
        await watcher.frames(1)
        # In one go, so that the stream's own task finds an overflowed queue.
        for _ in range(count):
            backend.append(id_, "turn.started", {})
        found = await watcher.frames(count)

    assert positions(found) == list(range(2, count + 2))


async def test_a_cursor_of_an_older_store_gets_one_resync(
    live: httpx.AsyncClient, backend: Backend, session: dict[str, object]
) -> None:
    backend.append(uuid_of(session), "turn.started", {})
    events = (await live.get(f"{V1}/sessions/{session['id']}/events")).json()["data"]
    backend.store_epoch = 2

    async with watching(live, session, f"?since_id={events[0]['id']}") as watcher:
        type_, frame_id, data = await watcher.frame()
        history = await watcher.frames(2)

    assert type_ == "stream.resync"
    assert frame_id == data["id"]
    assert "sequence" not in data
    assert positions(history) == [1, 2]


async def test_a_cursor_past_the_end_is_refused(
    live: httpx.AsyncClient, session: dict[str, object]
) -> None:
    answer = await live.get(f"{V1}/sessions/{session['id']}/sse?after_sequence=5")

    assert answer.status_code == 400
    assert answer.json()["code"] == "cursor_mismatch"


async def test_a_deleted_session_sends_its_last_events_and_closes(
    live: httpx.AsyncClient, backend: Backend, session: dict[str, object]
) -> None:
    id_ = uuid_of(session)

    async with watching(live, session, "?after_sequence=0") as watcher:
        await watcher.frames(1)
        backend.append(id_, "turn.cancelled", {})
        backend.append(id_, "session.idled", {}, publish=False)
        backend.close_log(id_)
        found = await watcher.until_end()

    assert [type_ for type_, _, _ in found] == ["turn.cancelled", "session.idled"]


async def test_streams_per_session_are_limited(
    live: httpx.AsyncClient, session: dict[str, object]
) -> None:
    opened = [watching(live, session) for _ in range(SSE_STREAMS_PER_SESSION_MAX)]
    # Kept, for a watcher that is collected closes its stream.
    watchers = [await one.__aenter__() for one in opened]

    refused = await live.get(f"{V1}/sessions/{session['id']}/sse")
    for one in opened:
        await one.__aexit__()

    assert len(watchers) == SSE_STREAMS_PER_SESSION_MAX
    assert refused.status_code == 429
    assert refused.json()["code"] == "too_many_requests"
    assert int(refused.headers["retry-after"]) >= 1


@pytest.mark.parametrize("whose", ["this server", "organization"])
async def test_a_refused_stream_is_told_whose_bound_is_reached(
    live: httpx.AsyncClient,
    session: dict[str, object],
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
    whose: str,
) -> None:
    if whose == "organization":
        monkeypatch.setattr(hub, "SSE_STREAMS_PER_ORG_MAX", 1)
    else:
        services.hub.streams_max = 1
    async with watching(live, session):
        refused = await live.get(f"{V1}/sessions/{session['id']}/sse")

    assert refused.status_code == 429
    assert refused.json()["detail"].startswith("at most 1 streams")
    assert whose in refused.json()["detail"]


async def test_a_drain_tells_every_client_to_come_again(
    live: httpx.AsyncClient, session: dict[str, object], services: Services
) -> None:
    async with watching(live, session, "?after_sequence=1") as watcher:
        services.hub.drain()
        found = await watcher.until_end()

    (type_, _, data) = found[-1]
    assert type_ == "disconnecting"
    assert data["reason"] == "server_maintenance"
    assert services.hub.streams == 0


async def test_a_client_that_leaves_frees_its_place(
    live: httpx.AsyncClient,
    session: dict[str, object],
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left = asyncio.Event()
    leave = services.hub.leave

    async def leave_and_tell(session_id: SessionId, org_id: OrgId, who: Subscriber) -> None:
        await leave(session_id, org_id, who)
        left.set()

    monkeypatch.setattr(services.hub, "leave", leave_and_tell)
    async with watching(live, session):
        joined = services.hub.streams
    async with asyncio.timeout(PATIENCE_S):
        await left.wait()

    assert joined == 1
    assert services.hub.streams == 0
    assert not services.hub._followers


async def test_a_log_that_goes_away_ends_the_stream_with_a_word(
    live: httpx.AsyncClient,
    backend: Backend,
    session: dict[str, object],
) -> None:
    id_ = uuid_of(session)

    async with watching(live, session, "?after_sequence=0") as watcher:
        await watcher.frames(1)
        backend.away = True
        for _ in range(SSE_QUEUE_FRAMES_MAX + 1):
            backend.append(id_, "turn.started", {})
        found = await watcher.until_end()

    assert found[-1][0] == "disconnecting"
    assert found[-1][2]["reason"] == "unavailable"
