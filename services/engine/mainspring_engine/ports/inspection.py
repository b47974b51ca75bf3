"""What operators look at. Reads only, without locks; no task waits for them.

Postgres and memory pass the same contract suite. Every operation raises Unavailable where the store
cannot be reached.
"""

from typing import Protocol
from uuid import UUID

from msgspec import Struct

from mainspring_engine.domain.samples import Sample, Vitals
from mainspring_schema.operations import ListTasks, TaskDetails, TaskView


class ClosedPage(Struct, frozen=True, kw_only=True):
    """`next` is where the next page begins; None where nothing is older."""

    tasks: tuple[TaskView, ...]
    next: UUID | None


class Inspection(Protocol):
    """See the module. Lists are bounded by their `limit`."""

    async def tasks(self, asked: ListTasks) -> tuple[TaskView, ...]:
        """One row more than asked for where there are more."""
        ...

    async def closed(self, org_id: UUID, before: UUID | None, limit: int) -> ClosedPage:
        """Plain tasks that ended, newest first, those made before `before`.

        Reads at most CLOSED_WINDOW_MAX tasks, whosever: a page may be short and have a next one.
        """
        ...

    async def task(self, org_id: UUID, task_id: UUID) -> TaskDetails | None:
        """An open or a closed task of this organization."""
        ...

    async def still_open(
        self, ids: tuple[UUID, ...], org_id: UUID | None = None
    ) -> tuple[UUID, ...]:
        """Those of them that are running workflows or open tasks, in any order.

        Of one organization, or whosever.
        """
        ...

    async def sample(self) -> Sample:
        """Reads every open task, up to its bound: for a slow pace only."""
        ...

    async def vitals(self) -> Vitals:
        """One statement over the statistics of the store: for a slow pace only."""
        ...
