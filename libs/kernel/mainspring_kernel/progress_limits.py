"""The bounds of heartbeat details, each with its reason, as in limits.py."""

from typing import Final

PROGRESS_BYTES_MAX: Final = 8 * 1024
"""Of one report: a cursor or a count. What is larger belongs into a store of the user's own."""
PROGRESS_PACE_S: Final = 0.2
"""Between two reports of one step: what a handler says meanwhile is folded into the next one."""
PROGRESS_BEGUN_S: Final = 1.0
"""A step with a bound for all its attempts tells how old its task was when it began, once it has
been at work for so long: shorter ones cost no report, and a crash gives back no more."""
PROGRESS_SAVED_S: Final = 5.0
"""How long a failed attempt waits for its last report to be kept before it is told as failed."""
