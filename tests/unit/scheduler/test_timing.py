"""Intervals, one-shots, jitter, and what is refused."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest

from mainspring_kernel.errors import ValidationFailed
from mainspring_scheduler.domain import timing
from mainspring_schema.limits import SCHEDULE_INTERVAL_MS_MAX
from mainspring_schema.schedules import Cron, Interval, Once, Timing
from tests.unit.scheduler.rows import MINUTE, NOW, schedule


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def test_an_interval_counts_from_its_anchor() -> None:
    every = Interval(every_ms=7000, anchor_ms=NOW)

    assert timing.next_slot(every, after_ms=NOW - 1) == NOW
    assert timing.next_slot(every, after_ms=NOW) == NOW + 7000
    assert timing.next_slot(every, after_ms=NOW + 6999) == NOW + 7000
    assert timing.next_slot(every, after_ms=NOW + 70_000) == NOW + 77_000


def test_an_interval_is_anchored_when_it_is_made() -> None:
    made = timing.checked(Interval(every_ms=5000), now_ms=NOW)

    assert made == Interval(every_ms=5000, anchor_ms=NOW)
    assert timing.checked(made, now_ms=NOW + 1) == made


@pytest.mark.parametrize(
    ("at", "zone", "instant"),
    [
        ("2026-12-01T09:00:00Z", "Europe/Prague", "2026-12-01T09:00+00:00"),
        ("2026-12-01T09:00:00+05:30", "UTC", "2026-12-01T03:30+00:00"),
        ("2026-12-01T09:00:00", "Europe/Prague", "2026-12-01T08:00+00:00"),
        # Left out by the clocks: at the change.
        ("2027-03-28T02:30:00", "Europe/Prague", "2027-03-28T01:00+00:00"),
        # Twice: the first time.
        ("2027-10-31T02:30:00", "Europe/Prague", "2027-10-31T00:30+00:00"),
    ],
)
def test_a_one_shot_is_an_instant_or_a_wall_time(at: str, zone: str, instant: str) -> None:
    made = timing.checked(Once(at=at, timezone=zone), now_ms=NOW)

    assert timing.next_slot(made, after_ms=NOW) == ms(instant)
    assert timing.next_slot(made, after_ms=ms(instant)) is None


def test_a_one_shot_lies_ahead() -> None:
    now = datetime.fromtimestamp(NOW / 1000, UTC).isoformat()

    assert timing.checked(Once(at=now), now_ms=NOW - 1) == Once(at=now, at_ms=NOW)
    with pytest.raises(ValidationFailed):
        timing.checked(Once(at=now), now_ms=NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        Once(at="2020-01-01T00:00:00Z"),
        Once(at="tomorrow"),
        Once(at="9999-12-31T23:59:59-23:59", timezone="UTC"),
        Once(at="2030-01-01T00:00:00", timezone="Mars/Olympus"),
        Interval(every_ms=999),
        Interval(every_ms=SCHEDULE_INTERVAL_MS_MAX + 1),
        Cron(expression="* * *"),
        Cron(expression="* * * * *", timezone="Mars/Olympus"),
    ],
)
def test_what_has_no_slots_is_refused(wrong: Timing) -> None:
    with pytest.raises(ValidationFailed):
        timing.checked(wrong, now_ms=NOW)


def test_a_cron_is_taken_as_it_is() -> None:
    nightly = Cron(expression="0 3 * * *", timezone="Europe/Prague")

    assert timing.checked(nightly, now_ms=NOW) is nightly


def test_jitter_puts_off_differently_and_keeps_the_order() -> None:
    spec = schedule(jitter_s=3600).spec
    slots = [NOW + k * MINUTE for k in range(50)]

    due = [timing.due_at(UUID(int=5), spec, slot) for slot in slots]

    assert len({after - slot for after, slot in zip(due, slots, strict=True)}) > 25
    assert all(slot <= at < slot + MINUTE for at, slot in zip(due, slots, strict=True))


def test_a_slot_with_jitter_is_not_due_before_its_draw() -> None:
    spec = schedule(jitter_s=30).spec
    at = timing.due_at(UUID(int=5), spec, NOW)

    before = timing.due(UUID(int=5), spec, NOW, now_ms=at - 1, slots_max=5)
    then = timing.due(UUID(int=5), spec, NOW, now_ms=at, slots_max=5)

    assert (before.slots, before.next_ms) == ((), NOW)
    assert (then.slots, then.next_ms) == ((NOW,), NOW + MINUTE)


def test_a_one_shot_may_use_all_of_its_jitter() -> None:
    once = msgspec.structs.replace(schedule(jitter_s=1000).spec, timing=Once(at="", at_ms=NOW))
    draws = {timing.due_at(UUID(int=n), once, NOW) - NOW for n in range(50)}

    assert max(draws) > 500_000
