"""What people do to schedules: create, find, change, pause, trigger, delete."""

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

import msgspec
from msgspec import UnsetType

from mainspring_kernel.errors import Conflict, NotFound, TooManyRequests
from mainspring_scheduler.domain import limits, planning, timing
from mainspring_scheduler.domain.slots import Schedule, Slot, schedule_record, slot_record
from mainspring_scheduler.ports.schedules import ScheduleStore
from mainspring_schema.schedules import (
    ChangeSchedule,
    CreateSchedule,
    ListSchedules,
    ListSlots,
    OneSchedule,
    OneSlot,
    SchedulePage,
    ScheduleRecord,
    SchedulesOfSessions,
    SessionCounts,
    SlotCounts,
    SlotPage,
    SlotRecord,
    Spec,
    TriggerSchedule,
)

T = TypeVar("T")
_CHANGE_TRIES = 5  # a claim comes between at most now and then


class Schedules:
    """Answers what api asks. `wake` tells the loop of this process that something may be due.

    When that is, is the store's time throughout: the one by which slots are due.
    """

    def __init__(self, store: ScheduleStore, wake: Callable[[], None]) -> None:
        self._store = store
        self._wake = wake

    async def create(self, command: CreateSchedule) -> ScheduleRecord:
        """Asked again with the same id, it answers with what is there.

        Raises ValidationFailed, NameTaken, TooManyRequests.
        """
        known = await self._store.get(command.org_id, command.id)
        if known is not None:
            return schedule_record(known)
        if await self._store.count(command.org_id) >= limits.SCHEDULES_PER_ORG_MAX:
            detail = f"an organization has at most {limits.SCHEDULES_PER_ORG_MAX} schedules"
            raise TooManyRequests(detail)
        now_ms = await self._store.now_ms()
        when = timing.checked(command.spec.timing, now_ms=now_ms)
        spec = msgspec.structs.replace(command.spec, timing=when)
        schedule = Schedule(
            org_id=command.org_id,
            id=command.id,
            spec=spec,
            paused=command.paused,
            created_ms=now_ms,
            updated_ms=now_ms,
        )
        made = await self._store.insert(planning.put_down(schedule, after_ms=now_ms))
        self._wake()
        return schedule_record(made)

    async def get(self, command: OneSchedule) -> ScheduleRecord:
        """Raises NotFound."""
        return schedule_record(await self._found(command.org_id, command.id))

    async def list(self, command: ListSchedules) -> SchedulePage:
        """Newest first."""
        rows, total = await self._store.page(command)
        return SchedulePage(schedules=tuple(map(schedule_record, rows)), total=total)

    async def change(self, command: ChangeSchedule) -> ScheduleRecord:
        """Raises NotFound, ValidationFailed, NameTaken, Conflict where others keep changing it."""
        now_ms = await self._store.now_ms()
        schedule = await self._replaced(
            command.org_id, command.id, lambda row: _changed(row, command, now_ms)
        )
        self._wake()
        return schedule_record(schedule)

    async def delete(self, command: OneSchedule) -> None:
        """What it has begun goes on; nothing more is begun.

        Raises NotFound, Conflict where others keep changing it.
        """
        now_ms = await self._store.now_ms()
        await self._replaced(
            command.org_id,
            command.id,
            # Looked at once more, so that what waits is closed and what is at work is followed.
            lambda row: msgspec.structs.replace(
                row, deleted=True, next_ms=None, due_ms=now_ms, updated_ms=now_ms
            ),
        )
        self._wake()

    async def trigger(self, command: TriggerSchedule) -> SlotRecord:
        """A slot now, also while paused; the overlap policy holds for it too.

        Raises NotFound, TooManyRequests.
        """
        schedule = await self._found(command.org_id, command.id)
        if await self._store.open_slots(schedule.id) >= limits.SLOTS_OPEN_MAX:
            detail = f"{limits.SLOTS_OPEN_MAX} slots of this schedule are open"
            raise TooManyRequests(detail)
        now_ms = await self._store.now_ms()
        slot = await self._store.add_slot(
            Slot(
                org_id=command.org_id,
                id=command.slot_id,
                schedule_id=schedule.id,
                slot_ms=now_ms,
                origin="hand",
                status="waiting",
                created_ms=now_ms,
            )
        )
        if slot is None:
            raise _no_schedule()
        self._wake()
        return slot_record(slot)

    async def slots(self, command: ListSlots) -> SlotPage:
        """Newest first. Raises NotFound."""
        await self._found(command.org_id, command.schedule_id)
        rows, total = await self._store.slot_page(command)
        return SlotPage(slots=tuple(map(slot_record, rows)), total=total)

    async def slot(self, command: OneSlot) -> SlotRecord:
        """Raises NotFound."""
        slot = await self._store.slot(command.org_id, command.id)
        if slot is None:
            detail = "no such slot"
            raise NotFound(detail)
        return slot_record(slot)

    async def counts(self, command: OneSchedule) -> SlotCounts:
        """Of the newest slots. Raises NotFound."""
        await self._found(command.org_id, command.id)
        return await self._store.counts(command.id, limit=limits.SLOTS_COUNTED_MAX)

    async def of_sessions(self, command: SchedulesOfSessions) -> SessionCounts:
        """How many will still write to each session."""
        found = await self._store.counts_of_sessions(command.org_id, command.session_ids)
        return SessionCounts(active=dict(found))

    async def _found(self, org_id: UUID, schedule_id: UUID) -> Schedule:
        schedule = await self._store.get(org_id, schedule_id)
        if schedule is None:
            raise _no_schedule()
        return schedule

    async def _replaced(
        self, org_id: UUID, schedule_id: UUID, change: Callable[[Schedule], Schedule]
    ) -> Schedule:
        for _ in range(_CHANGE_TRIES):
            schedule = change(await self._found(org_id, schedule_id))
            if await self._store.replace(schedule):
                return schedule
        detail = "the schedule changes all the time"
        raise Conflict(detail)


def _no_schedule() -> NotFound:
    return NotFound("no such schedule")


def _changed(row: Schedule, command: ChangeSchedule, now_ms: int) -> Schedule:
    """A new timing begins now, and so does a schedule that was paused: the past is not made up.

    So does one that has ended, with another target: its session was deleted.
    """
    spec = row.spec
    when = spec.timing
    if not isinstance(command.timing, UnsetType):
        when = timing.checked(command.timing, now_ms=now_ms)
    spec = Spec(
        name=_kept(command.name, spec.name),
        description=_kept(command.description, spec.description),
        timing=when,
        target=_kept(command.target, spec.target),
        overlap=_kept(command.overlap, spec.overlap),
        catch_up_s=_kept(command.catch_up_s, spec.catch_up_s),
        jitter_s=_kept(command.jitter_s, spec.jitter_s),
    )
    paused = _kept(command.paused, row.paused)
    changed = msgspec.structs.replace(row, spec=spec, paused=paused, updated_ms=now_ms)
    resumed = row.next_ms is None and spec.target != row.spec.target
    if when is not row.spec.timing or paused != row.paused or resumed:
        changed = planning.put_down(changed, after_ms=now_ms)
    # Somebody looks at once: what is open may have another way on now.
    return msgspec.structs.replace(changed, due_ms=now_ms)


def _kept(new: T | UnsetType, old: T) -> T:
    return old if isinstance(new, UnsetType) else new
