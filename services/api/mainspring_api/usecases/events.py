"""Reads the log by filters."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence

from msgspec import Struct

from mainspring_api.domain.cursor import Resume, check_reach
from mainspring_api.ports.log import Listing, Log
from mainspring_api.ports.store import Store
from mainspring_kernel.errors import CursorMismatch, NotFound
from mainspring_kernel.ids import OrgId, Position, SessionId
from mainspring_kernel.limits import READ_ROWS_MAX
from mainspring_schema.events import StoredEvent
from mainspring_schema.listing import EventFilter

ERROR_TYPES = frozenset({"turn.failed"})


class Summary(Struct, frozen=True, kw_only=True):
    """What happened in a session, counted."""

    total: int
    turn_count: int
    error_count: int
    first_ms: int | None
    last_ms: int | None
    by_type: dict[str, int]


class EventWish(Struct, frozen=True, kw_only=True):
    """A filter, and the cursors it was made from."""

    filter: EventFilter
    cursors: tuple[Resume, ...] = ()


async def check_session(store: Store, org_id: OrgId, session_id: SessionId) -> None:
    """Raises NotFound unless the organization has this session: the log's lists do not tell."""
    if await store.basis(org_id, session_id) is None:
        msg = "no such session"
        raise NotFound(msg)


async def list_page(
    store: Store, log: Log, org_id: OrgId, session_id: SessionId, wish: EventWish
) -> Listing:
    """Raises NotFound, CursorMismatch."""
    await check_session(store, org_id, session_id)
    return await list_known(log, org_id, session_id, wish)


async def list_known(log: Log, org_id: OrgId, session_id: SessionId, wish: EventWish) -> Listing:
    """Of a session that is known to be the organization's.

    Raises CursorMismatch, and NotFound where a cursor is given and the session has no log.
    """
    if wish.cursors:
        await _check_cursors(log, session_id, wish.cursors)
    return await log.list(session_id, org_id, wish.filter)


async def _check_cursors(log: Log, session_id: SessionId, cursors: Sequence[Resume]) -> None:
    """As a stream would: the same cursor must not be nothing new here and a mistake there.

    A cursor of an older epoch is one too: a stream can say that it begins anew, a list cannot.
    """
    head = (await log.heads([session_id])).get(session_id)
    if head is None:
        raise NotFound
    epoch = await log.epoch()
    for cursor in cursors:
        if not check_reach(cursor, epoch=epoch, head=head.position):
            msg = "the cursor belongs to another store"
            raise CursorMismatch(msg)


async def event_pages(
    log: Log, org_id: OrgId, session_id: SessionId
) -> AsyncIterator[Sequence[StoredEvent]]:
    """From the first event on; pages of `read` are bounded in bytes too."""
    seq, more = 0, True
    while more:
        page = await log.read(
            session_id, org_id, after=Position(seq, 0), limit=READ_ROWS_MAX, events_only=True
        )
        if page.events:
            yield page.events
            seq = page.events[-1].seq
        more = page.more and bool(page.events)


async def summary(store: Store, log: Log, org_id: OrgId, session_id: SessionId) -> Summary:
    """Raises NotFound."""
    await check_session(store, org_id, session_id)
    counts: Counter[str] = Counter()
    first_ms: int | None = None
    last_ms: int | None = None
    async for events in event_pages(log, org_id, session_id):
        counts.update(event.type for event in events)
        first_ms = events[0].ts_ms if first_ms is None else first_ms
        last_ms = events[-1].ts_ms
    return Summary(
        total=counts.total(),
        turn_count=counts["turn.started"],
        error_count=sum(counts[type_] for type_ in ERROR_TYPES),
        first_ms=first_ms,
        last_ms=last_ms,
        by_type=dict(sorted(counts.items())),
    )
