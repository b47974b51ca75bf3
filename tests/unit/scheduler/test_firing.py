"""Passes over due schedules, on the memory twins."""

import logging
from collections.abc import Sequence
from uuid import UUID

import msgspec
import pytest

from mainspring_kernel.clock import ManualClock
from mainspring_kernel.draws import SeededDraws
from mainspring_kernel.errors import NotFound, Unavailable, ValidationFailed
from mainspring_kernel.ids import SeededIds
from mainspring_scheduler.adapters.memory import MemoryScheduleStore, MemoryTargets
from mainspring_scheduler.domain import limits
from mainspring_scheduler.domain.duties import Report
from mainspring_scheduler.domain.slots import Ended, Schedule, Slot, Started, slot_key
from mainspring_scheduler.usecases.firing import Firing
from mainspring_scheduler.usecases.targets import SlotTargets
from mainspring_schema.schedules import Cron, ListSlots, MessageTarget, Target, WorkflowTarget
from tests.unit.scheduler.rows import (
    MESSAGE,
    MINUTE,
    NEW_SESSION,
    NOW,
    ORG,
    SCHEDULE,
    WORKFLOW,
    schedule,
)
from tests.unit.scheduler.test_targets import Turns, Workflows


class Died(BaseException):
    """Of a process."""


class World:
    """A store, a target, and as many replicas as a test wants."""

    def __init__(self) -> None:
        self.clock = ManualClock(wall_ms=NOW)
        self.store = MemoryScheduleStore(self.clock)
        self.targets = MemoryTargets()
        self.firing = self.replica(1)

    def replica(self, seed: int) -> Firing:
        return Firing(
            store=self.store,
            targets=self.targets,
            clock=self.clock,
            ids=SeededIds(self.clock, seed),
            draws=SeededDraws(seed),
        )

    async def put(self, row: Schedule) -> None:
        await self.store.insert(row)

    async def after(self, ms: int) -> Report:
        """A pass, so much later."""
        self.clock.advance(ms / 1000)
        return await self.firing.once()

    async def slots(self) -> Sequence[Slot]:
        """Oldest first."""
        rows, _ = await self.store.slot_page(ListSlots(org_id=ORG, schedule_id=SCHEDULE, limit=999))
        return rows[::-1]

    async def statuses(self) -> list[str]:
        return [slot.status for slot in await self.slots()]


@pytest.fixture
def world() -> World:
    return World()


async def test_a_slot_is_started_once_and_followed_to_its_end(world: World) -> None:
    await world.put(schedule())
    await world.firing.once()
    (begun,) = await world.slots()
    world.targets.ended[begun.id] = Ended(outcome="completed", ended_ms=NOW + 1500)

    await world.after(2000)

    (slot,) = await world.slots()
    assert (slot.status, slot.started_ms, slot.ended_ms) == ("completed", NOW, NOW + 1500)
    assert world.targets.asked == [slot_key(slot)]


async def test_with_nothing_due_nothing_is_asked(world: World) -> None:
    await world.put(schedule(next_ms=NOW + 1))

    assert await world.firing.once() == Report()
    assert world.targets.asked == []


async def test_many_passes_start_each_slot_once(world: World) -> None:
    await world.put(schedule(overlap="allow_all"))
    others = [world.firing, world.replica(2), world.replica(3)]

    for turn in range(60):
        await others[turn % 3].once()
        world.clock.advance(10)

    assert len(world.targets.asked) == len(set(world.targets.asked)) == 10


async def test_a_target_that_is_away_puts_its_slot_off_and_nobody_elses(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mainspring_scheduler")
    await world.put(schedule())
    world.targets.refusal = Unavailable("api is away")
    await world.firing.once()
    put_off = await world.statuses()

    world.targets.refusal = None
    await world.after(5000)

    assert put_off == ["starting"]
    assert await world.statuses() == ["running"]
    first, second = world.targets.asked
    assert first == second
    assert "a slot was not started: api is away" in caplog.text


async def test_a_lasting_refusal_ends_the_slot_and_the_next_one_comes(world: World) -> None:
    await world.put(schedule())
    world.targets.refusal = ValidationFailed("the message is too long")
    await world.firing.once()
    world.targets.refusal = None

    await world.after(MINUTE)

    assert await world.statuses() == ["failed", "running"]


@pytest.mark.parametrize("target", [MESSAGE, NEW_SESSION, WORKFLOW])
async def test_a_schedule_ends_with_the_session_that_it_writes_to(
    world: World, target: Target
) -> None:
    await world.put(schedule(target=target))
    world.targets.refusal = NotFound("no such session")
    await world.firing.once()

    await world.after(MINUTE)

    expected = ["failed"] if target is MESSAGE else ["failed", "failed"]
    assert await world.statuses() == expected


async def test_what_cannot_be_asked_counts_as_at_work(world: World) -> None:
    await world.put(schedule(overlap="skip"))
    await world.firing.once()
    world.targets.refusal = Unavailable("api is away")

    await world.after(MINUTE)

    assert await world.statuses() == ["running", "skipped"]


async def test_a_replica_that_died_after_its_decision_is_made_up_for(world: World) -> None:
    await world.put(schedule())

    class Deadly(MemoryTargets):
        async def start(self, schedule: Schedule, slot: Slot) -> Started:
            await world.targets.start(schedule, slot)
            raise Died  # before anybody hears of it

    dying = world.replica(2)
    dying._targets = Deadly()
    with pytest.raises(Died):
        await dying.once()
    at_once = await world.firing.once()

    await world.after(limits.SCHEDULE_HOLD_MS)

    assert at_once == Report()
    assert await world.statuses() == ["running"]
    # Asked twice, under one key.
    assert len(world.targets.asked) == 2
    assert len(world.targets.begun) == 1


async def test_a_replica_that_slept_through_its_hold_writes_nothing_any_more(world: World) -> None:
    await world.put(schedule())

    class Slow(MemoryTargets):
        async def start(self, schedule: Schedule, slot: Slot) -> Started:
            await world.after(limits.SCHEDULE_HOLD_MS + 1)  # another replica takes over meanwhile
            world.targets.ended[slot.id] = Ended(outcome="failed", code="rate_limited")
            await world.after(2000)
            return await world.targets.start(schedule, slot)

    slow = world.replica(2)
    slow._targets = Slow()
    await slow.once()

    (slot,) = await world.slots()
    assert (slot.status, slot.code) == ("failed", "rate_limited")
    assert len(world.targets.begun) == 1


async def test_cancel_other_takes_over_when_the_other_has_ended(world: World) -> None:
    await world.put(schedule(overlap="cancel_other"))
    await world.firing.once()
    (first,) = await world.slots()
    await world.after(MINUTE)
    asked_to_end = set(world.targets.cancelled)
    world.targets.ended[first.id] = Ended(outcome="cancelled")

    await world.after(limits.SLOT_BUFFERED_LOOK_MS)

    assert asked_to_end == {first.id}
    assert await world.statuses() == ["cancelled", "running"]


async def test_a_cancel_that_is_lost_is_asked_again(world: World) -> None:
    await world.put(schedule(overlap="cancel_other"))
    await world.firing.once()
    world.targets.refusal = Unavailable("engine is away")
    await world.after(MINUTE)
    world.targets.refusal = None

    await world.after(limits.SLOT_BUFFERED_LOOK_MS)

    assert len(world.targets.cancelled) == 1


async def test_a_full_claim_says_that_there_is_more(world: World) -> None:
    for number in range(limits.SCHEDULES_PER_CLAIM_MAX + 1):
        await world.put(schedule(name=f"s{number}", id_=UUID(int=1000 + number)))

    first, second = await world.firing.once(), await world.firing.once()

    assert (first.handled, first.more) == (limits.SCHEDULES_PER_CLAIM_MAX, True)
    assert (second.handled, second.more) == (1, False)


async def test_a_long_backlog_is_worked_off_pass_by_pass(world: World) -> None:
    await world.put(schedule(overlap="allow_all", next_ms=NOW - 40 * MINUTE))

    reports = [await world.firing.once() for _ in range(4)]

    assert [report.more for report in reports] == [True, True, False, False]
    assert len(set(world.targets.asked)) == 41


async def test_a_change_that_comes_in_between_is_not_overwritten(world: World) -> None:
    await world.put(schedule())

    class Meddling(MemoryTargets):
        async def start(self, schedule: Schedule, slot: Slot) -> Started:
            present = await world.store.get(ORG, SCHEDULE)
            assert present is not None
            changed = msgspec.structs.replace(present, paused=True, next_ms=None, due_ms=NOW)
            assert await world.store.replace(changed)
            return await world.targets.start(schedule, slot)

    meddling = world.replica(2)
    meddling._targets = Meddling()
    await meddling.once()
    await world.firing.once()

    present = await world.store.get(ORG, SCHEDULE)
    assert present is not None
    assert (present.paused, present.next_ms) == (True, None)
    assert await world.statuses() == ["running"]
    assert len(world.targets.begun) == 1


OTHER_INPUT = WorkflowTarget(workflow_type="report", input=b'["other"]')


@pytest.mark.parametrize(
    ("before", "after"), [(MESSAGE, WORKFLOW), (WORKFLOW, MESSAGE), (WORKFLOW, OTHER_INPUT)]
)
async def test_a_slot_is_asked_again_as_before_when_its_schedule_was_edited(
    world: World, before: Target, after: Target
) -> None:
    await world.put(schedule(target=before))

    class Meddled(MemoryTargets):
        async def start(self, schedule: Schedule, slot: Slot) -> Started:
            started = await real.start(schedule, slot)
            present = await world.store.get(ORG, SCHEDULE)
            assert present is not None
            spec = msgspec.structs.replace(present.spec, name="renamed", target=after)
            changed = msgspec.structs.replace(present, spec=spec, due_ms=NOW)
            assert await world.store.replace(changed)
            return started

    turns, workflows = Turns(), Workflows()
    real = SlotTargets(turns, workflows)
    first, second = world.replica(2), world.replica(3)
    first._targets, second._targets = Meddled(), real
    await first.once()
    await second.once()

    asked = [*turns.posts, *workflows.started]
    assert asked == [asked[0]] * 2
    (slot,) = await world.slots()
    assert (slot.status, slot.asked) == ("running", None)
    assert (slot.workflow_id is None) is isinstance(before, MessageTarget)


async def test_a_schedule_that_cannot_be_decided_holds_up_no_other(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    gone = Cron(expression="* * * * *", timezone="Nowhere/Gone")
    await world.put(schedule(id_=UUID(int=1), timing=gone, name="gone"))
    await world.put(schedule())

    await world.firing.once()

    assert await world.statuses() == ["running"]
    assert "a schedule cannot be decided" in caplog.text


async def test_a_slot_that_could_not_be_asked_for_is_asked_for_again_and_holds_up_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.put(schedule())
    await world.put(schedule(id_=UUID(int=7), name="other"))
    begin = world.targets.start

    async def start(of: Schedule, slot: Slot) -> Started:
        if of.id == SCHEDULE:
            raise ZeroDivisionError
        return await begin(of, slot)

    monkeypatch.setattr(world.targets, "start", start)
    await world.firing.once()
    (put_off,) = await world.slots()
    monkeypatch.undo()
    await world.after(MINUTE // 2)

    assert (put_off.status, put_off.code) == ("starting", "internal_error")
    assert await world.statuses() == ["running"]
    assert len(world.targets.begun) == 2
