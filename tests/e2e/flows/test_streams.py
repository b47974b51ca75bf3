"""The event stream: from any cursor, before, during and after a turn, over any break."""

import asyncio
from itertools import count, repeat

import httpx
import pytest
from everruns_sdk import Everruns

from mainspring_kernel.ids import Prefix, from_wire, parse_position_id, position_id, to_wire
from tests.e2e.flows.cutting import cutting
from tests.e2e.flows.sdk import until
from tests.e2e.flows.wire import (
    DELTAS,
    PATIENCE_S,
    Frame,
    Wire,
    gather,
    scripted,
    types,
)

pytestmark = [
    pytest.mark.stack,
    pytest.mark.filterwarnings("ignore:Everruns:DeprecationWarning"),
]
REST = frozenset({"session.idled"})
SLOW = scripted("Talk.", turns=[{"text": "some words " * 30}], latency={"token_ms": 12})


async def slow_turn(wire: Wire) -> str:
    session = await wire.session()
    await wire.say(session, SLOW)
    return session


def ids(frames: list[Frame]) -> list[str]:
    return [frame.id for frame in frames]


async def test_a_stream_opened_before_during_and_after_a_turn_tells_the_same(wire: Wire) -> None:
    session = await wire.session()
    async with wire.open(session) as early:
        before = asyncio.create_task(gather(early, REST))
        await wire.say(session, SLOW)
        await wire.until(session, "output.message.delta")
        during = await wire.to_rest(session)
        after = await wire.to_rest(session)
        async with asyncio.timeout(PATIENCE_S):
            seen_before = await before

    assert ids(seen_before) == ids(during) == ids(after)
    assert sum(frame.type in DELTAS for frame in after) > 3
    assert all(frame.frame_id == frame.id for frame in after)


async def test_deltas_add_up_to_the_message(wire: Wire) -> None:
    frames = await wire.to_rest(await slow_turn(wire))
    deltas = [frame for frame in frames if frame.type == "output.message.delta"]
    joined = ""

    for delta in deltas:
        joined += delta.text("delta")
        assert delta.text("accumulated") == joined
    completed = next(f for f in frames if f.type == "output.message.completed")
    assert str(completed.member("message")["content"]).count("some words") == 30
    assert "some words " * 30 in joined + " "


async def test_without_a_cursor_a_stream_begins_with_the_newest_turn(wire: Wire) -> None:
    session = await wire.session()
    await wire.say(session, "Hello")
    first = await wire.to_rest(session)
    await wire.say(session, "Hello again")

    frames = await wire.to_rest(session, "")
    everything = await wire.to_rest(session, f"?since_id={first[-1].id}")

    assert types(frames)[0] == "input.message"
    assert ids(frames) == ids(everything)


async def test_every_frame_is_a_cursor(wire: Wire) -> None:
    session = await slow_turn(wire)
    frames = await wire.to_rest(session)

    for index in range(0, len(frames) - 1, 3):
        cursor = frames[index].id
        assert ids(await wire.to_rest(session, f"?since_id={cursor}")) == ids(frames[index + 1 :])


async def test_a_sequence_is_a_cursor_and_zero_means_everything(wire: Wire) -> None:
    session = await slow_turn(wire)
    frames = await wire.to_rest(session)
    fourth = next(i for i, frame in enumerate(frames) if frame.sequence == 4)

    later = await wire.to_rest(session, "?after_sequence=4")

    assert frames[0].sequence == 1
    assert ids(later) == ids(frames[fourth + 1 :])


async def test_last_event_id_beats_the_query(wire: Wire) -> None:
    session = await slow_turn(wire)
    frames = await wire.to_rest(session)
    delta = next(frame for frame in frames if frame.type in DELTAS)

    async with wire.open(session, "?after_sequence=0", Last_Event_ID=delta.id) as stream:
        resumed = await gather(stream, REST)

    assert ids(resumed) == ids(frames[frames.index(delta) + 1 :])


async def test_filters_narrow_a_stream(wire: Wire) -> None:
    session = await slow_turn(wire)
    query = "?after_sequence=0&types=turn.started&types=turn.completed&types=session.idled"

    frames = await wire.to_rest(session, f"{query}&exclude=turn.started")
    quiet = await wire.to_rest(session, "?after_sequence=0&exclude=output.message.delta")

    assert types(frames) == ["turn.completed", "session.idled"]
    assert not any(frame.type in DELTAS for frame in quiet)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("since_id={id}&after_sequence=1", "conflicting_cursors"),
        ("types=turn.ended", "unknown_event_type"),
        ("exclude=turn.ended", "unknown_event_type"),
        ("since_id=event_1", "invalid_id"),
        ("since_id={foreign}", "cursor_mismatch"),
        ("since_id={ahead}", "cursor_mismatch"),
        ("after_sequence=99", "cursor_mismatch"),
    ],
)
@pytest.mark.parametrize("route", ["sse", "events"])
async def test_a_bad_cursor_or_type_is_a_400(wire: Wire, route: str, query: str, code: str) -> None:
    session, other = await wire.session(), await wire.session()
    own, foreign = (await wire.events(session))[0].id, (await wire.events(other))[0].id
    cursors = {"id": own, "foreign": foreign, "ahead": moved(own, session, 99)}

    answer = await wire.ask("GET", f"/sessions/{session}/{route}?{query.format(**cursors)}")

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.json()["error"]["code"] == code


def moved(event_id: str, session_id: str, seq: int) -> str:
    """The id that the session's event of this number has, or will have."""
    at = parse_position_id(from_wire(Prefix.EVENT, event_id))
    session = from_wire(Prefix.SESSION, session_id)
    return to_wire(Prefix.EVENT, position_id(at.epoch, seq, 0, session))


async def test_connections_that_are_reset_lose_and_double_nothing(wire: Wire) -> None:
    session = await slow_turn(wire)
    frames: list[Frame] = []
    # Growing, so that cuts fall anywhere in a frame and each connection gets on at last.
    budgets = (900 + 257 * n for n in count())
    async with cutting(wire.api, budgets) as (cutter, broken), asyncio.timeout(PATIENCE_S):
        while not frames or frames[-1].type != "session.idled":
            async with Wire(broken) as one:
                await follow(one, session, frames)
    whole = await wire.to_rest(session)

    assert cutter.cuts > 5
    assert ids(frames) == ids(whole)
    assert [frame.data for frame in frames] == [frame.data for frame in whole]


async def follow(wire: Wire, session: str, frames: list[Frame]) -> None:
    """As far as this connection goes."""
    query = f"?since_id={frames[-1].id}" if frames else "?after_sequence=0"
    try:
        async with wire.open(session, query) as stream:
            async for frame in stream:
                frames.append(frame)
                if frame.type == "session.idled":
                    return
    except (httpx.TransportError, StopAsyncIteration):
        return


async def test_the_sdk_comes_over_reset_connections(wire: Wire, base_url: str) -> None:
    session = await slow_turn(wire)
    budgets = iter([4000, 6000, *repeat(None, 20)])
    first = (await wire.events(session))[0].id
    async with (
        cutting(base_url, budgets) as (cutter, broken),
        Everruns(api_key="fake-key", base_url=broken) as client,
    ):
        seen = await until(client, session, {"turn.completed"}, since_id=first)
    whole = await wire.until(session, "turn.completed")

    assert cutter.cuts == 2
    assert [event.id for event in seen] == ids(whole)[1:]
