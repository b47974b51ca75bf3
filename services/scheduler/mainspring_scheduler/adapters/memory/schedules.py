from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

import msgspec

from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import NameTaken
from mainspring_scheduler.domain.slots import Schedule, Slot
from mainspring_scheduler.ports.schedules import Claimed, Held, Write
from mainspring_schema.schedules import ListSchedules, ListSlots, SlotCounts


class MemoryScheduleStore:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._schedules: dict[UUID, Schedule] = {}
        self._slots: dict[UUID, Slot] = {}

    def due_in_ms(self) -> int | None:
        """Until the first schedule is due."""
        due = [row.due_ms for row in self._schedules.values() if row.due_ms is not None]
        return min(due) - self._clock.wall_ms() if due else None

    # ── what people do ──────────────────────────────────────────────────────────────────────

    async def now_ms(self) -> int:
        return self._clock.wall_ms()

    async def insert(self, schedule: Schedule) -> Schedule:
        known = self._schedules.get(schedule.id)
        if known is not None:
            return known
        self._check_free(schedule)
        self._schedules[schedule.id] = schedule
        return schedule

    async def get(self, org_id: UUID, schedule_id: UUID) -> Schedule | None:
        row = self._schedules.get(schedule_id)
        return row if row is not None and row.org_id == org_id and not row.deleted else None

    async def page(self, wanted: ListSchedules) -> tuple[Sequence[Schedule], int]:
        found = [
            row
            for row in self._of(wanted.org_id)
            if wanted.paused in {None, row.paused} and wanted.target in {None, row.target_kind}
        ]
        found.sort(key=lambda row: (row.created_ms, row.id), reverse=True)
        return found[wanted.offset : wanted.offset + wanted.limit], len(found)

    async def count(self, org_id: UUID) -> int:
        return len(self._of(org_id))

    async def counts_of_sessions(
        self, org_id: UUID, session_ids: Sequence[UUID]
    ) -> Mapping[UUID, int]:
        coming = [row.session_id for row in self._of(org_id) if row.next_ms is not None]
        return {id_: coming.count(id_) for id_ in session_ids if id_ in coming}

    async def replace(self, schedule: Schedule) -> bool:
        present = self._schedules.get(schedule.id)
        if present is None or present.rev != schedule.rev:
            return False
        if not schedule.deleted:
            self._check_free(schedule)
        self._schedules[schedule.id] = msgspec.structs.replace(schedule, rev=schedule.rev + 1)
        return True

    async def add_slot(self, slot: Slot) -> Slot | None:
        row = await self.get(slot.org_id, slot.schedule_id)
        if row is None:
            return None
        known = self._slots.setdefault(slot.id, slot)
        now_ms = self._clock.wall_ms()
        self._schedules[row.id] = msgspec.structs.replace(row, rev=row.rev + 1, due_ms=now_ms)
        return known

    async def slot_page(self, wanted: ListSlots) -> tuple[Sequence[Slot], int]:
        found = [
            slot
            for slot in self._newest(wanted.schedule_id)
            if slot.org_id == wanted.org_id and wanted.status in {None, slot.status}
        ]
        return found[wanted.offset : wanted.offset + wanted.limit], len(found)

    async def slot(self, org_id: UUID, slot_id: UUID) -> Slot | None:
        slot = self._slots.get(slot_id)
        if slot is None or await self.get(org_id, slot.schedule_id) is None:
            return None
        return slot

    async def open_slots(self, schedule_id: UUID) -> int:
        return len(self._open(schedule_id))

    async def counts(self, schedule_id: UUID, *, limit: int) -> SlotCounts:
        newest = self._newest(schedule_id)[:limit]
        took = [
            slot.ended_ms - slot.started_ms
            for slot in newest
            if slot.ended_ms is not None and slot.started_ms is not None
        ]
        return SlotCounts(
            by_status=dict(Counter(slot.status for slot in newest)),
            mean_ms=round(sum(took) / len(took)) if took else None,
        )

    # ── what replicas do ────────────────────────────────────────────────────────────────────

    async def claim(self, *, limit: int, hold_ms: int) -> Claimed:
        now_ms = self._clock.wall_ms()
        due = [
            (row.due_ms, row.id)
            for row in self._schedules.values()
            if row.due_ms is not None and row.due_ms <= now_ms
        ]
        held: list[Held] = []
        for _, schedule_id in sorted(due)[:limit]:
            row = self._schedules[schedule_id]
            row = msgspec.structs.replace(row, rev=row.rev + 1, due_ms=now_ms + hold_ms)
            self._schedules[schedule_id] = row
            held.append(Held(schedule=row, slots=tuple(self._open(schedule_id))))
        return Claimed(now_ms=now_ms, held=tuple(held))

    async def commit(self, writes: Sequence[Write]) -> Collection[UUID]:
        written: set[UUID] = set()
        for write in writes:
            present = self._schedules.get(write.schedule.id)
            if present is None or present.rev != write.schedule.rev:
                continue
            self._schedules[present.id] = msgspec.structs.replace(
                present,
                rev=present.rev + 1,
                next_ms=write.schedule.next_ms,
                last_ms=write.schedule.last_ms,
                due_ms=present.due_ms if write.keep_hold else write.schedule.due_ms,
            )
            for slot in write.slots:
                self._put(slot, fresh=slot.id in write.fresh)
            written.add(present.id)
        return written

    async def forget(self, *, before_ms: int, limit: int) -> int:
        old = [
            slot.id
            for slot in self._slots.values()
            if slot.ended_ms is not None
            and (slot.ended_ms < before_ms or self._is_deleted(slot.schedule_id))
        ][:limit]
        for slot_id in old:
            del self._slots[slot_id]
        kept = {slot.schedule_id for slot in self._slots.values()}
        gone = [
            row.id
            for row in self._schedules.values()
            if row.deleted and row.due_ms is None and row.id not in kept
        ][:limit]
        for schedule_id in gone:
            del self._schedules[schedule_id]
        return len(old) + len(gone)

    def _put(self, slot: Slot, *, fresh: bool) -> None:
        allowed = self._is_free(slot) if fresh else slot.id in self._slots
        if allowed:
            self._slots[slot.id] = slot

    def _is_free(self, slot: Slot) -> bool:
        return slot.id not in self._slots and not any(
            one.schedule_id == slot.schedule_id
            and one.slot_ms == slot.slot_ms
            and one.origin == slot.origin == "time"
            for one in self._slots.values()
        )

    def _of(self, org_id: UUID) -> list[Schedule]:
        rows = self._schedules.values()
        return [row for row in rows if row.org_id == org_id and not row.deleted]

    def _newest(self, schedule_id: UUID) -> list[Slot]:
        found = [slot for slot in self._slots.values() if slot.schedule_id == schedule_id]
        return sorted(found, key=lambda slot: (slot.slot_ms, slot.id), reverse=True)

    def _open(self, schedule_id: UUID) -> list[Slot]:
        return [slot for slot in self._newest(schedule_id) if slot.ended_ms is None][::-1]

    def _is_deleted(self, schedule_id: UUID) -> bool:
        row = self._schedules.get(schedule_id)
        return row is None or row.deleted

    def _check_free(self, schedule: Schedule) -> None:
        for row in self._of(schedule.org_id):
            if row.spec.name == schedule.spec.name and row.id != schedule.id:
                msg = f"a schedule named {row.spec.name!r} exists"
                raise NameTaken(msg)
