"""Cron expressions on the wall clock of a zone: the next instant that matches. Pure.

cronsim reads the fields and walks the calendar in wall time without a zone; what a zone does to
wall time is decided here. Its own way with zones, which is Debian's, loses slots where clocks are
set by half an hour, and forgets which of two equal hours it stands in.

A *fixed* expression names its minutes and its hours (neither starts with `*`): `30 2 * * *`. It
means a moment of the day, so it fires once for each, also where clocks are set: a moment that is
left out comes at the change, one that comes twice counts the first time. Any other expression
means a rhythm, `*/10 * * * *`, and fires whenever the wall clock shows a time that matches.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from mainspring_kernel.errors import ValidationFailed
from mainspring_schema.limits import CRON_CHARS_MAX

NICKNAMES: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_SECOND: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)
_PLAIN_FIELDS: Final = 5
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 -- wall time without a zone


def check(expression: str, timezone: str) -> None:
    """Raises ValidationFailed for what cannot be read, or never fires."""
    check_zone(timezone)
    if len(expression) > CRON_CHARS_MAX:
        msg = f"a cron expression has at most {CRON_CHARS_MAX} characters"
        raise ValidationFailed(msg)
    try:
        first = next(CronSim(_fields(expression), _EPOCH), None)
    except CronSimError as error:
        msg = f"no cron expression: {error}"
        raise ValidationFailed(msg) from error
    if first is None:
        msg = "the cron expression never matches"
        raise ValidationFailed(msg)


def check_zone(timezone: str) -> None:
    """Raises ValidationFailed."""
    if timezone not in _zones():
        msg = f"no time zone {timezone[:64]!r}; expected an IANA name such as Europe/Prague"
        raise ValidationFailed(msg)


def next_after(expression: str, timezone: str, after: datetime) -> datetime | None:
    """The first instant after `after` (aware), in UTC; None where none comes for 50 years."""
    zone = _zone(timezone)
    fields = _fields(expression)
    walk = _next_moment if _is_fixed(fields) else _next_beat
    return walk(fields, zone, after.astimezone(UTC))


def _fields(expression: str) -> str:
    return NICKNAMES.get(expression.strip().lower(), expression)


def _is_fixed(fields: str) -> bool:
    parts = fields.split()
    minute, hour = parts[:2] if len(parts) == _PLAIN_FIELDS else parts[1:3]
    return not minute.startswith("*") and not hour.startswith("*")


def _next_moment(fields: str, zone: ZoneInfo, after: datetime) -> datetime | None:
    # What wall time reads now it reads at this instant or read before, so nothing is passed over.
    for wall in _walls(fields, _wall(zone, after)):
        instant = _first_instant(zone, wall)
        if instant > after:
            return instant
    return None


def _next_beat(fields: str, zone: ZoneInfo, after: datetime) -> datetime | None:
    """While an offset holds, wall time is an instant moved; so it is walked offset by offset."""
    offset, since = _offset(zone, after), after
    wall = _wall(zone, after)
    while True:
        found = next(_walls(fields, wall), None)
        if found is None:
            return None
        instant = _at(found, offset)
        change = _change(zone, since, instant)
        if change is None:
            return instant
        offset, since = _offset(zone, change), change
        wall = (change + offset).replace(tzinfo=None) - _SECOND


def _walls(fields: str, after: datetime) -> Iterator[datetime]:
    return iter(CronSim(fields, after))


# ── zones ───────────────────────────────────────────────────────────────────────────────────────


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def first_instant(timezone: str, wall: datetime) -> datetime:
    """When the zone's clocks first show this wall time, or pass over it."""
    return _first_instant(_zone(timezone), wall)


def _first_instant(zone: ZoneInfo, wall: datetime) -> datetime:
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if _wall(zone, first) == wall:
        return first
    # Left out: read by the offset before the change it lies behind it, by the one after, before.
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return _change(zone, before, first) or first


def _change(zone: ZoneInfo, since: datetime, until: datetime) -> datetime | None:
    """The first instant in (since, until] whose offset is not that of `since`."""
    offset, low = _offset(zone, since), since
    while low < until:
        high = min(low + _DAY, until)  # no zone changes and changes back within a day
        if _offset(zone, high) != offset:
            return _bisected(zone, low, high)
        low = high
    return None


def _bisected(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    offset = _offset(zone, low)
    low = low.replace(microsecond=0)  # zones change at whole seconds
    while high - low > _SECOND:
        middle = low + timedelta(seconds=(high - low) // (2 * _SECOND))
        if _offset(zone, middle) == offset:
            low = middle
        else:
            high = middle
    return low + _SECOND


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta()


def _wall(zone: ZoneInfo, instant: datetime) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def _at(wall: datetime, offset: timedelta) -> datetime:
    return (wall - offset).replace(tzinfo=UTC)
