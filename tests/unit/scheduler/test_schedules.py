"""What people do to schedules, on the memory twin."""

from uuid import UUID

import pytest

from mainspring_kernel.clock import ManualClock
from mainspring_kernel.errors import (
    Conflict,
    NameTaken,
    NotFound,
    TooManyRequests,
    ValidationFailed,
)
from mainspring_scheduler.adapters.memory import MemoryScheduleStore
from mainspring_scheduler.domain import limits
from mainspring_scheduler.domain.slots import Schedule
from mainspring_scheduler.usecases.schedules import Schedules
from mainspring_schema.schedules import (
    ChangeSchedule,
    CreateSchedule,
    Cron,
    Interval,
    ListSchedules,
    ListSlots,
    OneSchedule,
    OneSlot,
    ScheduleRecord,
    Spec,
    TriggerSchedule,
)
from tests.unit.scheduler.rows import (
    MESSAGE,
    MINUTE,
    NEW_SESSION,
    NOW,
    ORG,
    SCHEDULE,
    WORKFLOW,
    schedule,
    slot,
)

ONE = OneSchedule(org_id=ORG, id=SCHEDULE)
SPEC = Spec(name="s", timing=Interval(every_ms=MINUTE), target=MESSAGE)
CREATE = CreateSchedule(org_id=ORG, id=SCHEDULE, spec=SPEC)


class Desk:
    def __init__(self) -> None:
        self.clock = ManualClock(wall_ms=NOW)
        self.store = MemoryScheduleStore(self.clock)
        self.wakes = 0
        self.schedules = Schedules(self.store, self.wake)

    def wake(self) -> None:
        self.wakes += 1

    async def row(self) -> Schedule:
        row = await self.store.get(ORG, SCHEDULE)
        assert row is not None
        return row


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def change(desk: Desk, **members: object) -> ScheduleRecord:
    return await desk.schedules.change(ChangeSchedule(org_id=ORG, id=SCHEDULE, **members))  # pyright: ignore[reportArgumentType] -- as each test says


async def test_a_made_schedule_knows_its_next_slot_and_wakes_the_loop(desk: Desk) -> None:
    made = await desk.schedules.create(CREATE)

    assert made.spec.timing == Interval(every_ms=MINUTE, anchor_ms=NOW)
    assert (made.next_ms, made.last_ms, made.paused) == (NOW + MINUTE, None, False)
    assert (await desk.row()).due_ms == NOW + MINUTE
    assert desk.wakes == 1


async def test_made_again_with_its_id_it_is_the_first_one(desk: Desk) -> None:
    first = await desk.schedules.create(CREATE)
    desk.clock.advance(5)

    assert await desk.schedules.create(CREATE) == first


async def test_a_name_is_one_schedules(desk: Desk) -> None:
    await desk.schedules.create(CREATE)
    other = CreateSchedule(org_id=ORG, id=UUID(int=77), spec=SPEC)

    with pytest.raises(NameTaken):
        await desk.schedules.create(other)
    elsewhere = CreateSchedule(org_id=UUID(int=9), id=UUID(int=78), spec=SPEC)
    assert (await desk.schedules.create(elsewhere)).spec.name == "s"


async def test_an_organization_has_a_bound_of_schedules(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SCHEDULES_PER_ORG_MAX", 1)
    await desk.schedules.create(CREATE)
    spec = Spec(name="t", timing=SPEC.timing, target=WORKFLOW)

    with pytest.raises(TooManyRequests):
        await desk.schedules.create(CreateSchedule(org_id=ORG, id=UUID(int=77), spec=spec))


async def test_a_schedule_made_paused_has_no_next_slot(desk: Desk) -> None:
    made = await desk.schedules.create(
        CreateSchedule(org_id=ORG, id=SCHEDULE, spec=SPEC, paused=True)
    )

    assert (made.paused, made.next_ms) == (True, None)


async def test_a_pause_makes_nothing_up_when_it_ends(desk: Desk) -> None:
    await desk.schedules.create(CREATE)
    paused = await change(desk, paused=True)
    desk.clock.advance(600.5)

    resumed = await change(desk, paused=False)

    assert (paused.paused, paused.next_ms) == (True, None)
    assert resumed.next_ms == NOW + 11 * MINUTE


async def test_another_timing_begins_when_it_is_given(desk: Desk) -> None:
    await desk.schedules.create(CREATE)

    changed = await change(desk, timing=Cron(expression="@hourly"))

    assert changed.next_ms is not None
    assert changed.next_ms % 3_600_000 == 0


async def test_another_name_leaves_the_slots_alone(desk: Desk) -> None:
    made = await desk.schedules.create(CREATE)
    desk.clock.advance(MINUTE / 2000)

    changed = await change(desk, name="t", description=None, overlap="allow_all", jitter_s=0)

    assert (changed.spec.name, changed.next_ms) == ("t", made.next_ms)
    assert (await desk.row()).due_ms == NOW + MINUTE // 2  # somebody looks at once


async def test_a_wrong_timing_changes_nothing(desk: Desk) -> None:
    made = await desk.schedules.create(CREATE)

    with pytest.raises(ValidationFailed):
        await change(desk, timing=Cron(expression="nope"))

    assert await desk.schedules.get(ONE) == made


async def test_a_change_meets_a_claim_and_is_made_again(desk: Desk) -> None:
    await desk.schedules.create(CREATE)
    replace, claims = desk.store.replace, iter((True, False))

    async def meeting(row: Schedule) -> bool:
        if next(claims):
            desk.clock.advance(MINUTE / 1000)
            await desk.store.claim(limit=1, hold_ms=1000)
        return await replace(row)

    desk.store.replace = meeting  # pyright: ignore[reportAttributeAccessIssue] -- a claim in between

    assert (await change(desk, name="t")).spec.name == "t"


async def test_a_change_gives_up_where_every_try_meets_another(desk: Desk) -> None:
    await desk.schedules.create(CREATE)

    async def refuse(_: Schedule) -> bool:
        return False

    desk.store.replace = refuse  # pyright: ignore[reportAttributeAccessIssue] -- always somebody else

    with pytest.raises(Conflict):
        await change(desk, name="t")


async def test_a_deleted_schedule_is_gone_for_people_and_its_name_is_free(desk: Desk) -> None:
    await desk.schedules.create(CREATE)
    await desk.schedules.delete(ONE)

    for gone in (
        desk.schedules.get(ONE),
        desk.schedules.delete(ONE),
        desk.schedules.counts(ONE),
        desk.schedules.slots(ListSlots(org_id=ORG, schedule_id=SCHEDULE, limit=5)),
        desk.schedules.trigger(TriggerSchedule(org_id=ORG, id=SCHEDULE, slot_id=UUID(int=5))),
    ):
        with pytest.raises(NotFound):
            await gone
    again = CreateSchedule(org_id=ORG, id=UUID(int=79), spec=SPEC)
    assert (await desk.schedules.create(again)).spec.name == "s"


async def test_a_schedule_whose_session_was_deleted_goes_on_with_another_target(
    desk: Desk,
) -> None:
    await desk.store.insert(schedule(next_ms=None))

    renamed = await desk.schedules.change(ChangeSchedule(org_id=ORG, id=SCHEDULE, name="other"))
    moved = await desk.schedules.change(ChangeSchedule(org_id=ORG, id=SCHEDULE, target=NEW_SESSION))

    assert renamed.next_ms is None
    assert moved.next_ms == NOW + MINUTE


async def test_a_trigger_is_a_slot_now_and_asked_again_the_same_one(desk: Desk) -> None:
    await desk.schedules.create(CREATE)
    command = TriggerSchedule(org_id=ORG, id=SCHEDULE, slot_id=UUID(int=5))

    first = await desk.schedules.trigger(command)
    desk.clock.advance(1)
    again = await desk.schedules.trigger(command)

    assert (first.slot_ms, first.origin, first.status) == (NOW, "hand", "waiting")
    assert again == first
    assert await desk.schedules.slot(OneSlot(org_id=ORG, id=UUID(int=5))) == first
    assert (await desk.row()).due_ms == NOW + 1000


async def test_too_many_open_slots_refuse_a_trigger(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SLOTS_OPEN_MAX", 1)
    await desk.schedules.create(CREATE)
    command = TriggerSchedule(org_id=ORG, id=SCHEDULE, slot_id=UUID(int=5))
    await desk.schedules.trigger(command)

    with pytest.raises(TooManyRequests):
        await desk.schedules.trigger(TriggerSchedule(org_id=ORG, id=SCHEDULE, slot_id=UUID(int=6)))


async def test_a_trigger_that_meets_a_deletion_finds_nothing(desk: Desk) -> None:
    await desk.schedules.create(CREATE)
    open_slots = desk.store.open_slots

    async def meeting(schedule_id: UUID) -> int:
        await desk.schedules.delete(ONE)
        return await open_slots(schedule_id)

    desk.store.open_slots = meeting

    with pytest.raises(NotFound):
        await desk.schedules.trigger(TriggerSchedule(org_id=ORG, id=SCHEDULE, slot_id=UUID(int=5)))


async def test_a_schedule_of_another_organization_is_not_there(desk: Desk) -> None:
    await desk.schedules.create(CREATE)
    await desk.store.add_slot(slot(1, "waiting"))
    other = UUID(int=9)

    with pytest.raises(NotFound):
        await desk.schedules.get(OneSchedule(org_id=other, id=SCHEDULE))
    with pytest.raises(NotFound):
        await desk.schedules.slot(OneSlot(org_id=other, id=slot(1).id))
    assert (await desk.schedules.list(ListSchedules(org_id=other, limit=5))).total == 0


async def test_slots_are_counted_by_their_status(desk: Desk) -> None:
    await desk.schedules.create(CREATE)
    await desk.store.add_slot(slot(1, "waiting"))

    counts = await desk.schedules.counts(ONE)
    page = await desk.schedules.slots(ListSlots(org_id=ORG, schedule_id=SCHEDULE, limit=5))

    assert (counts.by_status, counts.mean_ms) == ({"waiting": 1}, None)
    assert (page.total, page.slots[0].id) == (1, slot(1).id)
