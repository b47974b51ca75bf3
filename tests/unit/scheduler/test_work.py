"""Each duty goes to whoever does it."""

import msgspec

from mainspring_kernel.clock import ManualClock
from mainspring_kernel.draws import SeededDraws
from mainspring_kernel.ids import SeededIds
from mainspring_scheduler.adapters.memory import MemoryScheduleStore, MemoryTargets
from mainspring_scheduler.domain import limits
from mainspring_scheduler.domain.duties import AskedDuty, Duty, Report
from mainspring_scheduler.domain.slots import Slot
from mainspring_scheduler.usecases.firing import Firing
from mainspring_scheduler.usecases.work import Duties
from tests.unit.scheduler.rows import NOW, ORG, schedule, slot


class Calls:
    def __init__(self) -> None:
        self.asked: list[Duty] = []

    async def perform(self, duty: AskedDuty) -> Report:
        self.asked.append(duty)
        return Report(handled=1)


def duties(store: MemoryScheduleStore, clock: ManualClock, calls: Calls) -> Duties:
    firing = Firing(
        store=store,
        targets=MemoryTargets(),
        clock=clock,
        ids=SeededIds(clock, 1),
        draws=SeededDraws(1),
    )
    return Duties(calls=calls, firing=firing, store=store, clock=clock)


async def test_other_services_are_asked_for_their_duties_alone() -> None:
    clock, calls = ManualClock(wall_ms=NOW), Calls()
    work = duties(MemoryScheduleStore(clock), clock, calls)

    for duty in Duty:
        await work.perform(duty)

    assert set(calls.asked) == set(Duty) - {Duty.SCHEDULES, Duty.SLOT_UPKEEP}


async def test_due_schedules_are_fired_here() -> None:
    clock, calls = ManualClock(wall_ms=NOW), Calls()
    store = MemoryScheduleStore(clock)
    await store.insert(schedule())

    assert await duties(store, clock, calls).perform(Duty.SCHEDULES) == Report(handled=1)


async def test_upkeep_forgets_slots_after_their_time() -> None:
    clock, calls = ManualClock(wall_ms=NOW), Calls()
    store = MemoryScheduleStore(clock)
    await store.insert(schedule())
    for number, age_ms in ((1, limits.SLOT_RETENTION_MS + 1), (2, limits.SLOT_RETENTION_MS - 1)):
        await store.add_slot(ended(number, NOW - age_ms))

    report = await duties(store, clock, calls).perform(Duty.SLOT_UPKEEP)

    assert report == Report(handled=1)
    assert await store.slot(ORG, slot(1).id) is None
    assert await store.slot(ORG, slot(2).id) is not None


def ended(number: int, at_ms: int) -> Slot:
    return msgspec.structs.replace(slot(number), status="completed", ended_ms=at_ms)
