"""The session log as the use cases need it; Postgres and memory implement it alike.

Every operation raises `Unavailable` where the store cannot be reached. Sessions of another
organization answer like unknown ones.
"""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from mainspring_eventstore.domain.audit import ChainRow
from mainspring_eventstore.domain.matching import Columns
from mainspring_kernel.ids import Position
from mainspring_schema.events import StoredDelta, StoredEvent
from mainspring_schema.grants import DeltaAnswer, DeltaAppend, SessionStatus


class Appended(Struct, frozen=True, kw_only=True):
    """The answer to one delta. `org_id` is None where the session is unknown."""

    answer: DeltaAnswer
    org_id: UUID | None


class HeadView(Struct, frozen=True, kw_only=True):
    """What followers of a session need of its head. `updated_ms` is the newest event's time."""

    session_id: UUID
    org_id: UUID
    seq: int
    n: int
    hash: bytes
    status: SessionStatus
    paused: bool
    closed: bool
    turn_first_seq: int
    updated_ms: int


class Page(Struct, frozen=True, kw_only=True):
    """Rows after a cursor and the head they were read with, in one snapshot.

    Complete: between the cursor and the last row nothing is missing, `more` rows follow. Deltas
    that retention dropped count as never streamed.
    """

    head: HeadView
    events: tuple[StoredEvent, ...]
    deltas: tuple[StoredDelta, ...]
    more: bool


class PageQuery(Struct, frozen=True, kw_only=True):
    """`after` is exclusive; None starts at the first event of the group that began the newest turn.

    A page holds at most `rows_max` rows and `bytes_max` bytes, but at least one row.
    """

    session_id: UUID
    org_id: UUID
    after: Position | None
    rows_max: int
    bytes_max: int
    events_only: bool = False


class Segment(Struct, frozen=True, kw_only=True):
    """A part of a log that one session appended: `first_seq` to `last_seq`, after `parent_hash`."""

    session_id: UUID
    first_seq: int
    last_seq: int
    parent_hash: bytes


class Lineage(Struct, frozen=True, kw_only=True):
    """A head with the segments of its log, oldest first: one unless the session is a fork."""

    head: HeadView
    segments: tuple[Segment, ...]


class Epoch(Struct, frozen=True, kw_only=True):
    """The store's epoch and, at the index of each session asked for, its head or None."""

    epoch: int
    heads: tuple[HeadView | None, ...]


class Ahead(Struct, frozen=True, kw_only=True):
    """How far partitions reach. `horizon_ms` was their end before `made` of them were made."""

    horizon_ms: int
    now_ms: int
    made: int


class Dropped(Struct, frozen=True, kw_only=True):
    """Deltas that one pass dropped. `more`: it reached a bound."""

    dropped: int
    more: bool


class LogStore(Protocol):
    """See the module."""

    async def append_deltas(self, items: Sequence[DeltaAppend]) -> tuple[Appended, ...]:
        """One transaction over many streams; the answers follow the order of the items."""
        ...

    async def read(self, query: PageQuery) -> Page | None:
        """None for an unknown session."""
        ...

    async def list_events(
        self, session_id: UUID, org_id: UUID, columns: Columns, *, limit: int, newest: bool
    ) -> tuple[StoredEvent, ...]:
        """Ascending: the oldest matching events, or where `newest`, the newest ones."""
        ...

    async def count_events(self, session_id: UUID, org_id: UUID, columns: Columns) -> int:
        """How many events match."""
        ...

    async def heads(self, sessions: Sequence[UUID]) -> Epoch:
        """The heads at one moment, in the order asked."""
        ...

    async def lineage(self, session_id: UUID) -> Lineage | None:
        """None for an unknown session."""
        ...

    async def chain(
        self, session_id: UUID, *, first_seq: int, last_seq: int, limit: int
    ) -> tuple[ChainRow, ...]:
        """Events that this session itself appended, both ends included, ascending."""
        ...

    async def make_partitions(self) -> Ahead:
        """Makes what is missing of the partitions until two weeks ahead."""
        ...

    async def drop_deltas(self) -> Dropped:
        """One bounded pass over what nobody can ask for, behind where the one before stood."""
        ...

    async def drop_partitions(self) -> int:
        """Drops empty ones that nobody can write into again; how many."""
        ...

    async def ping(self) -> None:
        """Raises Unavailable where the store does not answer."""
        ...
