"""The session log as a worker sees it: fragments in, history out."""

from typing import Protocol
from uuid import UUID

from msgspec import Struct

from mainspring_kernel.ids import Position
from mainspring_schema.events import StoredDelta, StoredEvent
from mainspring_workstream.flights import DeltaLog


class LogPage(Struct, frozen=True, kw_only=True):
    """Rows after a cursor, in position order."""

    events: tuple[StoredEvent, ...] = ()
    deltas: tuple[StoredDelta, ...] = ()
    more: bool = False


class EventLog(DeltaLog, Protocol):
    """Appends and reads. Raises Unavailable or DeadlineExceeded where asking again may help."""

    async def read(
        self, session_id: UUID, org_id: UUID, *, after: Position, events_only: bool
    ) -> LogPage:
        """What stands after a position, as much as one answer may hold."""
        ...
