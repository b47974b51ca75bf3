"""Times on the wire: RFC 3339 in UTC with milliseconds."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from mainspring_kernel.errors import InvalidParameter


def rfc3339(ms: int) -> str:
    """UTC with milliseconds and a Z, from milliseconds since the epoch."""
    return f"{_to_the_second(ms // 1000)}.{ms % 1000:03d}Z"


# Every event of a stream is stamped, and events of one second come together.
@lru_cache(maxsize=64)
def _to_the_second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


_HINT: Final = "; in a query a + is written %2B"
"""Where a blank stands before the offset, it was a plus."""


def parse_rfc3339(text: str, name: str) -> int:
    """Milliseconds since the epoch. Raises InvalidParameter; a time without zone counts as UTC."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        message = f"{name} is no RFC 3339 time{_HINT if ' ' in text[11:] else ''}"
        raise InvalidParameter(message, data={"parameter": name}) from None
