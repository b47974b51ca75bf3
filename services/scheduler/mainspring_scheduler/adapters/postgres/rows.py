"""Rows of schedules and slots as structs, and structs as arrays of columns."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_scheduler.domain.slots import Schedule
from mainspring_scheduler.ports.schedules import Write
from mainspring_schema.schedules import Spec

_SPEC: Final = msgspec.msgpack.Decoder(Spec)
_SLOT_COLUMNS: Final = (
    "org_id",
    "id",
    "schedule_id",
    "slot_ms",
    "origin",
    "status",
    "attempts",
    "code",
    "detail",
    "session_id",
    "message_id",
    "turn_id",
    "workflow_id",
    "created_ms",
    "started_ms",
    "ended_ms",
    "due_ms",
    "asked",
)
"""In the order of the statement's arrays."""


class ScheduleRow(Struct, frozen=True, kw_only=True):
    org_id: UUID
    id: UUID
    spec: bytes
    paused: bool
    deleted: bool
    rev: int
    next_ms: int | None
    last_ms: int | None
    due_ms: int | None
    created_ms: int
    updated_ms: int

    def schedule(self) -> Schedule:
        return Schedule(
            org_id=self.org_id,
            id=self.id,
            spec=_SPEC.decode(self.spec),
            paused=self.paused,
            deleted=self.deleted,
            rev=self.rev,
            next_ms=self.next_ms,
            last_ms=self.last_ms,
            due_ms=self.due_ms,
            created_ms=self.created_ms,
            updated_ms=self.updated_ms,
        )


class ClaimedRow(ScheduleRow, frozen=True, kw_only=True):
    """`now_ms` is the database's clock at the claim."""

    now_ms: int


def schedule_values(row: Schedule) -> tuple[object, ...]:
    return (
        row.org_id,
        row.id,
        row.spec.name,
        row.target_kind,
        row.session_id,
        msgspec.msgpack.encode(row.spec),
        row.paused,
        row.deleted,
        row.rev,
        row.next_ms,
        row.last_ms,
        row.due_ms,
        row.created_ms,
        row.updated_ms,
    )


def write_arrays(writes: Sequence[Write]) -> tuple[list[object], ...]:
    rows = [write.schedule for write in writes]
    return (
        [row.id for row in rows],
        [row.rev for row in rows],
        [row.next_ms for row in rows],
        [row.last_ms for row in rows],
        [row.due_ms for row in rows],
        [write.keep_hold for write in writes],
    )


def slot_arrays(writes: Sequence[Write]) -> tuple[list[object], ...]:
    pairs = [(slot, slot.id in write.fresh) for write in writes for slot in write.slots]
    columns: list[list[object]] = [
        [getattr(slot, name) for slot, _ in pairs] for name in _SLOT_COLUMNS
    ]
    return (*columns, [fresh for _, fresh in pairs])
