"""The hash chain, and what upkeep may drop."""

import pytest
from msgspec.structs import replace

from mainspring_eventstore.domain import limits
from mainspring_eventstore.usecases.upkeep import upkeep
from mainspring_eventstore.usecases.verify import verify
from mainspring_kernel.ids import RandomIds
from mainspring_schema.grants import ForkEvent
from tests.contract.eventstore.event_log import CLOCK, IDS, Story, World
from tests.contract.eventstore.test_event_log_forks import behind
from tests.contract.eventstore.test_event_log_reading import forked, page_after, streamed

HOUR_MS = 3_600_000


async def test_an_honest_log_is_intact(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "VERIFY_PAGE_ROWS", 3)
    story = await streamed(world)

    found = await verify(world.store, story.session_id)

    assert (found.intact, found.events, found.broken_seq) == (True, 8, 0)
    assert found.head_hash == story.hash


async def test_a_fork_is_verified_with_its_parents_part(world: World) -> None:
    child = await forked(await streamed(world), 5)

    found = await verify(world.store, child.session_id)

    assert (found.reason, found.events) == ("", 8)


async def test_a_wrong_hash_is_found_at_its_place(story: Story) -> None:
    honest = story.event("input.message", {"text": "yes"})
    await story.world.append([replace(honest, payload=b"{}")], [story.head()], [])
    await story.append("turn.started")

    found = await verify(story.world.store, story.session_id)

    assert (found.intact, found.broken_seq) == (False, 2)
    assert "hash" in found.reason


async def test_a_head_that_differs_from_its_last_event_is_found(story: Story) -> None:
    event = story.event("input.message")
    await story.world.append([event], [replace(story.head(), hash=b"other")], [])

    found = await verify(story.world.store, story.session_id)

    assert (found.intact, found.broken_seq) == (False, 2)


async def test_an_unknown_session_is_not_intact(world: World) -> None:
    found = await verify(world.store, IDS.uuid7())

    assert (found.intact, found.reason) == (False, "no such session")


class EarlierClock:
    """Ids of two hours ago: their deltas are old enough to go."""

    def wall_ms(self) -> int:
        return CLOCK.wall_ms() - 2 * HOUR_MS

    def mono(self) -> float:
        return CLOCK.mono()

    async def sleep(self, seconds: float) -> None:
        await CLOCK.sleep(seconds)


async def earlier_turn(world: World) -> Story:
    story = await Story(world, started_ms=CLOCK.wall_ms() - 2 * HOUR_MS).open()
    await story.start_turn("m1", turn_id=RandomIds(EarlierClock()).uuid7())
    await story.stream(story.delta(0, "a"), story.delta(1, "b"))
    return story


async def test_deltas_go_an_hour_after_their_turn_and_events_stay(world: World) -> None:
    over, waiting, fresh = [await earlier_turn(world) for _ in range(3)]
    await over.end_turn()
    fresh.ts_ms = CLOCK.wall_ms()
    await fresh.end_turn()

    await upkeep(world.store)

    left = [len((await page_after(story, 0)).deltas) for story in (over, waiting, fresh)]
    assert left == [0, 2, 2]
    assert len((await page_after(over, 0)).events) == 6
    assert (await verify(world.store, over.session_id)).intact


async def test_a_turn_at_work_keeps_its_deltas_where_a_fork_has_sealed_it(world: World) -> None:
    story = await earlier_turn(world)
    sealed = ForkEvent(type="turn.sealed", turn_id=story.turn, payload=b'{"context":{},"data":{}}')
    fork = behind(story, story.seq, now_ms=story.ts_ms, events=(sealed,))

    await world.branch(fork)
    await upkeep(world.store)

    assert len((await page_after(story, 0)).deltas) == 2


async def test_one_upkeep_drops_what_takes_many_passes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SWEEP_TURNS_MAX", 2)
    monkeypatch.setattr(limits, "SWEEP_ROWS_MAX", 3)
    stories = [await earlier_turn(world) for _ in range(5)]
    for story in stories[1:]:
        await story.end_turn()

    kept = await upkeep(world.store)

    left = [len((await page_after(story, 0)).deltas) for story in stories]
    assert left == [2, 0, 0, 0, 0]
    assert not kept.more


async def test_upkeep_has_nothing_to_do_twice(world: World) -> None:
    await upkeep(world.store)

    again = await upkeep(world.store)

    assert (again.deltas_dropped, again.partitions_made, again.more) == (0, 0, False)
    ahead = await world.store.make_partitions()
    assert ahead.horizon_ms > ahead.now_ms
