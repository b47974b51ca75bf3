"""Plain tasks in the store: submitted, ended and read in batches.

Claims and leases are those of every task, in the store. Postgres and memory pass the same contract
suite; every operation raises Unavailable where the store cannot be reached, and may be repeated.
"""

from typing import Protocol
from uuid import UUID

from msgspec import Struct

from mainspring_engine.domain.plain import NewPlain, PlainEnd
from mainspring_engine.domain.rows import Closing, TaskState
from mainspring_schema.frames import Held, Verdict


class PlainAdded(Struct, frozen=True, kw_only=True):
    """Tasks of a batch that did not go the usual way; all others were inserted as asked.

    `known` were there already with the same payload, `differing` with another one or of another
    organization, `invalid` broke a rule of the tables. `unclaimed` were inserted, but are ready:
    the stream they were meant for is not its worker's newest.
    """

    known: frozenset[UUID] = frozenset()
    differing: frozenset[UUID] = frozenset()
    invalid: frozenset[UUID] = frozenset()
    unclaimed: frozenset[UUID] = frozenset()

    @property
    def absent(self) -> bool:
        """Whether any was not inserted."""
        return bool(self.known or self.differing or self.invalid)


class PlainRow(Struct, frozen=True, kw_only=True):
    """A plain task as it lies. `state` is None once it ended.

    `body` is the packed result then, None where that is null; `closing` is of its newest closed
    attempt. `cancelled` is why it was cancelled; None where it was not.
    """

    step: str
    state: TaskState | None
    failures: int
    body: bytes | None
    closing: Closing | None
    cancelled: str | None = None


class PlainCancel(Struct, frozen=True, kw_only=True):
    """The end of an open task, whoever is at work on it."""

    org_id: UUID
    task_id: UUID
    reason: str


class Cancelled(Struct, frozen=True, kw_only=True):
    """A task that a cancel ended; `held` is the attempt that it ended with it, at a worker."""

    task_id: UUID
    held: Held | None


class PlainRows(Protocol):
    """See the module."""

    async def submit(self, tasks: tuple[NewPlain, ...]) -> PlainAdded:
        """One statement. The ids of one call differ."""
        ...

    async def end(self, ends: tuple[PlainEnd, ...]) -> tuple[Verdict, ...]:
        """One statement. COMMITTED, DUPLICATE, STALE or INVALID, in their order."""
        ...

    async def cancel(self, cancels: tuple[PlainCancel, ...]) -> tuple[Cancelled, ...]:
        """One statement. Those that it ended; what is absent was not open, or not theirs."""
        ...

    async def time_out(self, task_ids: tuple[UUID, ...]) -> tuple[UUID, ...]:
        """One statement. Ends those that no worker has taken, and says which; forgets the bounds.

        They fail with NOT_BEGUN, by an attempt that was nobody's.
        """
        ...

    async def get(self, org_id: UUID, task_id: UUID) -> PlainRow | None: ...

    async def times(self, attempts: tuple[Held, ...]) -> dict[Held, tuple[int, int]]:
        """When these were claimed and closed, in ms; those that are not closed are absent."""
        ...

    async def payloads(self, task_ids: tuple[UUID, ...]) -> dict[tuple[UUID, UUID], bytes]:
        """What plain tasks were made with, by organization and id."""
        ...
