"""What one engine counts as it works: numbers in memory, named where they are read."""

from typing import Final

from mainspring_kernel.tally import Counts, Spread, Spreads, doubling

_ITEMS: Final = doubling(1, 11)
_COMMIT_SECONDS: Final = doubling(0.0005, 15)
_WAIT_SECONDS: Final = doubling(0.001, 20)


class Tallies:
    """Shared by the parts of one engine; each notes its own."""

    __slots__ = ("claims", "commits", "conflicts", "expired", "flights", "retries", "waits")

    def __init__(self) -> None:
        self.claims = Spread(_ITEMS)
        """Tasks per claim."""
        self.flights = Spread(_ITEMS)
        """Inputs per flight."""
        self.commits = Spread(_COMMIT_SECONDS)
        """Seconds of a flight: decided, committed, told."""
        self.conflicts = 0
        """Decisions that did not fit any more, for another engine had moved the session."""
        self.waits = Spreads(_WAIT_SECONDS)
        """Seconds from a task's making to its first push, by queue."""
        self.retries = Counts()
        """By the class of the failure."""
        self.expired = 0
        """Leases that ran out."""
