"""What is to be done for a schedule that somebody must look at: the one decision. Pure.

Slots that fell due become rows, each pending slot meets the overlap policy, and the schedule is
put down for when it must be looked at again.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_scheduler.domain import limits, timing
from mainspring_scheduler.domain import slots as rows
from mainspring_scheduler.domain.slots import AT_WORK, PENDING, Begins, Ended, Schedule, Slot
from mainspring_schema.schedules import WorkflowTarget

OVERLAP: Final = "overlap"
PAUSED: Final = "paused"
DELETED: Final = "deleted"
TOO_MANY: Final = "too_many_open"
TOO_LATE: Final = "too_late"


class Ids(Struct, frozen=True, kw_only=True):
    """Where the ids of new rows and of what they begin come from."""

    slot: Callable[[], UUID]
    session: Callable[[], UUID]
    message: Callable[[], UUID]
    workflow: Callable[[], UUID]


class Decision(Struct, frozen=True, kw_only=True):
    """`slots` are the rows that are new or changed; of these `starts` are asked for after the
    commit, as are the `cancels`. `due_ms` is None where nothing is left to look for.
    """

    next_ms: int | None
    last_ms: int | None
    due_ms: int | None
    slots: tuple[Slot, ...]
    fresh: frozenset[UUID]
    starts: tuple[Slot, ...]
    cancels: tuple[Slot, ...]
    rest: tuple[Slot, ...]
    """All its rows that were or are open, as they stand after the commit."""


def decide(
    schedule: Schedule,
    known: Sequence[Slot],
    found: Mapping[UUID, Ended | None],
    *,
    now_ms: int,
    ids: Ids,
) -> Decision:
    """`known` are the open slots, `found` what those that were asked about told."""
    due = _due(schedule, now_ms)
    planned = _planned(schedule, due, now_ms=now_ms, ids=ids)
    looked = [
        rows.looked_at(slot, found[slot.id], now_ms=now_ms) if slot.id in found else slot
        for slot in known
    ]
    desk = _Desk(schedule, [*looked, *planned], now_ms=now_ms, ids=ids)
    desk.work_off()
    before = {slot.id: slot for slot in known}
    due_ms = due_again(schedule, due.next_ms, desk.slots, now_ms=now_ms)
    return Decision(
        next_ms=due.next_ms,
        last_ms=_last(schedule, due),
        due_ms=due_ms,
        slots=tuple(slot for slot in desk.slots if before.get(slot.id) != slot),
        fresh=frozenset(slot.id for slot in planned),
        starts=tuple(slot for slot in desk.slots if slot.id in desk.starts),
        cancels=tuple(slot for slot in desk.slots if slot.id in desk.cancels),
        rest=tuple(desk.slots),
    )


def put_down(schedule: Schedule, *, after_ms: int) -> Schedule:
    """With its first slot after this instant, never one that it has had; none while paused."""
    next_ms: int | None = None
    if not schedule.paused:
        since_ms = max(after_ms, schedule.last_ms if schedule.last_ms is not None else after_ms)
        next_ms = timing.next_slot(schedule.spec.timing, after_ms=since_ms)
    due_ms = None if next_ms is None else timing.due_at(schedule.id, schedule.spec, next_ms)
    return msgspec.structs.replace(schedule, next_ms=next_ms, due_ms=due_ms)


def due_again(
    schedule: Schedule, next_ms: int | None, slots: Sequence[Slot], *, now_ms: int
) -> int | None:
    """When somebody must look at a schedule again, once `slots` are its rows."""
    wanted = [slot.due_ms for slot in slots if slot.due_ms is not None]
    if any(slot.status == "buffered" for slot in slots):
        # Somebody waits for what is at work: it is asked more often than its age alone says.
        wanted.append(now_ms + limits.SLOT_BUFFERED_LOOK_MS)
    if next_ms is not None and not schedule.paused and not schedule.deleted:
        wanted.append(timing.due_at(schedule.id, schedule.spec, next_ms))
    return min(wanted, default=None)


def asked_about(schedule: Schedule, known: Sequence[Slot], *, now_ms: int) -> list[Slot]:
    """The running slots whose state must be known before deciding."""
    waited_for = schedule.spec.overlap != "allow_all" and (
        any(slot.status in PENDING for slot in known)
        or (schedule.next_ms is not None and schedule.next_ms <= now_ms)
    )
    return [
        slot
        for slot in known
        if slot.status == "running" and (waited_for or (slot.due_ms or 0) <= now_ms)
    ]


def _due(schedule: Schedule, now_ms: int) -> timing.Due:
    if schedule.paused or schedule.deleted:
        return timing.Due(next_ms=schedule.next_ms)
    return timing.due(
        schedule.id,
        schedule.spec,
        schedule.next_ms,
        now_ms=now_ms,
        slots_max=limits.SLOTS_PER_PASS_MAX,
    )


def _planned(schedule: Schedule, due: timing.Due, *, now_ms: int, ids: Ids) -> list[Slot]:
    def new(slot_ms: int) -> Slot:
        return Slot(
            org_id=schedule.org_id,
            id=ids.slot(),
            schedule_id=schedule.id,
            slot_ms=slot_ms,
            status="waiting",
            created_ms=now_ms,
        )

    planned = [new(slot_ms) for slot_ms in due.slots]
    if due.missed is not None:
        missed = due.missed
        said = f"{missed.count} slots" if missed.count > 1 else "the slot"
        if missed.count >= limits.SLOTS_MISSED_COUNTED_MAX:
            said = f"more than {said}"
        detail = f"{said} came later than {schedule.spec.catch_up_s} s after being due"
        late = rows.ended(
            new(missed.first_ms), "missed", now_ms=now_ms, code=TOO_LATE, detail=detail
        )
        planned.insert(0, late)
    return planned


def _last(schedule: Schedule, due: timing.Due) -> int | None:
    fallen = [*due.slots, *([due.missed.last_ms] if due.missed is not None else [])]
    return max(fallen, default=schedule.last_ms)


class _Desk:
    """The slots of one schedule while they are decided about, oldest first."""

    def __init__(self, schedule: Schedule, slots: Sequence[Slot], *, now_ms: int, ids: Ids) -> None:
        self.slots = sorted(slots, key=lambda slot: (slot.slot_ms, slot.id))
        self.starts: set[UUID] = set()
        self.cancels: set[UUID] = set()
        self._schedule = schedule
        self._now_ms = now_ms
        self._ids = ids
        self._open = sum(slot.status in AT_WORK for slot in slots)
        self._buffered = False

    def work_off(self) -> None:
        for place, slot in enumerate(self.slots):
            if slot.status == "starting" and (slot.due_ms or 0) <= self._now_ms:
                self._start(place, slot)
            elif slot.status in PENDING and (code := self._closed_to(slot)) is not None:
                self._skip(place, code)
        pending = [place for place, slot in enumerate(self.slots) if slot.status in PENDING]
        for place in pending:
            self._pending(place, newest=place == pending[-1])

    def _closed_to(self, slot: Slot) -> str | None:
        """Why a pending slot has no way on, whatever else is at work."""
        if self._schedule.deleted:
            return DELETED
        return PAUSED if self._schedule.paused and slot.origin == "time" else None

    def _pending(self, place: int, *, newest: bool) -> None:
        match self._schedule.spec.overlap:
            case "allow_all" if self._open >= limits.SLOTS_OPEN_MAX:
                self._skip(place, TOO_MANY)
            case "allow_all":
                self._begin(place)
            case "cancel_other" if not newest:
                self._skip(place, OVERLAP)  # it would be cancelled at once
            case _ if self._open == 0:
                self._begin(place)
            case "cancel_other":
                self._buffer(place)
                self.cancels = {slot.id for slot in self.slots if slot.status == "running"}
            case "buffer_one" if not self._buffered:
                self._buffer(place)
            case _:
                self._skip(place, OVERLAP)

    def _begin(self, place: int) -> None:
        self._open += 1
        self._start(place, self.slots[place])

    def _start(self, place: int, slot: Slot) -> None:
        self.slots[place] = rows.starting(slot, self._begins(slot))
        self.starts.add(slot.id)

    def _begins(self, slot: Slot) -> Begins:
        asked, ids = rows.asked_of(self._schedule, slot), self._ids
        packed, target = msgspec.msgpack.encode(asked), asked.target
        if isinstance(target, WorkflowTarget):
            return Begins(asked=packed, workflow_id=ids.workflow())
        session_id = target.session_id or ids.session()
        return Begins(asked=packed, session_id=session_id, message_id=ids.message())

    def _buffer(self, place: int) -> None:
        self._buffered = True
        self.slots[place] = msgspec.structs.replace(self.slots[place], status="buffered")

    def _skip(self, place: int, code: str) -> None:
        self.slots[place] = rows.ended(self.slots[place], "skipped", now_ms=self._now_ms, code=code)
