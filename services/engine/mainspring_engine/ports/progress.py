"""The progress that steps report, for their next attempts: the newest report of each step.

Postgres and memory pass the same contract suite; every operation raises Unavailable where the store
cannot be reached, and may be repeated.
"""

from typing import Protocol
from uuid import UUID

from msgspec import Struct

from mainspring_schema.frames import Progress, Verdict


class Report(Struct, frozen=True, kw_only=True):
    """A report, and the worker that made it."""

    progress: Progress
    incarnation: UUID


class ProgressRows(Protocol):
    """A claim reads them: `Claimed.progress`."""

    async def keep(self, reports: tuple[Report, ...]) -> tuple[Verdict, ...]:
        """COMMITTED or STALE, in their order. The steps of one call differ.

        Compares fence and incarnation under the task's lock. What is older than the kept report is
        committed and changes nothing. One without details removes what is kept, also once the task
        is over.
        """
        ...

    async def forget(self, limit: int) -> int:
        """Removes reports of tasks that are over, at most so many; how many."""
        ...
