"""Streamed fragments: verdicts and the one total order."""

from msgspec.structs import replace

from mainspring_eventstore.ports.log import Page
from mainspring_eventstore.usecases.reading import Read, read
from mainspring_kernel.ids import Position
from mainspring_schema.events import StoredDelta
from mainspring_schema.grants import AppendVerdict, DeltaAnswer
from tests.contract.eventstore.event_log import IDS, Story, World

COMMITTED = AppendVerdict.COMMITTED
DUPLICATE = AppendVerdict.DUPLICATE
STALE = AppendVerdict.STALE
GAP = AppendVerdict.GAP


async def page_of(story: Story) -> Page:
    wanted = Read(session_id=story.session_id, org_id=story.org_id, after=Position(0))
    page = await read(story.world.store, wanted)
    assert page is not None
    return page


async def deltas_of(story: Story) -> list[StoredDelta]:
    return list((await page_of(story)).deltas)


async def test_fragments_of_one_batch_follow_each_other(story: Story) -> None:
    await story.start_turn("m1")

    verdicts = await story.stream(story.delta(0, "Hel"), story.delta(3, "lo "), story.delta(6, "!"))

    assert verdicts == [COMMITTED] * 3
    deltas = await deltas_of(story)
    assert "".join(delta.fragment for delta in deltas) == "Hello !"
    assert [(delta.seq, delta.n) for delta in deltas] == [(4, 1), (4, 2), (4, 3)]
    assert (await story.present()).n == 3


async def test_offsets_count_characters_and_not_bytes(story: Story) -> None:
    await story.start_turn("m1")

    verdicts = await story.stream(story.delta(0, "Grüße 🙂"), story.delta(7, "e\u0301"))
    again = await story.stream(story.delta(9, "."))

    assert verdicts == [COMMITTED, COMMITTED]
    assert again == [COMMITTED]


async def test_answers_hold_positions_and_a_database_time(story: Story) -> None:
    await story.start_turn("m1")

    answers = await story.world.append_deltas([story.delta(0, "a"), story.delta(5, "b")])

    first, second = answers
    assert (first.item, first.seq, first.n) == (1, 4, 1)
    assert abs(first.ts_ms - story.ts_ms) < 600_000
    assert second == DeltaAnswer(item=2, verdict=GAP)


async def test_a_lower_offset_is_a_duplicate(story: Story) -> None:
    await story.start_turn("m1")
    await story.stream(story.delta(0, "abc"), story.delta(3, "def"))

    verdicts = await story.stream(story.delta(0, "abc"), story.delta(3, "def"), story.delta(6, "g"))

    assert verdicts == [DUPLICATE, DUPLICATE, COMMITTED]
    assert (await story.present()).n == 3


async def test_a_higher_offset_is_a_gap_and_later_ones_too(story: Story) -> None:
    await story.start_turn("m1")

    verdicts = await story.stream(story.delta(2, "c"), story.delta(0, "ab"), story.delta(3, "d"))

    assert verdicts == [GAP, COMMITTED, GAP]
    assert [delta.fragment for delta in await deltas_of(story)] == ["ab"]


async def test_an_empty_fragment_appends_nothing(story: Story) -> None:
    await story.start_turn("m1")

    assert await story.stream(story.delta(0, ""), story.delta(0, "a")) == [DUPLICATE, COMMITTED]


async def test_channels_and_anchors_count_alone(story: Story) -> None:
    await story.start_turn("m1", "m2")

    verdicts = await story.stream(
        story.delta(0, "abc"),
        story.delta(0, "think", channel="thinking"),
        story.delta(0, "other", anchor="m2"),
        story.delta(3, "d"),
        story.delta(5, "ing", channel="thinking"),
    )

    assert verdicts == [COMMITTED] * 5
    assert [delta.n for delta in await deltas_of(story)] == [1, 2, 3, 4, 5]


async def test_a_lower_attempt_is_stale_and_a_higher_one_waits_for_its_event(story: Story) -> None:
    await story.start_turn("m1")
    await story.stream(story.delta(0, "old"))

    early = await story.stream(story.delta(0, "new", attempt=2, reset=True))
    await story.append("reason.recovered", anchors=[story.anchor("m1", 2)])
    late = await story.stream(
        story.delta(3, "late"),
        story.delta(0, "new", attempt=2, reset=True),
        story.delta(3, "er", attempt=2),
    )

    assert early == [GAP]
    assert late == [STALE, COMMITTED, COMMITTED]
    assert [d.fragment for d in await deltas_of(story) if d.attempt == 2] == ["new", "er"]
    assert [d.reset for d in await deltas_of(story)] == [False, True, False]


async def test_a_repeated_reset_is_a_duplicate(story: Story) -> None:
    await story.start_turn("m1")
    await story.append("reason.recovered", anchors=[story.anchor("m1", 2)])
    first = story.delta(0, "new", attempt=2, reset=True)

    assert await story.stream(first) == [COMMITTED]
    assert await story.stream(first) == [DUPLICATE]


async def test_opening_an_anchor_again_at_its_attempt_keeps_its_offsets(story: Story) -> None:
    await story.start_turn("m1")
    await story.stream(story.delta(0, "abc"))

    await story.append("reason.started", anchors=[story.anchor("m1", 1)])

    assert await story.stream(story.delta(3, "d")) == [COMMITTED]


async def test_a_closed_or_unknown_anchor_is_stale(story: Story) -> None:
    await story.start_turn("m1")

    unknown = await story.stream(story.delta(0, "x", anchor="m9"))
    await story.append("output.message.completed", anchors=[story.anchor("m1", None)])
    closed = await story.stream(story.delta(0, "x"))

    assert (unknown, closed) == ([STALE], [STALE])


async def test_of_several_changes_of_one_anchor_the_last_counts(story: Story) -> None:
    await story.start_turn("m1")

    await story.append(
        "reason.recovered",
        anchors=[story.anchor("m1", None), story.anchor("m1", 3), story.anchor("m2"),
                 story.anchor("m2", None)],
    )  # fmt: skip

    verdicts = await story.stream(story.delta(0, "x", attempt=3), story.delta(0, "x", anchor="m2"))
    assert verdicts == [COMMITTED, STALE]


async def test_an_outcome_closes_every_anchor_before_the_next_turn_opens_its_own(
    story: Story,
) -> None:
    await story.start_turn("m1", "m2")
    old = story.delta(0, "late")
    event = story.event("turn.completed")
    story.turn = IDS.uuid7()

    await story.world.append([event], [story.head(close_anchors=True)], [story.anchor("m3")])

    assert await story.stream(old, story.delta(0, "x", anchor="m3")) == [STALE, COMMITTED]


async def test_a_delta_of_another_turn_is_stale(story: Story) -> None:
    await story.start_turn("m1")

    verdicts = await story.stream(replace(story.delta(0, "x"), turn_id=IDS.uuid7()))

    assert verdicts == [STALE]


async def test_an_unknown_session_is_stale(story: Story) -> None:
    await story.start_turn("m1")

    verdicts = await story.stream(
        replace(story.delta(0, "x"), session_id=IDS.uuid7()), story.delta(0, "y")
    )

    assert verdicts == [STALE, COMMITTED]


async def test_parallel_sessions_in_one_batch_keep_their_own_counts(world: World) -> None:
    one, two = await Story(world).open(), await Story(world).open()
    for story in (one, two):
        await story.start_turn("m1")

    answers = await world.append_deltas(
        [one.delta(0, "a"), two.delta(0, "x"), one.delta(1, "b"), two.delta(9, "y")]
    )

    assert [(a.verdict, a.n) for a in answers] == [
        (COMMITTED, 1),
        (COMMITTED, 1),
        (COMMITTED, 2),
        (GAP, 0),
    ]


async def test_events_and_deltas_form_one_dense_order(story: Story) -> None:
    await story.start_turn("m1", "m2")
    await story.stream(story.delta(0, "a"), story.delta(0, "b", anchor="m2"))
    await story.append("tool.progress")
    await story.stream(story.delta(1, "c"))
    await story.append("output.message.completed", anchors=[story.anchor("m1", None)])
    await story.stream(story.delta(1, "d", anchor="m2"))

    page = await page_of(story)

    before: dict[int, int] = {}
    for delta in page.deltas:
        before[delta.seq] = before.get(delta.seq, 0) + 1
        assert delta.n == before[delta.seq]
    assert [event.seq for event in page.events] == list(range(1, page.head.seq + 1))
    assert [event.deltas_before for event in page.events] == [
        before.get(event.seq - 1, 0) for event in page.events
    ]
    assert page.head.n == before[page.head.seq]
