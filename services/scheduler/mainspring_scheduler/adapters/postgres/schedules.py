from collections.abc import Collection, Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_kernel.errors import NameTaken
from mainspring_postgres import Database, UniqueViolation, load_queries
from mainspring_scheduler.adapters.postgres.rows import (
    ClaimedRow,
    ScheduleRow,
    schedule_values,
    slot_arrays,
    write_arrays,
)
from mainspring_scheduler.domain.slots import Schedule, Slot
from mainspring_scheduler.ports.schedules import Claimed, Held, Write
from mainspring_schema.schedules import ListSchedules, ListSlots, SlotCounts

_HERE: Final = "mainspring_scheduler.adapters.postgres"
_Q: Final = load_queries(_HERE, "schedules.sql")
_S: Final = load_queries(_HERE, "slots.sql")


class _Tally(Struct, frozen=True, kw_only=True):
    status: str
    slots: int
    timed: int
    took_ms: int


class _OfSession(Struct, frozen=True, kw_only=True):
    session_id: UUID
    schedules: int


class PostgresScheduleStore:
    """Rows of `scheduler.schedule` and `scheduler.slot`. Most operations are one statement."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # ── what people do ──────────────────────────────────────────────────────────────────────

    async def now_ms(self) -> int:
        return await self._database.fetchval_as(int, _Q["now"])

    async def insert(self, schedule: Schedule) -> Schedule:
        try:
            await self._database.execute(_Q["insert_schedule"], *schedule_values(schedule))
        except UniqueViolation as error:
            raise _taken(schedule) from error
        return await self.get(schedule.org_id, schedule.id) or schedule

    async def get(self, org_id: UUID, schedule_id: UUID) -> Schedule | None:
        row = await self._database.fetchrow_as(
            ScheduleRow, _Q["schedule_by_id"], org_id, schedule_id
        )
        return row.schedule() if row is not None else None

    async def page(self, wanted: ListSchedules) -> tuple[Sequence[Schedule], int]:
        search = (wanted.org_id, wanted.paused, wanted.target)
        rows = await self._database.fetch_as(
            ScheduleRow, _Q["list_schedules"], *search, wanted.offset, wanted.limit
        )
        total = await self._database.fetchval_as(int, _Q["count_schedules"], *search)
        return [row.schedule() for row in rows], total

    async def count(self, org_id: UUID) -> int:
        return await self._database.fetchval_as(int, _Q["count_schedules"], org_id, None, None)

    async def counts_of_sessions(
        self, org_id: UUID, session_ids: Sequence[UUID]
    ) -> Mapping[UUID, int]:
        rows = await self._database.fetch_as(
            _OfSession, _Q["count_schedules_of_sessions"], org_id, session_ids
        )
        return {row.session_id: row.schedules for row in rows}

    async def replace(self, schedule: Schedule) -> bool:
        try:
            touched = await self._database.execute(
                _Q["replace_schedule"],
                schedule.id,
                schedule.rev,
                schedule.spec.name,
                schedule.target_kind,
                schedule.session_id,
                msgspec.msgpack.encode(schedule.spec),
                schedule.paused,
                schedule.deleted,
                schedule.next_ms,
                schedule.last_ms,
                schedule.due_ms,
                schedule.updated_ms,
            )
        except UniqueViolation as error:
            raise _taken(schedule) from error
        return touched > 0

    async def add_slot(self, slot: Slot) -> Slot | None:
        await self._database.execute(
            _S["add_slot"], slot.org_id, slot.id, slot.schedule_id, slot.slot_ms, slot.created_ms
        )
        return await self.slot(slot.org_id, slot.id)

    async def slot_page(self, wanted: ListSlots) -> tuple[Sequence[Slot], int]:
        search = (wanted.org_id, wanted.schedule_id, wanted.status)
        rows = await self._database.fetch_as(
            Slot, _S["list_slots"], *search, wanted.offset, wanted.limit
        )
        return rows, await self._database.fetchval_as(int, _S["count_slots"], *search)

    async def slot(self, org_id: UUID, slot_id: UUID) -> Slot | None:
        return await self._database.fetchrow_as(Slot, _S["slot_by_id"], org_id, slot_id)

    async def open_slots(self, schedule_id: UUID) -> int:
        return await self._database.fetchval_as(int, _S["count_open_slots"], schedule_id)

    async def counts(self, schedule_id: UUID, *, limit: int) -> SlotCounts:
        rows = await self._database.fetch_as(_Tally, _S["slot_statistics"], schedule_id, limit)
        timed = sum(row.timed for row in rows)
        return SlotCounts(
            by_status={row.status: row.slots for row in rows},
            mean_ms=round(sum(row.took_ms for row in rows) / timed) if timed else None,
        )

    # ── what replicas do ────────────────────────────────────────────────────────────────────

    async def claim(self, *, limit: int, hold_ms: int) -> Claimed:
        rows = await self._database.fetch_as(ClaimedRow, _Q["claim_due_schedules"], limit, hold_ms)
        if not rows:
            return Claimed(now_ms=0)
        # After the claim, so that a slot that was added before it is seen; one that is added
        # after it raises the schedule's rev, and then what we decide without it is refused.
        found = await self._database.fetch_as(Slot, _S["open_slots_of"], [row.id for row in rows])
        open_: dict[UUID, list[Slot]] = {}
        for slot in found:
            open_.setdefault(slot.schedule_id, []).append(slot)
        return Claimed(
            now_ms=rows[0].now_ms,
            held=tuple(
                Held(schedule=row.schedule(), slots=tuple(open_.get(row.id, ()))) for row in rows
            ),
        )

    async def commit(self, writes: Sequence[Write]) -> Collection[UUID]:
        rows = await self._database.fetch(
            _Q["commit_schedules"], *write_arrays(writes), *slot_arrays(writes)
        )
        return {msgspec.convert(row["id"], UUID) for row in rows}

    async def forget(self, *, before_ms: int, limit: int) -> int:
        slots = await self._database.execute(_S["forget_slots"], before_ms, limit)
        return slots + await self._database.execute(_S["forget_schedules"], limit)


def _taken(schedule: Schedule) -> NameTaken:
    return NameTaken(f"a schedule named {schedule.spec.name!r} exists")
