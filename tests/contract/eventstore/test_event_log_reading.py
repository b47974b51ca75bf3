"""Pages in position order, heads, forks."""

from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace

from mainspring_eventstore.ports.log import Page, PageQuery
from mainspring_eventstore.usecases.reading import Read, heads, read
from mainspring_kernel.ids import Position
from mainspring_schema.grants import SessionStatus
from tests.contract.eventstore.event_log import IDS, Story, World

Row = tuple[int, int]


def positions(page: Page | None) -> list[Row]:
    assert page is not None
    rows = [(event.seq, 0) for event in page.events]
    return sorted(rows + [(delta.seq, delta.n) for delta in page.deltas])


async def page_after(
    story: Story, seq: int, n: int = 0, *, limit: int = 0, events_only: bool = False
) -> Page:
    page = await read(
        story.world.store,
        Read(
            session_id=story.session_id,
            org_id=story.org_id,
            after=Position(seq, n),
            limit=limit,
            events_only=events_only,
        ),
    )
    assert page is not None
    return page


async def streamed(world: World) -> Story:
    """Events 1 to 8, with deltas (4, 1), (4, 2), (5, 1) in one turn and (8, 1) in the next."""
    story = await Story(world).open()
    await story.start_turn("m1")
    await story.stream(story.delta(0, "a"), story.delta(1, "b"))
    await story.append("tool.progress")
    await story.stream(story.delta(2, "c"))
    event = story.event("turn.completed")
    story.turn, story.turn_first_seq = IDS.uuid7(), 7
    events = [event, story.event("input.message"), story.event("turn.started")]
    await world.append(events, [story.head(close_anchors=True)], [story.anchor("m2")])
    await story.stream(story.delta(0, "x", anchor="m2"))
    return story


async def test_a_page_holds_events_and_deltas_after_the_cursor(world: World) -> None:
    story = await streamed(world)

    whole = await page_after(story, 0)
    rest = await page_after(story, 4, 1)

    everything = [(1, 0), (2, 0), (3, 0), (4, 0), (4, 1), (4, 2), (5, 0), (5, 1)]
    everything += [(6, 0), (7, 0), (8, 0), (8, 1)]
    assert positions(whole) == everything
    assert positions(rest) == everything[5:]
    assert not whole.more


async def interrupted(world: World) -> Story:
    """Deltas beside events of no turn, within a turn between two, and many behind the last one."""
    story = await Story(world).open()
    await story.start_turn()
    await story.end_turn()
    await story.start_turn("m1")
    text = 0
    for _ in range(4):
        await story.stream(story.delta(text, "a"), story.delta(text + 1, "b"))
        text += 2
        aside = [replace(story.event("session.updated"), turn_id=None) for _ in range(2)]
        await world.append(aside, [story.head()], [])
    await story.stream(story.delta(text, "c"))
    event = story.event("turn.completed")
    story.turn, story.turn_first_seq = IDS.uuid7(), story.seq + 1
    await world.append(
        [event, story.event("turn.started")], [story.head(close_anchors=True)], [story.anchor("m2")]
    )
    await story.stream(*(story.delta(at, "x", anchor="m2") for at in range(5)))
    return story


@pytest.mark.parametrize("told", [streamed, interrupted])
@pytest.mark.parametrize("events_only", [False, True])
async def test_pages_of_every_size_join_to_the_same_whole(
    world: World, told: Callable[[World], Awaitable[Story]], events_only: bool
) -> None:
    story = await told(world)
    whole = positions(await page_after(story, 0, events_only=events_only))

    for size in range(1, len(whole) + 2):
        joined: list[Row] = []
        cursor = Position(0)
        more = True
        while more:
            page = await page_after(
                story, cursor.seq, cursor.n, limit=size, events_only=events_only
            )
            assert len(positions(page)) <= size
            joined += positions(page)
            cursor, more = Position(*joined[-1]), page.more
        assert joined == whole, size


async def test_all_deltas_of_a_turn_are_read_whatever_stands_between_them(world: World) -> None:
    page = await page_after(await interrupted(world), 0)

    assert "".join(delta.fragment for delta in page.deltas) == "abababab" + "c" + "xxxxx"


async def test_events_only_leaves_deltas_out(world: World) -> None:
    story = await streamed(world)

    page = await page_after(story, 0, events_only=True)

    assert positions(page) == [(seq, 0) for seq in range(1, 9)]


async def test_without_a_cursor_a_page_starts_with_the_newest_turns_group(world: World) -> None:
    story = await streamed(world)

    page = await read(world.store, Read(session_id=story.session_id, org_id=story.org_id))

    assert positions(page) == [(7, 0), (8, 0), (8, 1)]


async def test_without_a_turn_a_page_starts_at_the_beginning(world: World) -> None:
    story = await Story(world).open()

    page = await read(world.store, Read(session_id=story.session_id, org_id=story.org_id))

    assert positions(page) == [(1, 0)]


async def test_a_cursor_at_the_end_reads_nothing(world: World) -> None:
    story = await streamed(world)

    page = await page_after(story, 8, 1)

    assert positions(page) == []
    assert not page.more


async def test_a_page_is_cut_by_bytes_and_holds_one_row_at_least(world: World) -> None:
    story = await Story(world).open()
    large = [story.event("tool.completed", {"text": "x" * 3000}) for _ in range(3)]
    await world.append(large, [story.head()], [])

    async def page(after: int, bytes_max: int) -> Page | None:
        return await world.store.read(
            PageQuery(
                session_id=story.session_id,
                org_id=story.org_id,
                after=Position(after),
                rows_max=100,
                bytes_max=bytes_max,
            )
        )

    small, two = await page(1, 10), await page(1, 7000)

    assert positions(small) == [(2, 0)]
    assert positions(two) == [(2, 0), (3, 0)]
    assert small is not None
    assert two is not None
    assert (small.more, two.more) == (True, True)


async def test_deltas_are_cut_by_bytes_before_the_event_behind_them(world: World) -> None:
    story = await Story(world).open()
    await story.start_turn("m1")
    await story.stream(*[story.delta(1000 * i, "y" * 1000) for i in range(6)])
    await story.append("output.message.completed")

    page = await world.store.read(
        PageQuery(
            session_id=story.session_id,
            org_id=story.org_id,
            after=Position(4),
            rows_max=100,
            bytes_max=3600,
        )
    )

    assert positions(page) == [(4, 1), (4, 2), (4, 3)]
    assert page is not None
    assert page.more


async def test_a_foreign_or_unknown_session_has_no_page(world: World) -> None:
    story = await Story(world).open()

    foreign = await read(world.store, Read(session_id=story.session_id, org_id=IDS.uuid7()))
    unknown = await read(world.store, Read(session_id=IDS.uuid7(), org_id=story.org_id))

    assert foreign is None
    assert unknown is None


async def test_a_closed_session_can_still_be_read_and_says_so(world: World) -> None:
    story = await streamed(world)
    await world.close([(story.session_id, story.org_id)])

    page = await page_after(story, 7)

    assert page.head.closed
    assert positions(page) == [(8, 0), (8, 1)]


async def test_heads_come_in_the_order_asked(world: World) -> None:
    one, two = await streamed(world), await Story(world).open()
    asked = [two.session_id, IDS.uuid7(), one.session_id, two.session_id]

    found = await heads(world.store, asked)

    first, unknown, second, again = found.heads
    assert unknown is None
    assert first is not None
    assert second is not None
    assert (first.seq, first.n, first.status) == (1, 0, SessionStatus.STARTED)
    assert (second.seq, second.n, second.status) == (8, 1, SessionStatus.ACTIVE)
    assert (second.turn_first_seq, second.updated_ms) == (7, one.ts_ms)
    assert again == first
    assert found.epoch == 1


async def forked(story: Story, seq: int) -> Story:
    """A fork at an event, with one turn of its own."""
    lineage = await story.world.store.chain(story.session_id, first_seq=seq, last_seq=seq, limit=1)
    child = Story(story.world, started_ms=story.ts_ms)
    child.org_id, child.seq, child.hash = story.org_id, seq, lineage[0].h
    await story.world.fork(child.session_id, story.session_id, seq, child.hash)
    await child.start_turn("m1")
    await child.stream(child.delta(0, "own"))
    return child


async def test_a_fork_reads_its_parents_prefix_and_its_own_rows(world: World) -> None:
    parent = await streamed(world)

    child = await forked(parent, 5)

    whole = await page_after(child, 0)
    prefix = [(1, 0), (2, 0), (3, 0), (4, 0), (4, 1), (4, 2), (5, 0)]
    assert positions(whole) == [*prefix, (6, 0), (7, 0), (8, 0), (8, 1)]
    assert [event.deltas_before for event in whole.events][5:] == [0, 0, 0]
    assert positions(await page_after(child, 4, 1, limit=3)) == [(4, 2), (5, 0), (6, 0)]


async def test_a_fork_reads_nothing_that_its_parents_turn_streamed_later(world: World) -> None:
    parent = await interrupted(world)
    deltas = (await page_after(parent, 0)).deltas
    at = deltas[2].seq

    child = await forked(parent, at)

    assert [delta for delta in deltas if delta.seq > at]
    read_on = (await page_after(child, 0)).deltas
    assert [delta.fragment for delta in read_on] == ["a", "b", "own"]


async def test_a_fork_of_a_fork_reads_all_generations(world: World) -> None:
    parent = await streamed(world)
    child = await forked(parent, 5)

    deep = await forked(child, 7)
    shallow = await forked(child, 6)

    assert [event.seq for event in (await page_after(deep, 0)).events] == list(range(1, 11))
    assert [event.seq for event in (await page_after(shallow, 0)).events] == list(range(1, 10))
