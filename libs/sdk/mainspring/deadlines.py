"""What becomes of a step whose time is over, however often it was tried."""

from mainspring.saying import said
from mainspring_schema.workflows import Flaw


def too_late(bound_s: float | None, last: BaseException | None = None) -> Flaw:
    """All attempts together took too long; `last` is what one raised before."""
    message = f"it did not end within {bound_s:g} s" if bound_s is not None else ""
    if last is not None:
        message += f"; an attempt had failed: {type(last).__name__}: {said(last)}"
    return Flaw(code="timeout.schedule_to_close", message=message, type="TimeoutError")


def not_begun(bound_s: float) -> Flaw:
    """Nobody took it in time, so it was not begun."""
    message = f"no worker took it within {bound_s:g} s"
    return Flaw(code="timeout.schedule_to_start", message=message, type="TimeoutError")
