"""Decisions that took so long that the store refused their date."""

from mainspring_engine.domain.limits import COMMIT_LATE_MAX
from mainspring_engine.usecases.lane import Entry
from mainspring_kernel.errors import Unavailable
from mainspring_kernel.limits import CLOCK_DRIFT_MS_MAX


def is_too_late(entry: Entry, took_ms: int) -> bool:
    """Whether it is refused, after a commit that was refused and a decision that took so long.

    Otherwise it is decided again, and dated when that will be done. A decision that was quick was
    refused for something else, or for a wait that is over.
    """
    if took_ms <= CLOCK_DRIFT_MS_MAX:
        entry.ahead_ms = 0
        return False
    entry.late, entry.ahead_ms = entry.late + 1, took_ms
    if entry.late < COMMIT_LATE_MAX:
        return False
    detail = f"it took {took_ms} ms to decide, and was refused {entry.late} times for its date"
    entry.ticket.failed(Unavailable(detail))
    return True
