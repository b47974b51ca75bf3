"""What options may say: what would do nothing, or never end, is refused where it is written."""

from collections.abc import Sequence
from datetime import timedelta
from typing import cast

from mainspring_schema.keys import flaw_of_name


def texts(what: str, given: Sequence[str]) -> tuple[str, ...]:
    """Raises TypeError for one text in place of several: it is a sequence of its letters."""
    found = cast("tuple[object, ...]", tuple(given))
    if isinstance(given, str) or not all(isinstance(one, str) for one in found):
        message = f"{what}={given!r}: a list or tuple of texts"
        raise TypeError(message)
    return tuple(given)


def bound_s(what: str, given: float | timedelta | None) -> float | None:
    """Seconds. Raises ValueError for what is no time above 0."""
    seconds = given.total_seconds() if isinstance(given, timedelta) else given
    if seconds is not None and not seconds > 0:
        message = f"{what}={seconds}: seconds, above 0; None for no bound"
        raise ValueError(message)
    return seconds


def queue_named(queue: str | None) -> str | None:
    """Raises ValueError for what no queue is called."""
    flaw = None if queue is None else flaw_of_name(f"queue={queue!r}", queue)
    if flaw is not None:
        raise ValueError(flaw)
    return queue
