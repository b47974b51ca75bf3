"""Filters, totals and windows of the event listing."""

import pytest
from msgspec import json
from msgspec.structs import replace

from mainspring_eventstore.domain import limits
from mainspring_eventstore.usecases.listing import Listed, Taken, Window, list_events
from mainspring_schema.events import Context, Payload, StoredEvent
from mainspring_schema.grants import AppendEvent
from mainspring_schema.listing import EventFilter
from tests.contract.eventstore.event_log import IDS, Story, World


async def listed(story: Story, wanted: EventFilter) -> Listed:
    return await list_events(story.world.store, story.session_id, story.org_id, wanted)


async def seqs(story: Story, wanted: EventFilter) -> list[int]:
    """A whole list is the same whether its newest events are taken or, by a cursor, its oldest."""
    found = [event.seq for event in (await listed(story, wanted)).events]
    if wanted.after_seq is None and wanted.around is None and len(found) < wanted.limit:
        onward = await listed(story, replace(wanted, after_seq=0))
        assert [event.seq for event in onward.events] == found
    return found


@pytest.fixture
async def told(story: Story) -> Story:
    """1 session.started, 2 to 4 a turn's start, 5 to 8 tools and talk, 9 to 10 its end."""
    await story.start_turn()
    context = Context(exec_id="exec-1", trace_id="ab" * 16)
    events = [
        story.event("tool.started", {"tool_call": {"name": "weather"}}, context=context),
        story.event("tool.completed", {"tool_name": "weather", "result": [{"text": "Sunny"}]}),
        story.event("act.started", {"tool_calls": [{"name": "math"}, {"name": "weather"}]}),
        story.event("output.message.completed", {"message": {"text": 'A "Größe" of 5 \\ SUN'}}),
    ]
    await story.world.append(events, [story.head()], [])
    await story.end_turn()
    return story


async def test_the_newest_events_come_ascending_with_the_whole_total(told: Story) -> None:
    newest = await listed(told, EventFilter(limit=3, counted=True))

    assert [event.seq for event in newest.events] == [8, 9, 10]
    assert newest.total == 10


async def test_cursors_bound_the_page_but_not_the_total(told: Story) -> None:
    after = await listed(told, EventFilter(after_seq=4, limit=2, counted=True))
    before = await listed(told, EventFilter(before_seq=4, limit=2, counted=True))
    between = await seqs(told, EventFilter(after_seq=2, before_seq=6))

    assert [event.seq for event in after.events] == [5, 6]
    assert [event.seq for event in before.events] == [2, 3]
    assert (after.total, before.total) == (10, 10)
    assert between == [3, 4, 5]


async def test_a_fork_lists_and_counts_nothing_that_came_in_its_parent_later(told: Story) -> None:
    types = ("tool.started", "tool.completed", "session.forked")
    (row,) = await told.world.store.chain(told.session_id, first_seq=5, last_seq=5, limit=1)
    fork = Story(told.world, started_ms=told.ts_ms)
    fork.org_id, fork.seq, fork.hash = told.org_id, 5, row.h
    await told.world.fork(fork.session_id, told.session_id, 5, row.h)
    await fork.append("session.forked")

    whole = await listed(fork, EventFilter(counted=True))
    some = await listed(fork, EventFilter(types=types, counted=True))
    searched = await listed(fork, EventFilter(tool_name="weather", counted=True))

    assert await seqs(fork, EventFilter()) == [1, 2, 3, 4, 5, 6]
    assert await seqs(fork, EventFilter(after_seq=0)) == [1, 2, 3, 4, 5, 6]
    assert await seqs(fork, EventFilter(types=types)) == [5, 6]
    assert (whole.total, some.total, searched.total) == (6, 2, 1)


async def test_a_count_ends_with_the_times_that_it_is_given(told: Story) -> None:
    third = (await listed(told, EventFilter())).events[2].ts_ms

    found = await listed(told, EventFilter(from_ms=third, to_ms=third + 1, counted=True))

    assert ([event.seq for event in found.events], found.total) == ([3, 4], 2)


async def test_what_nobody_wants_counted_is_not(told: Story) -> None:
    types = ("tool.started", "tool.completed", "act.started")

    some = await listed(told, EventFilter(types=types, after_seq=0, limit=2, counted=False))

    assert ([event.seq for event in some.events], some.total) == ([5, 6], 2)


async def test_descending_turns_the_page_around(told: Story) -> None:
    assert await seqs(told, EventFilter(limit=3, descending=True)) == [10, 9, 8]
    assert await seqs(told, EventFilter(after_seq=0, limit=2, descending=True)) == [2, 1]


async def test_types_first_then_exclude(told: Story) -> None:
    types = ("tool.started", "tool.completed", "act.started")

    both = await listed(told, EventFilter(types=types, exclude=("act.started",), counted=True))
    excluded = await seqs(told, EventFilter(exclude=types))

    assert [event.seq for event in both.events] == [5, 6]
    assert both.total == 2
    assert excluded == [1, 2, 3, 4, 8, 9, 10]


async def test_times_and_turns_narrow(told: Story) -> None:
    whole = await listed(told, EventFilter())
    third = whole.events[2].ts_ms

    assert await seqs(told, EventFilter(from_ms=third, to_ms=third + 1)) == [3, 4]
    assert await seqs(told, EventFilter(turn_id=IDS.uuid7())) == []


async def test_a_turn_is_found_by_its_id(story: Story) -> None:
    turn = await story.start_turn()
    events = [story.event("turn.completed")]
    story.turn = None
    await story.world.append(events, [story.head(close_anchors=True)], [])
    await story.append("session.title.updated")

    assert await seqs(story, EventFilter(turn_id=turn)) == [2, 3, 4, 5]


async def test_context_ids_and_tool_names_are_read_from_the_payload(told: Story) -> None:
    tool = await listed(told, EventFilter(tool_name="weather", counted=True))

    assert [event.seq for event in tool.events] == [5, 6, 7]
    assert tool.total == 3
    assert await seqs(told, EventFilter(tool_name="math")) == [7]
    assert await seqs(told, EventFilter(tool_name="weath")) == []
    assert await seqs(told, EventFilter(exec_id="exec-1")) == [5]
    assert await seqs(told, EventFilter(trace_id="ab" * 16)) == [5]
    assert await seqs(told, EventFilter(exec_id="exec-1", types=("turn.started",))) == []


async def test_any_of_the_tags_matches(story: Story) -> None:
    drafts = [("a", "b"), ("c",), None]
    events: list[AppendEvent] = []
    for tags in drafts:
        event = story.event("task.updated")
        payload = json.encode(Payload(context=Context(), data={"tags": ["a"]}, tags=tags))
        events.append(replace(event, payload=payload))
    await story.world.append(events, [story.head()], [])

    assert await seqs(story, EventFilter(tags=("b", "x"))) == [2]
    assert await seqs(story, EventFilter(tags=("a", "c"))) == [2, 3]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sun", [6, 8]),
        ("SUNNY", [6]),
        ("größe", [8]),
        ('"Gr', [8]),
        ("\\ sun", [8]),
        ("message", []),
        ("100%", []),
    ],
)
async def test_text_is_searched_in_values_whatever_the_case(
    told: Story, text: str, expected: list[int]
) -> None:
    found = await listed(told, EventFilter(text=text, counted=True))

    assert [event.seq for event in found.events] == expected
    assert found.total == len(expected)


@pytest.mark.parametrize(
    ("text", "found"), [("ΑΣ", [2]), ("ας", [2]), ("300k", []), ("300\u212a", [2])]
)
async def test_a_letter_is_the_same_wherever_it_stands_in_a_word(
    story: Story, text: str, found: list[int]
) -> None:
    """A sign that only looks like a letter of ASCII is another one."""
    event = story.event("tool.completed", {"text": "ΑΣΑ 300\u212a"})
    await story.world.append([event], [story.head()], [])

    assert await seqs(story, EventFilter(text=text)) == found


async def test_around_takes_a_window_on_each_side(told: Story) -> None:
    assert await seqs(told, EventFilter(around=5, window=2)) == [3, 4, 5, 6, 7]
    assert await seqs(told, EventFilter(around=1, window=1)) == [1, 2]
    assert await seqs(told, EventFilter(around=5, window=0)) == [5]
    assert await seqs(told, EventFilter(around=6, window=1, tool_name="weather")) == [5, 6, 7]


async def test_payload_filters_keep_cursors_limits_and_totals(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SCAN_PAGE_ROWS", 4)
    events = [
        story.event("tool.completed", {"tool_name": "even" if i % 2 == 0 else "odd"})
        for i in range(2, 22)
    ]
    await story.world.append(events, [story.head()], [])

    newest = await listed(story, EventFilter(tool_name="even", limit=3, counted=True))
    oldest = await listed(story, EventFilter(tool_name="even", after_seq=5, limit=3, counted=True))
    before = await seqs(story, EventFilter(tool_name="even", before_seq=9, limit=2))

    assert [event.seq for event in newest.events] == [16, 18, 20]
    assert [event.seq for event in oldest.events] == [6, 8, 10]
    assert before == [6, 8]
    assert (newest.total, oldest.total) == (10, 10)


@pytest.mark.parametrize(("newest", "kept"), [(True, [7, 8, 9]), (False, [1, 2, 3])])
def test_no_more_is_kept_of_a_search_than_an_answer_has_room_for(
    monkeypatch: pytest.MonkeyPatch, newest: bool, kept: list[int]
) -> None:
    monkeypatch.setattr(limits, "READ_BYTES_MAX", 3_600 if newest else 3_400)
    taken = Taken(Window(after_seq=0, before_seq=None, limit=1_000, newest=newest))

    for seq in range(1, 10):
        taken.offer(StoredEvent(seq=seq, type="x", ts_ms=1, payload=b"x" * 1_000))

    assert [event.seq for event in taken.kept] == kept


async def test_an_unknown_or_foreign_session_lists_nothing(world: World, told: Story) -> None:
    foreign = await list_events(world.store, told.session_id, IDS.uuid7(), EventFilter())
    filtered = await list_events(world.store, IDS.uuid7(), told.org_id, EventFilter(text="sun"))

    assert foreign == Listed(events=(), total=0)
    assert filtered == Listed(events=(), total=0)
