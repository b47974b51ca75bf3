"""When a budget renews, in whole milliseconds: the rules of `engine.budget_period`."""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, assert_never

from mainspring_schema.budgets import Period

_MONTHS: Final = 12


class Span(NamedTuple):
    """From its beginning until the next one."""

    started_ms: int
    renews_ms: int


def present(period: Period, started_ms: int, now_ms: int) -> Span:
    """The one that `now_ms` lies in, of a period that began at `started_ms` or later."""
    match period.type:
        case "duration":
            length = _length_ms(period)
            passed = (now_ms - started_ms) // length
            began = started_ms + passed * length
            return Span(began, began + length)
        case "rolling":
            return Span(now_ms, now_ms + _length_ms(period))
        case "calendar":
            return _calendar(period.text or "", now_ms)
        case _:
            assert_never(period.type)


def _length_ms(period: Period) -> int:
    return 1000 * (period.seconds or 1)


def _calendar(unit: str, now_ms: int) -> Span:
    now = datetime.fromtimestamp(now_ms // 1000, UTC)
    day = now.replace(hour=0, minute=0, second=0)
    match unit:
        case "hour":
            began = now.replace(minute=0, second=0)
            ends = began + timedelta(hours=1)
        case "week":
            began = day - timedelta(days=day.weekday())
            ends = began + timedelta(weeks=1)
        case "month":
            began = day.replace(day=1)
            months = began.year * _MONTHS + began.month  # counted from 0, so this is the next one
            ends = began.replace(year=months // _MONTHS, month=months % _MONTHS + 1)
        case "year":
            began = day.replace(month=1, day=1)
            ends = began.replace(year=began.year + 1)
        case _:
            began = day
            ends = began + timedelta(days=1)
    return Span(_ms(began), _ms(ends))


def _ms(moment: datetime) -> int:
    return 1000 * int(moment.timestamp())
