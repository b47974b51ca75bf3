"""The session log, as the event store serves it."""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from mainspring_kernel.ids import OrgId, Position, SessionId
from mainspring_schema.events import StoredDelta, StoredEvent
from mainspring_schema.listing import EventFilter


class HeadView(Struct, frozen=True, kw_only=True):
    """What the head of a session says. `status` is one of the wire's four."""

    session_id: UUID
    seq: int
    n: int
    status: str
    paused: bool = False
    closed: bool = False
    turn_first_seq: int = 0
    updated_ms: int = 0

    @property
    def position(self) -> Position:
        """The newest position of the log."""
        return Position(self.seq, self.n)


class Page(Struct, frozen=True, kw_only=True):
    """Everything after a cursor, or its first part where `more`."""

    events: tuple[StoredEvent, ...]
    deltas: tuple[StoredDelta, ...]
    head: HeadView
    more: bool = False


class Listing(Struct, frozen=True, kw_only=True):
    """A filtered page; `total` counts what the filter finds without its page bounds."""

    events: tuple[StoredEvent, ...]
    total: int


class Verification(Struct, frozen=True, kw_only=True):
    """Whether the hash chain of a session holds, and from where on it does not."""

    events: int
    intact: bool
    broken_seq: int = 0
    reason: str = ""
    head_hash: bytes = b""


class Log(Protocol):
    """Reads only: the engine writes. Methods raise Unavailable while the event store is away."""

    async def read(
        self,
        session_id: SessionId,
        org_id: OrgId,
        *,
        after: Position | None,
        limit: int,
        events_only: bool = False,
    ) -> Page:
        """Events and deltas after a cursor; without one from the group of the newest turn.

        Raises NotFound for an unknown session or one of another organization.
        """
        ...

    async def list(self, session_id: SessionId, org_id: OrgId, filter_: EventFilter) -> Listing:
        """Events by filter; none for an unknown session or one of another organization."""
        ...

    async def heads(self, session_ids: Sequence[UUID]) -> Mapping[UUID, HeadView]:
        """The heads of those that exist."""
        ...

    async def epoch(self) -> int:
        """The store's epoch: asked once, then kept fresh by every `heads`."""
        ...

    async def verify(self, session_id: SessionId) -> Verification:
        """Recomputes the hash chain."""
        ...
