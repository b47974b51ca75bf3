"""Events, heads and anchors through the granted functions."""

import pytest
from msgspec.structs import replace

from mainspring_eventstore.domain.errors import AppendRefused
from mainspring_eventstore.usecases.reading import Read, read
from mainspring_kernel.errors import Conflict
from mainspring_kernel.ids import Position
from mainspring_schema.grants import AppendVerdict, OpenHead, SessionStatus
from tests.contract.eventstore.event_log import IDS, Story, World


async def types_of(story: Story) -> list[tuple[int, str]]:
    page = await read(
        story.world.store,
        Read(session_id=story.session_id, org_id=story.org_id, after=Position(0)),
    )
    assert page is not None
    return [(event.seq, event.type) for event in page.events]


async def test_open_makes_a_started_head_with_its_first_event(story: Story) -> None:
    head = await story.present()

    assert (head.last_seq, head.n, head.status) == (1, 0, SessionStatus.STARTED)
    assert (head.hash, head.ts_ms, head.org_id) == (story.hash, story.ts_ms, story.org_id)
    assert (head.active_turn, head.turn_first_seq, head.closed) == (None, 0, False)
    assert await types_of(story) == [(1, "session.started")]


async def test_open_of_a_known_session_is_a_conflict_and_changes_nothing(story: Story) -> None:
    again = OpenHead(
        session_id=story.session_id,
        org_id=IDS.uuid7(),
        type="session.started",
        ts_ms=1,
        payload=b"{}",
        hash=b"h",
    )

    with pytest.raises(Conflict):
        await story.world.open([again])

    assert (await story.present()).org_id == story.org_id


async def test_lock_returns_known_heads_in_id_order(world: World) -> None:
    stories = [await Story(world).open() for _ in range(3)]
    asked = [stories[2].session_id, IDS.uuid7(), stories[0].session_id, stories[1].session_id]

    heads = await world.lock(asked)

    assert [head.session_id for head in heads] == sorted(s.session_id for s in stories)


async def test_append_moves_the_head_and_keeps_the_bytes(story: Story) -> None:
    events = await story.append("input.message", "session.activated")

    head = await story.present()
    page = await read(
        story.world.store,
        Read(session_id=story.session_id, org_id=story.org_id, after=Position(1)),
    )
    assert (head.last_seq, head.hash, head.ts_ms) == (3, story.hash, story.ts_ms)
    assert page is not None
    assert [event.payload for event in page.events] == [event.payload for event in events]
    assert [event.ts_ms for event in page.events] == [event.ts_ms for event in events]


async def test_a_turn_sets_status_and_first_seq(story: Story) -> None:
    turn = await story.start_turn()

    started = await story.present()
    await story.end_turn()
    ended = await story.present()

    assert (started.status, started.active_turn) == (SessionStatus.ACTIVE, turn)
    assert started.turn_first_seq == 2
    assert (ended.status, ended.active_turn) == (SessionStatus.IDLE, None)


async def test_one_append_may_serve_many_sessions(world: World) -> None:
    stories = [await Story(world).open() for _ in range(4)]
    events = [story.event(t) for story in stories for t in ("input.message", "turn.started")]

    await world.append(events[::-1], [story.head() for story in stories], [])

    for story in stories:
        assert await types_of(story) == [
            (1, "session.started"),
            (2, "input.message"),
            (3, "turn.started"),
        ]


async def test_a_head_may_move_without_events(story: Story) -> None:
    await story.start_turn("m1")
    await story.stream(story.delta(0, "abc"))
    story.status = SessionStatus.WAITINGFORTOOLRESULTS

    await story.world.append([], [story.head()], [])

    head = await story.present()
    assert head.status is SessionStatus.WAITINGFORTOOLRESULTS
    assert (head.last_seq, head.n) == (4, 1)


async def test_only_the_first_event_counts_the_deltas_before_it(story: Story) -> None:
    await story.start_turn("m1")
    await story.stream(story.delta(0, "a"), story.delta(1, "b"))

    await story.append("output.message.completed", "reason.completed")

    page = await read(
        story.world.store,
        Read(session_id=story.session_id, org_id=story.org_id, after=Position(4)),
    )
    assert page is not None
    assert [event.deltas_before for event in page.events] == [2, 0]
    assert (await story.present()).n == 0


@pytest.mark.parametrize("shift", [-1, 1])
async def test_a_sequence_that_does_not_follow_is_refused(story: Story, shift: int) -> None:
    event = story.event("input.message")
    moved = replace(event, seq=event.seq + shift)

    with pytest.raises(AppendRefused):
        await story.world.append([moved], [replace(story.head(), last_seq=moved.seq)], [])

    assert (await story.present()).last_seq == 1


@pytest.mark.parametrize("claimed", [3, 4])
async def test_a_gap_inside_a_batch_is_refused(story: Story, claimed: int) -> None:
    """Also where the head says no more than that two have come."""
    first, _, third = (story.event("input.message") for _ in range(3))

    with pytest.raises(AppendRefused):
        await story.world.append([first, third], [replace(story.head(), last_seq=claimed)], [])

    assert await types_of(story) == [(1, "session.started")]


async def test_a_head_that_claims_more_than_its_events_is_refused(story: Story) -> None:
    event = story.event("input.message")

    with pytest.raises(AppendRefused):
        await story.world.append([event], [replace(story.head(), last_seq=event.seq + 1)], [])


async def test_a_head_that_claims_less_than_there_is_is_refused(story: Story) -> None:
    await story.append("x.y")
    story.seq -= 1

    with pytest.raises(AppendRefused):
        await story.world.append([], [story.head()], [])


async def test_another_organization_is_refused(story: Story) -> None:
    event = story.event("input.message")

    with pytest.raises(AppendRefused):
        await story.world.append([event], [replace(story.head(), org_id=IDS.uuid7())], [])


async def test_an_unknown_session_is_refused(world: World) -> None:
    story = Story(world)
    event = story.event("input.message")

    with pytest.raises(AppendRefused):
        await world.append([event], [story.head()], [])


async def test_an_event_without_its_head_is_refused(story: Story) -> None:
    other = await Story(story.world).open()
    event = story.event("input.message")
    stray = other.event("input.message")

    with pytest.raises(AppendRefused):
        await story.world.append([event, stray], [story.head()], [])

    assert (await story.present()).last_seq == 1


async def test_a_time_below_the_head_is_refused(story: Story) -> None:
    event = story.event("input.message")

    with pytest.raises(AppendRefused):
        await story.world.append([event], [replace(story.head(), ts_ms=event.ts_ms - 2)], [])


async def test_one_refused_session_undoes_the_whole_call(world: World) -> None:
    good, bad = await Story(world).open(), await Story(world).open()
    events = [good.event("input.message"), bad.event("input.message")]
    heads = [good.head(), replace(bad.head(), org_id=IDS.uuid7())]

    with pytest.raises(AppendRefused):
        await world.append(events, heads, [])

    assert (await good.present()).last_seq == 1


async def test_close_answers_once_and_ignores_foreign_sessions(story: Story) -> None:
    foreign = await Story(story.world).open()
    asked = [(story.session_id, story.org_id), (foreign.session_id, story.org_id)]

    first = await story.world.close(asked)
    second = await story.world.close(asked)

    assert first == [(story.session_id, True)]
    assert second == [(story.session_id, False)]
    assert (await story.present()).closed
    assert not (await foreign.present()).closed


async def test_a_closed_head_refuses_appends_and_deltas(story: Story) -> None:
    await story.start_turn("m1")
    await story.world.close([(story.session_id, story.org_id)])

    verdicts = await story.stream(story.delta(0, "late"))
    with pytest.raises(AppendRefused):
        await story.append("input.message")

    assert verdicts == [AppendVerdict.STALE]


async def test_the_closing_group_is_taken_once(story: Story) -> None:
    await story.start_turn("m1")
    await story.world.close([(story.session_id, story.org_id)])
    group = [story.event("turn.cancelled"), story.event("session.idled")]

    await story.world.append_closing(group, [story.head()], [])
    with pytest.raises(AppendRefused):
        await story.world.append_closing([story.event("turn.cancelled")], [story.head()], [])

    assert (await story.present()).last_seq == 6


async def test_append_closing_on_an_open_head_is_an_append(story: Story) -> None:
    for _ in range(2):
        event = story.event("input.message")
        await story.world.append_closing([event], [story.head()], [])

    assert (await story.present()).last_seq == 3
