"""Times on the wire: RFC 3339 in UTC with milliseconds."""

from datetime import UTC, datetime

from mainspring_kernel.errors import InvalidParameter


def rfc3339(ms: int) -> str:
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def parse_rfc3339(text: str, name: str) -> int:
    """Milliseconds since the epoch. Raises InvalidParameter; a time without zone counts as UTC."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        message = f"{name} is no RFC 3339 time"
        raise InvalidParameter(message, data={"parameter": name}) from None
