"""Times as users give them, in milliseconds as the engine keeps them."""

from datetime import timedelta


def delay_ms_of(duration: float | timedelta) -> int:
    """Of seconds, or of a difference; never less than none."""
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
    return max(0, round(seconds * 1000))


def timeout_ms_of(timeout_s: float | None) -> int | None:
    """None is for ever."""
    return None if timeout_s is None else delay_ms_of(timeout_s)
