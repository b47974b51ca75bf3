"""Laws of slots over drawn expressions, zones and moments."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from mainspring_scheduler.domain import calendar, timing
from mainspring_schema.schedules import Cron, Interval, Spec, Timing, WorkflowTarget

MINUTE = timedelta(minutes=1)
CHANGES = (
    ("Europe/Prague", datetime(2026, 3, 29, tzinfo=UTC)),
    ("Europe/Prague", datetime(2026, 10, 25, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 8, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, tzinfo=UTC)),
    ("America/Havana", datetime(2026, 3, 8, tzinfo=UTC)),
    ("America/Havana", datetime(2026, 11, 1, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, tzinfo=UTC)),
    ("Africa/Cairo", datetime(2026, 4, 23, tzinfo=UTC)),
    ("Africa/Casablanca", datetime(2026, 2, 15, tzinfo=UTC)),
    ("Antarctica/Troll", datetime(2026, 3, 29, tzinfo=UTC)),
    ("Antarctica/Troll", datetime(2026, 10, 25, tzinfo=UTC)),
    ("Pacific/Apia", datetime(2011, 12, 30, tzinfo=UTC)),
    ("Asia/Kolkata", datetime(2026, 5, 5, tzinfo=UTC)),
    ("UTC", datetime(2026, 5, 5, tzinfo=UTC)),
)


class Drawn(Struct, frozen=True):
    """An expression with what it means, said without a cron library."""

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    weekdays: frozenset[int]
    fixed: bool

    def matches(self, wall: datetime) -> bool:
        return (
            wall.minute in self.minutes
            and wall.hour in self.hours
            and wall.isoweekday() % 7 in self.weekdays
        )


def field(size: int) -> st.SearchStrategy[tuple[str, frozenset[int]]]:
    every = frozenset(range(size))
    steps = st.sampled_from([2, 3, 4, 6]).map(lambda n: (f"*/{n}", frozenset(range(0, size, n))))
    some = st.frozensets(st.sampled_from(sorted(every)), min_size=1, max_size=3)
    return st.one_of(
        st.just(("*", every)),
        steps,
        some.map(lambda chosen: (",".join(map(str, sorted(chosen))), chosen)),
    )


@st.composite
def expressions(draw: st.DrawFn) -> Drawn:
    (minute, minutes), (hour, hours) = draw(field(60)), draw(field(24))
    weekday, weekdays = draw(field(7))
    return Drawn(
        f"{minute} {hour} * * {weekday}",
        minutes,
        hours,
        weekdays,
        not minute.startswith("*") and not hour.startswith("*"),
    )


def slots(expression: str, zone: str, since: datetime, until: datetime) -> list[datetime]:
    found: list[datetime] = []
    instant = since - timedelta(seconds=1)
    while (following := calendar.next_after(expression, zone, instant)) is not None:
        if following >= until:
            break
        found.append(following)
        instant = following
    return found


def minutes_between(since: datetime, until: datetime) -> Iterator[datetime]:
    while since < until:
        yield since
        since += MINUTE


def beats(drawn: Drawn, zone: ZoneInfo, since: datetime, until: datetime) -> list[datetime]:
    """Every minute whose wall clock matches."""
    return [one for one in minutes_between(since, until) if drawn.matches(one.astimezone(zone))]


def moments(drawn: Drawn, zone: ZoneInfo, since: datetime, until: datetime) -> list[datetime]:
    """For each minute of the wall that matches, the first instant that shows it or a later one."""
    found: set[datetime] = set()
    reached = since.astimezone(zone).replace(tzinfo=None) - MINUTE
    for instant in minutes_between(since, until):
        shown = instant.astimezone(zone).replace(tzinfo=None)
        while reached < shown:
            reached += MINUTE
            if drawn.matches(reached):
                found.add(instant)
    return sorted(found)


@pytest.mark.parametrize(("zone", "change"), CHANGES)
@given(drawn=expressions())
@settings(max_examples=10, deadline=None)
def test_slots_around_a_change_of_clocks_are_what_the_wall_shows(
    zone: str, change: datetime, drawn: Drawn
) -> None:
    since, until = change - timedelta(hours=30), change + timedelta(hours=60)
    meant = moments if drawn.fixed else beats

    found = slots(drawn.text, zone, since, until)

    assert found == meant(drawn, ZoneInfo(zone), since, until)


@given(
    drawn=expressions(),
    zone=st.sampled_from(sorted({zone for zone, _ in CHANGES})),
    since_s=st.integers(0, 40 * 365 * 24 * 3600),
    micro=st.integers(0, 59_999_999),
)
@settings(max_examples=80, deadline=None)
def test_slots_rise_and_never_come_twice(drawn: Drawn, zone: str, since_s: int, micro: int) -> None:
    instant = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=since_s, microseconds=micro)

    for _ in range(8):
        following = calendar.next_after(drawn.text, zone, instant)
        assert following is not None
        assert following > instant
        # Asked from anywhere before, it is the same one: nothing lies between.
        between = instant + (following - instant) / 2
        assert calendar.next_after(drawn.text, zone, between) == following
        instant = following


NOW = 1_790_000_000_000


def spec_of(when: Timing, *, catch_up_s: int, jitter_s: int) -> Spec:
    target = WorkflowTarget(workflow_type="x")
    return Spec(name="s", timing=when, target=target, catch_up_s=catch_up_s, jitter_s=jitter_s)


timings: st.SearchStrategy[Timing] = st.one_of(
    st.builds(
        Interval,
        every_ms=st.integers(1000, 50_000_000),
        anchor_ms=st.integers(NOW - 10**9, NOW),
    ),
    st.builds(
        Cron,
        expression=expressions().map(lambda drawn: drawn.text),
        timezone=st.sampled_from(["UTC", "Europe/Prague", "Australia/Lord_Howe"]),
    ),
)


@given(
    when=timings,
    looks=st.lists(st.integers(0, 10_000_000), min_size=1, max_size=8),
    catch_up_s=st.integers(10, 100_000),
    jitter_s=st.integers(0, 3600),
    limit=st.integers(1, 5),
)
@settings(max_examples=80, deadline=None)
def test_however_the_clock_is_looked_at_each_slot_is_due_or_missed_once(
    when: Timing, looks: list[int], catch_up_s: int, jitter_s: int, limit: int
) -> None:
    spec, id_ = spec_of(when, catch_up_s=catch_up_s, jitter_s=jitter_s), UUID(int=7)
    next_ms = timing.next_slot(when, after_ms=NOW)
    fallen: list[int] = []
    now_ms = NOW

    for wait in looks:
        now_ms += wait
        due = timing.due(id_, spec, next_ms, now_ms=now_ms, slots_max=limit)
        if due.missed is not None:
            fallen += [due.missed.first_ms, due.missed.last_ms][: due.missed.count]
        fallen += due.slots
        assert len(due.slots) <= limit
        assert all(timing.due_at(id_, spec, slot) <= now_ms for slot in due.slots)
        assert due.next_ms is None or due.next_ms > max(fallen, default=NOW)
        next_ms = due.next_ms

    assert fallen == sorted(set(fallen))


@given(when=timings, jitter_s=st.integers(1, 86_400))
def test_jitter_is_bounded_and_everybody_draws_the_same(when: Timing, jitter_s: int) -> None:
    spec, id_ = spec_of(when, catch_up_s=10, jitter_s=jitter_s), UUID(int=7)
    slot_ms = timing.next_slot(when, after_ms=NOW)
    assert slot_ms is not None

    due_ms = timing.due_at(id_, spec, slot_ms)

    following = timing.next_slot(when, after_ms=slot_ms)
    assert slot_ms <= due_ms < slot_ms + jitter_s * 1000
    assert following is None or due_ms < following
    assert due_ms == timing.due_at(id_, spec, slot_ms)
