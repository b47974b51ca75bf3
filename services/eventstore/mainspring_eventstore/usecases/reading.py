"""Reads the log in position order, and the heads."""

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from mainspring_eventstore.domain import limits as bounds
from mainspring_eventstore.ports.log import Epoch, LogStore, Page, PageQuery
from mainspring_kernel import limits
from mainspring_kernel.errors import ValidationFailed
from mainspring_kernel.ids import Position


class Read(Struct, frozen=True, kw_only=True):
    """`after` None starts at the first event of the group that began the newest turn.

    `limit` 0 means the most a page may hold.
    """

    session_id: UUID
    org_id: UUID
    after: Position | None = None
    limit: int = 0
    events_only: bool = False


async def read(store: LogStore, wanted: Read) -> Page | None:
    """One complete page; None for an unknown session."""
    limit = wanted.limit or limits.READ_ROWS_MAX
    return await store.read(
        PageQuery(
            session_id=wanted.session_id,
            org_id=wanted.org_id,
            after=wanted.after,
            rows_max=min(limit, limits.READ_ROWS_MAX),
            bytes_max=bounds.READ_BYTES_MAX,
            events_only=wanted.events_only,
        )
    )


async def heads(store: LogStore, sessions: Sequence[UUID]) -> Epoch:
    """The heads in the order asked. Raises ValidationFailed for too many at once."""
    if len(sessions) > limits.HEADS_PER_CALL_MAX:
        message = f"at most {limits.HEADS_PER_CALL_MAX} sessions at once"
        raise ValidationFailed(message)
    return await store.heads(sessions)
