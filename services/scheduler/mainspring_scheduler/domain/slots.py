"""The rows of a schedule and of its slots, and what may become of a slot. Pure."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_kernel import backoff
from mainspring_kernel.errors import MainspringError, NotFound
from mainspring_scheduler.domain import limits
from mainspring_schema.posting import TurnOutcome
from mainspring_schema.schedules import (
    MessageTarget,
    ScheduleRecord,
    SlotRecord,
    SlotStatus,
    Target,
    TargetKind,
)

AT_WORK: Final = frozenset({"starting", "running"})
PENDING: Final = frozenset({"waiting", "buffered"})
_RETRY: Final = backoff.Policy(first_s=1.0, max_s=60.0)
_TOO_MANY_REQUESTS: Final = 429


class Schedule(ScheduleRecord, frozen=True, kw_only=True):
    """A row. `rev` rises with every claim and every change, and each write compares it.

    `due_ms` is when somebody must look at it; None where there is nothing to look for.
    """

    deleted: bool = False
    rev: int = 1
    due_ms: int | None = None

    @property
    def target_kind(self) -> TargetKind:
        return "message" if isinstance(self.spec.target, MessageTarget) else "workflow"

    @property
    def session_id(self) -> UUID | None:
        """The one session that all its messages go to."""
        target = self.spec.target
        return target.session_id if isinstance(target, MessageTarget) else None


class Slot(SlotRecord, frozen=True, kw_only=True):
    """A row. `due_ms` is when to try again, or to look how it goes.

    `asked` is the MessagePack of an `Asked` while it is `starting`; one that a version before this
    made so has none.
    """

    due_ms: int | None = None
    asked: bytes | None = None


class Asked(Struct, frozen=True, kw_only=True):
    """What of a schedule's spec a slot is begun with, whatever the schedule says later."""

    name: str
    target: Target


_ASKED: Final = msgspec.msgpack.Decoder(Asked)


class Begins(Struct, frozen=True, kw_only=True):
    """The ids of what a slot is about to begin: of a message in its session, or of a workflow.

    `asked` as in `Slot`.
    """

    asked: bytes | None = None
    session_id: UUID | None = None
    message_id: UUID | None = None
    workflow_id: UUID | None = None


class Started(Struct, frozen=True, kw_only=True):
    """What a slot began: a turn or a workflow."""

    turn_id: UUID | None = None
    workflow_id: UUID | None = None


class Ended(Struct, frozen=True, kw_only=True):
    """How what a slot began came out."""

    outcome: TurnOutcome
    ended_ms: int | None = None
    code: str | None = None


def slot_key(slot: SlotRecord) -> str:
    """What a target is asked to begin once: the schedule and the slot, or the hand's own id."""
    if slot.origin == "hand":
        return f"schedule:{slot.schedule_id.hex}:hand:{slot.id.hex}"
    return f"schedule:{slot.schedule_id.hex}:{slot.slot_ms}"


def asked_of(schedule: Schedule, slot: Slot) -> Asked:
    """What a slot is begun with: what it was first asked with, or what its schedule says."""
    if slot.asked is not None:
        return _ASKED.decode(slot.asked)
    return Asked(name=schedule.spec.name, target=schedule.spec.target)


def schedule_record(row: Schedule) -> ScheduleRecord:
    """What others are told of a row."""
    return msgspec.convert(row, ScheduleRecord, from_attributes=True)


def slot_record(row: Slot) -> SlotRecord:
    """What others are told of a row."""
    return msgspec.convert(row, SlotRecord, from_attributes=True)


# ── what becomes of a slot ──────────────────────────────────────────────────────────────────────


def starting(slot: Slot, ids: Begins) -> Slot:
    """Committed before its target is asked, and never taken back: asked again, it is asked alike.

    The ids of what it begins are chosen once, here, and what it is begun with stays.
    """
    return msgspec.structs.replace(
        slot,
        status="starting",
        attempts=slot.attempts + 1,
        session_id=slot.session_id or ids.session_id,
        message_id=slot.message_id or ids.message_id,
        workflow_id=slot.workflow_id or ids.workflow_id,
        asked=slot.asked or ids.asked,
        due_ms=None,
    )


def running(slot: Slot, started: Started, *, now_ms: int) -> Slot:
    return msgspec.structs.replace(
        slot,
        status="running",
        turn_id=started.turn_id,
        workflow_id=started.workflow_id or slot.workflow_id,
        started_ms=now_ms,
        code=None,
        detail=None,
        asked=None,
        due_ms=now_ms + limits.SLOT_LOOK_MS_MIN,
    )


def refused(slot: Slot, error: MainspringError, *, now_ms: int, draw: float) -> Slot:
    """Tried again unless asking alike cannot help, or it has been asked for very long."""
    lasting = not error.is_server_error and error.status != _TOO_MANY_REQUESTS
    if lasting or now_ms - slot.created_ms > limits.SLOT_GIVE_UP_MS:
        return ended(slot, "failed", now_ms=now_ms, code=error.code, detail=error.detail)
    wait_s = backoff.delay_s(_RETRY, slot.attempts, draw, retry_after_s=error.retry_after_s)
    return msgspec.structs.replace(
        slot, code=error.code, detail=error.detail, due_ms=now_ms + round(wait_s * 1000)
    )


def session_gone(schedule: Schedule, asked: Sequence[Slot]) -> bool:
    """Whether the one session that a schedule writes to was deleted: no later slot finds it."""
    return schedule.session_id is not None and any(
        (slot.status, slot.code, slot.session_id) == ("failed", NotFound.code, schedule.session_id)
        for slot in asked
    )


def looked_at(slot: Slot, found: Ended | None, *, now_ms: int) -> Slot:
    """What a running slot is after asking how it goes; what takes longer is asked more rarely."""
    if found is not None:
        at_ms = found.ended_ms if found.ended_ms is not None else now_ms
        return ended(slot, found.outcome, now_ms=at_ms, code=found.code)
    age_ms = now_ms - (slot.started_ms or now_ms)
    wait_ms = min(max(age_ms // 4, limits.SLOT_LOOK_MS_MIN), limits.SLOT_LOOK_MS_MAX)
    return msgspec.structs.replace(slot, due_ms=now_ms + wait_ms)


def ended(
    slot: Slot,
    status: SlotStatus,
    *,
    now_ms: int,
    code: str | None = None,
    detail: str | None = None,
) -> Slot:
    return msgspec.structs.replace(
        slot,
        status=status,
        ended_ms=now_ms,
        due_ms=None,
        asked=None,
        code=code,
        detail=detail,
    )
