"""Cron on the wall clocks of real zones: gaps, repeats, leap days, ends of months."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from mainspring_kernel.errors import ValidationFailed
from mainspring_scheduler.domain import calendar


def fires(expression: str, zone: str, after: str, count: int) -> list[str]:
    """The next instants as the zone's wall clock shows them, with its offset."""
    instant = datetime.fromisoformat(after)
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=ZoneInfo(zone))
    found: list[str] = []
    for _ in range(count):
        following = calendar.next_after(expression, zone, instant)
        assert following is not None
        assert following.tzinfo is UTC
        found.append(f"{following.astimezone(ZoneInfo(zone)):%m-%d %H:%M%z}")
        instant = following
    return found


# ── clocks are set forward ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("zone", "expression", "after", "expected"),
    [
        # Europe: 02:00 becomes 03:00.
        ("Europe/Prague", "30 2 * * *", "2026-03-28T12:00", "03-29 03:00+0200"),
        # America: the same at another time of the year.
        ("America/New_York", "15 2 * * *", "2026-03-07T12:00", "03-08 03:00-0400"),
        # Cuba sets its clocks at midnight: the day begins at one.
        ("America/Havana", "0 0 * * *", "2026-03-07T12:00", "03-08 01:00-0400"),
        # Lord Howe by half an hour only.
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T12:00", "10-04 02:30+1100"),
        # Troll by two hours.
        ("Antarctica/Troll", "45 1 * * *", "2026-03-28T12:00", "03-29 03:00+0200"),
        # Samoa left out a whole day.
        ("Pacific/Apia", "0 9 30 12 *", "2011-12-29T12:00", "12-31 00:00+1400"),
    ],
)
def test_a_moment_that_is_left_out_comes_at_the_change(
    zone: str, expression: str, after: str, expected: str
) -> None:
    assert fires(expression, zone, after, 1) == [expected]


def test_moments_that_are_left_out_together_come_once() -> None:
    assert fires("10,40 2 * * *", "Europe/Prague", "2026-03-28T12:00", 3) == [
        "03-29 03:00+0200",
        "03-30 02:10+0200",
        "03-30 02:40+0200",
    ]


def test_a_moment_at_the_change_itself_is_not_doubled_by_one_that_was_left_out() -> None:
    assert fires("0 2,3 * * *", "Europe/Prague", "2026-03-28T12:00", 2) == [
        "03-29 03:00+0200",
        "03-30 02:00+0200",
    ]


def test_a_rhythm_goes_on_over_the_gap() -> None:
    assert fires("*/30 * * * *", "Europe/Prague", "2026-03-29T01:00", 3) == [
        "03-29 01:30+0100",
        "03-29 03:00+0200",
        "03-29 03:30+0200",
    ]


def test_a_rhythm_of_an_hour_that_is_left_out_pauses_for_that_day() -> None:
    assert fires("*/30 2 * * *", "Europe/Prague", "2026-03-28T02:00", 2) == [
        "03-28 02:30+0100",
        "03-30 02:00+0200",
    ]


# ── clocks are set back ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("zone", "expression", "after", "expected"),
    [
        (
            "Europe/Prague",
            "30 2 * * *",
            "2026-10-24T12:00",
            ["10-25 02:30+0200", "10-26 02:30+0100"],
        ),
        (
            "America/New_York",
            "30 1 * * *",
            "2026-10-31T12:00",
            ["11-01 01:30-0400", "11-02 01:30-0500"],
        ),
        (
            "America/Havana",
            "0 0 * * *",
            "2026-10-31T12:00",
            ["11-01 00:00-0400", "11-02 00:00-0500"],
        ),
        (
            "Australia/Lord_Howe",
            "45 1 * * *",
            "2026-04-04T12:00",
            ["04-05 01:45+1100", "04-06 01:45+1030"],
        ),
    ],
)
def test_a_moment_that_comes_twice_counts_the_first_time(
    zone: str, expression: str, after: str, expected: list[str]
) -> None:
    assert fires(expression, zone, after, 2) == expected


def test_a_moment_is_not_made_up_for_in_the_repeated_hour() -> None:
    # 02:10 for the second time: today's 02:30 was in the first of the two hours.
    assert fires("30 2 * * *", "Europe/Prague", "2026-10-25T02:10+01:00", 1) == ["10-26 02:30+0100"]


def test_a_rhythm_beats_through_both_hours() -> None:
    assert fires("*/30 * * * *", "Europe/Prague", "2026-10-25T01:59+02:00", 5) == [
        "10-25 02:00+0200",
        "10-25 02:30+0200",
        "10-25 02:00+0100",
        "10-25 02:30+0100",
        "10-25 03:00+0100",
    ]


def test_a_rhythm_keeps_its_beat_where_clocks_are_set_by_half_an_hour() -> None:
    assert fires("*/20 * * * *", "Australia/Lord_Howe", "2026-04-05T01:30+11:00", 4) == [
        "04-05 01:40+1100",
        "04-05 01:40+1030",
        "04-05 02:00+1030",
        "04-05 02:20+1030",
    ]


def test_seconds_make_no_rhythm_of_a_moment() -> None:
    assert fires("30 15 2 * * *", "Europe/Prague", "2026-10-24T12:00", 2) == [
        "10-25 02:15+0200",
        "10-26 02:15+0100",
    ]


# ── the calendar ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("0 0 29 2 *", "2026-01-01T00:00", ["02-29 00:00+0000", "02-29 00:00+0000"]),
        ("0 0 31 * *", "2026-01-31T00:00", ["03-31 00:00+0000", "05-31 00:00+0000"]),
        ("0 0 L * *", "2027-12-31T00:00", ["01-31 00:00+0000", "02-29 00:00+0000"]),
        ("0 0 30 * *", "2026-01-30T00:00", ["03-30 00:00+0000", "04-30 00:00+0000"]),
        ("0 12 * * MON#2", "2026-03-01T00:00", ["03-09 12:00+0000", "04-13 12:00+0000"]),
        ("59 23 31 12 *", "2026-06-01T00:00", ["12-31 23:59+0000", "12-31 23:59+0000"]),
        ("@daily", "2026-02-28T00:00", ["03-01 00:00+0000", "03-02 00:00+0000"]),
    ],
)
def test_leap_days_and_ends_of_months(expression: str, after: str, expected: list[str]) -> None:
    assert fires(expression, "UTC", after, 2) == expected


def test_a_leap_day_is_years_away() -> None:
    assert calendar.next_after("0 0 29 2 *", "UTC", datetime(2024, 2, 29, tzinfo=UTC)) == datetime(
        2028, 2, 29, tzinfo=UTC
    )


def test_an_instant_that_matches_is_not_its_own_successor() -> None:
    at = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)

    assert calendar.next_after("0 12 * * *", "UTC", at) == at.replace(day=2)
    assert calendar.next_after("0 12 * * *", "UTC", at.replace(hour=11, minute=59)) == at


@pytest.mark.parametrize("expression", ["* * */20 * 1L", "0 0 */20 * 1L"])
def test_what_never_comes_is_told_and_not_looked_for_for_ever(expression: str) -> None:
    assert (
        calendar.next_after(expression, "Europe/Prague", datetime(2026, 1, 1, tzinfo=UTC)) is None
    )


# ── what cannot be read ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * *",
        "61 * * * *",
        "* * * * * * *",
        "x * * * *",
        "0 0 30 2 *",
        "0 0 * * MON#9",
        "@x",
    ],
)
def test_an_expression_that_cannot_be_read_or_never_fires_is_refused(expression: str) -> None:
    with pytest.raises(ValidationFailed):
        calendar.check(expression, "UTC")


@pytest.mark.parametrize("zone", ["", "Europe/Nowhere", "../../etc/passwd", "CEST", "utc+1"])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(ValidationFailed):
        calendar.check("* * * * *", zone)


def test_an_endless_expression_is_refused() -> None:
    with pytest.raises(ValidationFailed):
        calendar.check("0" + ",0" * 200 + " * * * *", "UTC")
