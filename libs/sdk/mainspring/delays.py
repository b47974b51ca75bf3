"""Times as users give them, in milliseconds as the engine keeps them."""

from datetime import timedelta

from mainspring_kernel.declaration_limits import WAIT_MS_MAX


def delay_ms_of(duration: float | timedelta) -> int:
    """Of seconds, or of a difference; never less than none. Raises ValueError above its bound."""
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
    # Not a number is in no range either.
    if not seconds * 1000 <= WAIT_MS_MAX:
        message = f"{seconds} s is longer than anything waits: at most {WAIT_MS_MAX // 1000} s"
        raise ValueError(message)
    return round(max(0.0, seconds) * 1000)


def timeout_ms_of(timeout_s: float | None) -> int | None:
    """None is for ever."""
    return None if timeout_s is None else delay_ms_of(timeout_s)
