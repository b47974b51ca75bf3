"""When a schedule has its slots, and which are due. Pure; all times in ms since the epoch."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final, assert_never
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_kernel.errors import ValidationFailed
from mainspring_scheduler.domain import calendar
from mainspring_scheduler.domain.limits import SLOTS_MISSED_COUNTED_MAX
from mainspring_schema.limits import SCHEDULE_INTERVAL_MS_MAX, SCHEDULE_INTERVAL_MS_MIN
from mainspring_schema.schedules import Cron, Interval, Once, Spec, Timing

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


class Missed(Struct, frozen=True, kw_only=True):
    """Slots that nobody saw in time, told as one: `count` is cut at a bound."""

    first_ms: int
    last_ms: int
    count: int


class Due(Struct, frozen=True, kw_only=True):
    """What a look at the clock found. `next_ms` is the first slot that is not in it."""

    slots: tuple[int, ...] = ()
    missed: Missed | None = None
    next_ms: int | None = None


def checked(timing: Timing, *, now_ms: int) -> Timing:
    """With what follows from being made now. Raises ValidationFailed."""
    match timing:
        case Cron():
            calendar.check(timing.expression, timing.timezone)
            return timing
        case Interval():
            least, most = SCHEDULE_INTERVAL_MS_MIN, SCHEDULE_INTERVAL_MS_MAX
            if not least <= timing.every_ms <= most:
                msg = f"an interval has {least} ms to {most} ms"
                raise ValidationFailed(msg)
            if timing.anchor_ms is not None:
                return timing
            return msgspec.structs.replace(timing, anchor_ms=now_ms)
        case Once():
            at_ms = _read(timing)
            if not now_ms < at_ms <= now_ms + SCHEDULE_INTERVAL_MS_MAX:
                msg = "the time of a one-shot schedule is past, or more than a century away"
                raise ValidationFailed(msg)
            return msgspec.structs.replace(timing, at_ms=at_ms)
        case _:
            assert_never(timing)


def next_slot(timing: Timing, *, after_ms: int) -> int | None:
    """The first slot after this instant; None where none comes any more."""
    match timing:
        case Cron():
            after = _EPOCH + after_ms * _MS
            found = calendar.next_after(timing.expression, timing.timezone, after)
            return None if found is None else _ms(found)
        case Interval():
            anchor = timing.anchor_ms or 0
            if after_ms < anchor:
                return anchor
            return after_ms + timing.every_ms - (after_ms - anchor) % timing.every_ms
        case Once():
            at_ms = _read(timing) if timing.at_ms is None else timing.at_ms
            return at_ms if at_ms > after_ms else None
        case _:
            assert_never(timing)


def _read(timing: Once) -> int:
    calendar.check_zone(timing.timezone)
    try:
        at = datetime.fromisoformat(timing.at)
        return _ms(at if at.tzinfo is not None else calendar.first_instant(timing.timezone, at))
    except (ValueError, OverflowError):
        msg = f"{timing.at[:64]!r} is no RFC 3339 time"
        raise ValidationFailed(msg) from None


def _ms(instant: datetime) -> int:
    return (instant - _EPOCH) // _MS


def due_at(schedule_id: UUID, spec: Spec, slot_ms: int) -> int:
    """The slot with its jitter, which is drawn from its name: every replica draws the same.

    It comes before the next slot, so that slots keep their order whatever the jitter.
    """
    if spec.jitter_s == 0:
        return slot_ms
    room_ms = spec.jitter_s * 1000
    following = next_slot(spec.timing, after_ms=slot_ms)
    if following is not None:
        room_ms = min(room_ms, following - slot_ms)
    digest = hashlib.sha256(b"%b%d" % (schedule_id.bytes, slot_ms)).digest()
    return slot_ms + int.from_bytes(digest[:8], "big") % room_ms


def due(schedule_id: UUID, spec: Spec, next_ms: int | None, *, now_ms: int, slots_max: int) -> Due:
    """The slots from `next_ms` on that are due now, oldest first, and those that came too late."""
    oldest_ms = now_ms - spec.catch_up_s * 1000
    slots: list[int] = []
    missed: Missed | None = None
    slot_ms = next_ms
    while slot_ms is not None and len(slots) < slots_max:
        due_ms = due_at(schedule_id, spec, slot_ms)
        if due_ms > now_ms:
            break
        if due_ms >= oldest_ms:
            slots.append(slot_ms)
        else:
            missed = _missed(missed, slot_ms)
            if missed.count >= SLOTS_MISSED_COUNTED_MAX:
                slot_ms = max(slot_ms, oldest_ms - spec.jitter_s * 1000 - 1)
        slot_ms = next_slot(spec.timing, after_ms=slot_ms)
    return Due(slots=tuple(slots), missed=missed, next_ms=slot_ms)


def _missed(so_far: Missed | None, slot_ms: int) -> Missed:
    if so_far is None:
        return Missed(first_ms=slot_ms, last_ms=slot_ms, count=1)
    return Missed(first_ms=so_far.first_ms, last_ms=slot_ms, count=so_far.count + 1)
