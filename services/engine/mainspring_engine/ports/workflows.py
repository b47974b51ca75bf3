"""What is stored of users' workflows beside the rows of a flight: read without a lock."""

from typing import Protocol
from uuid import UUID

from msgspec import Struct

from mainspring_engine.domain.rows import Waiting, WaitRow, Workflow
from mainspring_schema.workflows import Status


class KnownStart(Struct, frozen=True, kw_only=True):
    """The workflow that a key started before, and the hash of what it was started with."""

    workflow_id: UUID
    hash: bytes


class RecordedPage(Struct, frozen=True, kw_only=True):
    """Packed `StepRecord`s in the order of their places."""

    bodies: tuple[bytes, ...]
    more: bool = False


class WorkflowRow(Struct, frozen=True, kw_only=True):
    """A workflow with what people ask of it. `outcome_body` is the packed result, once it ended."""

    workflow: Workflow
    type: str
    key: str
    queue: str
    outcome_body: bytes | None = None
    waits: tuple[WaitRow, ...] = ()


class WorkflowFilter(Struct, frozen=True, kw_only=True):
    org_id: UUID
    type: str | None = None
    status: Status | None = None
    before: UUID | None = None
    limit: int = 20
    key: str | None = None
    """Whole; of an organization one workflow has it at most."""


class ForkExtent(Struct, frozen=True, kw_only=True):
    """`steps` stand before the place that was asked for; `recorded`: it has its own record."""

    steps: int
    recorded: bool


class UntakenSignal(Struct, frozen=True, kw_only=True):
    """A signal of a parent or a child that its session has not taken yet, brought so often."""

    session_id: UUID
    org_id: UUID
    source: UUID
    kind: str
    tries: int


class WorkflowRows(Protocol):
    """Raises `Unavailable` like the store it belongs to."""

    async def waiting(self, workflows: tuple[UUID, ...]) -> dict[UUID, Waiting]:
        """What workflows wait for, and the signals that nothing took; none is absent.

        What a signal says is left out above SIGNAL_READ_BYTES_MAX.
        """
        ...

    async def said(
        self, session_id: UUID, signals: tuple[tuple[UUID, str], ...]
    ) -> dict[tuple[UUID, str], bytes]:
        """What these say, by source and kind, taken or not; one that never came is absent."""
        ...

    async def untaken(self, *, older_than_ms: int, limit: int) -> tuple[UntakenSignal, ...]:
        """Signals between sessions that lie so long already, oldest first, each counted as tried.

        One comes again after twice the time, at most SIGNAL_RETRY_MS_MAX; after SIGNAL_TRIES_MAX
        another SIGNAL_LOST_TOLD_MAX times, and then no more.
        """
        ...

    async def signal_body(self, session_id: UUID, source: UUID, *, kind: str) -> bytes | None:
        """What the signal of this id said, taken or not; None where none came."""
        ...

    async def recorded(self, workflow_id: UUID, *, after: str) -> RecordedPage:
        """A page of recorded steps, bounded in rows and bytes."""
        ...

    async def recorded_at(self, workflow_id: UUID, places: tuple[str, ...]) -> RecordedPage:
        """The same of what is recorded at these places alone, first places first."""
        ...

    async def fork_extent(self, workflow_id: UUID, *, bound: str, limit: int) -> ForkExtent:
        """What a fork would copy, up to `Fork.bound`. Counts no further than `limit`."""
        ...

    async def get(self, org_id: UUID, workflow_id: UUID) -> WorkflowRow | None: ...

    async def list(self, wanted: WorkflowFilter) -> tuple[WorkflowRow, ...]:
        """Newest first, without waits, and with the outcomes of those alone that failed."""
        ...
