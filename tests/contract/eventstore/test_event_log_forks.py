"""A session that goes on behind an event of another one."""

import pytest
from msgspec.structs import replace

from mainspring_eventstore.domain.limits import LINEAGE_DEPTH_MAX
from mainspring_eventstore.usecases.verify import verify
from mainspring_kernel.errors import NotFound
from mainspring_schema.grants import ForkEvent, ForkHead
from tests.contract.eventstore.event_log import (
    CLOCK,
    IDS,
    PostgresWorld,
    Story,
    World,
    query,
)
from tests.contract.eventstore.test_event_log_reading import page_after, positions, streamed


def behind(story: Story, seq: int, **fields: object) -> ForkHead:
    own = (
        ForkEvent(type="session.forked", turn_id=None, payload=b'{"context":{},"data":{}}'),
        ForkEvent(type="session.idled", turn_id=None, payload=b'{"context":{},"data":{"a":1}}'),
    )
    plain = ForkHead(
        session_id=IDS.uuid7(),
        org_id=story.org_id,
        source_id=story.session_id,
        seq=seq,
        turn_first_seq=2,
        now_ms=CLOCK.wall_ms(),
        events=own,
    )
    return replace(plain, **fields)


async def branched(story: Story, seq: int) -> Story:
    """The fork as a story that can be told on."""
    fork = behind(story, seq)
    await story.world.branch(fork)
    child = Story(story.world, started_ms=max(story.ts_ms, fork.now_ms))
    child.session_id, child.org_id, child.seq = fork.session_id, fork.org_id, seq + 2
    (last,) = await story.world.store.chain(
        fork.session_id, first_seq=seq + 2, last_seq=seq + 2, limit=1
    )
    child.hash = last.h
    return child


async def test_a_fork_has_its_parents_events_and_begins_with_its_own(world: World) -> None:
    parent = await streamed(world)

    child = await branched(parent, 5)

    page = await page_after(child, 0)
    prefix = [(1, 0), (2, 0), (3, 0), (4, 0), (4, 1), (4, 2), (5, 0)]
    assert positions(page) == [*prefix, (6, 0), (7, 0)]
    assert [event.type for event in page.events][5:] == ["session.forked", "session.idled"]
    (head,) = await world.lock([child.session_id])
    assert (head.last_seq, head.status.wire, head.turn_first_seq) == (7, "idle", 2)


async def test_a_fork_is_chained_to_its_parent_and_goes_on(world: World) -> None:
    child = await branched(await streamed(world), 5)

    await child.append("turn.started")
    found = await verify(world.store, child.session_id)

    assert (found.reason, found.intact, found.events) == ("", True, 8)


async def test_the_parent_goes_on_as_if_nobody_had_forked_it(world: World) -> None:
    parent = await streamed(world)

    await branched(parent, 5)
    await parent.append("turn.completed")

    found = await verify(world.store, parent.session_id)
    assert (found.intact, found.events) == (True, 9)


async def test_a_fork_of_a_fork_hangs_where_its_event_was_written(world: World) -> None:
    parent = await streamed(world)
    child = await branched(parent, 5)

    deep, shallow = await branched(child, 7), await branched(child, 3)
    await world.close([(child.session_id, child.org_id)])

    for one, events in ((deep, 9), (shallow, 5)):
        found = await verify(world.store, one.session_id)
        assert (found.intact, found.events) == (True, events)


async def test_a_fork_begins_at_no_time_before_its_parents_last(world: World) -> None:
    """Whoever forks may have a clock that is late."""
    parent = await streamed(world)
    fork = behind(parent, 5, now_ms=parent.ts_ms - 5000)

    await world.branch(fork)

    (head,) = await world.lock([fork.session_id])
    own = await world.store.chain(fork.session_id, first_seq=6, last_seq=7, limit=2)
    assert [row.ts_ms for row in own] == [parent.ts_ms] * 2
    assert head.ts_ms == parent.ts_ms


async def test_a_line_of_forks_has_an_end(world: World) -> None:
    story = await streamed(world)
    for _ in range(LINEAGE_DEPTH_MAX - 1):
        story = await branched(story, story.seq)

    with pytest.raises(NotFound):
        await branched(story, story.seq)


async def test_what_is_not_there_is_not_forked(world: World) -> None:
    story, gone = await streamed(world), await streamed(world)
    await world.close([(gone.session_id, gone.org_id)])
    wrong = (
        behind(story, 9),
        behind(story, 5, org_id=IDS.uuid7()),
        behind(story, 5, source_id=IDS.uuid7()),
        behind(gone, 5),
    )

    for fork in wrong:
        with pytest.raises(NotFound):
            await world.branch(fork)
        assert await world.lock([fork.session_id]) == []


GROW = query(
    "grow",
    """with moved as (
           update log.head set last_seq = last_seq + $2, hash = 'h' where session_id = $1
           returning last_seq - $2 as before
       )
       insert into log.event (session_id, seq, type, ts_ms, payload, h)
       select $1, m.before + n, 'x.y', 1, '{"context":{},"data":{}}', 'h'
       from moved as m cross join generate_series(1, $2::int) as n""",
)
COUNT = query(
    "count", "select (select count(*) from log.head) + (select count(*) from log.event) as rows"
)


async def test_a_fork_costs_as_many_rows_whatever_the_length_of_its_session(
    postgres_world: PostgresWorld,
) -> None:
    cost: list[int] = []
    for length in (10, 10_000):
        story = await Story(postgres_world).open()
        await postgres_world.owner.execute(GROW, story.session_id, length)
        before = await postgres_world.owner.fetchval_as(int, COUNT)

        await postgres_world.branch(behind(story, length))

        cost.append(await postgres_world.owner.fetchval_as(int, COUNT) - before)

    assert cost == [3, 3], "its head, and its own two events"
