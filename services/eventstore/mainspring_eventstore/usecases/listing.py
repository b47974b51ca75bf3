"""Lists events by filters; `total` counts all matches, whatever page was asked for."""

from collections import deque
from uuid import UUID

from msgspec import Struct, structs

from mainspring_eventstore.domain import limits as bounds
from mainspring_eventstore.domain import matching
from mainspring_eventstore.domain.matching import Columns
from mainspring_eventstore.domain.pages import bytes_of
from mainspring_eventstore.ports.log import LogStore
from mainspring_kernel import limits
from mainspring_schema.events import StoredEvent
from mainspring_schema.listing import EventFilter


class Listed(Struct, frozen=True, kw_only=True):
    """`total` leaves `after_seq`, `before_seq`, `around` and `limit` out of account.

    Where nobody wants it counted it is how many events came.
    """

    events: tuple[StoredEvent, ...]
    total: int


class Window(Struct, frozen=True, kw_only=True):
    """A stretch of the matching events: its oldest `limit`, or its newest."""

    after_seq: int
    before_seq: int | None
    limit: int
    newest: bool

    def on(self, columns: Columns) -> Columns:
        return structs.replace(columns, after_seq=self.after_seq, before_seq=self.before_seq)


async def list_events(
    store: LogStore, session_id: UUID, org_id: UUID, wanted: EventFilter
) -> Listed:
    """Nothing, and a total of 0, for an unknown session.

    A page that would be too large for an answer is cut at its far end, away from the cursor.
    """
    columns = matching.columns_of(wanted)
    windows = _windows(wanted)
    if matching.reads_payload(wanted):
        listed = await _scan(store, session_id, org_id, wanted, windows)
    else:
        events: list[StoredEvent] = []
        for window in windows:
            events += await store.list_events(
                session_id, org_id, window.on(columns), limit=window.limit, newest=window.newest
            )
        total = len(events)
        if wanted.counted:
            total = await store.count_events(session_id, org_id, columns)
        listed = Listed(events=tuple(events), total=total)
    kept = _within_bytes(listed.events, newest=windows[0].newest and len(windows) == 1)
    return Listed(events=kept[::-1] if wanted.descending else kept, total=listed.total)


def _within_bytes(events: tuple[StoredEvent, ...], *, newest: bool) -> tuple[StoredEvent, ...]:
    left = bounds.READ_BYTES_MAX
    kept: list[StoredEvent] = []
    for event in reversed(events) if newest else events:
        left -= bytes_of(event)
        if kept and left < 0:
            break
        kept.append(event)
    return tuple(reversed(kept)) if newest else tuple(kept)


def _windows(wanted: EventFilter) -> tuple[Window, ...]:
    """In ascending order and without overlap. `around` takes `window` events on each side."""
    after = min(wanted.after_seq or 0, bounds.INT8_MAX - 1)
    before = None if wanted.before_seq is None else min(wanted.before_seq, bounds.INT8_MAX)
    if wanted.around is None:
        limit = max(1, min(wanted.limit, limits.PAGE_ROWS_MAX))
        newest = wanted.after_seq is None
        return (Window(after_seq=after, before_seq=before, limit=limit, newest=newest),)
    side = max(0, min(wanted.window, limits.EVENTS_AROUND_ROWS_MAX))
    around = min(wanted.around, bounds.INT8_MAX)
    until = around if before is None else min(before, around)
    since = max(after, around - 1)
    earlier = Window(after_seq=after, before_seq=until, limit=side, newest=True)
    later = Window(after_seq=since, before_seq=before, limit=side + 1, newest=False)
    return (earlier, later) if side else (later,)


async def _scan(
    store: LogStore,
    session_id: UUID,
    org_id: UUID,
    wanted: EventFilter,
    windows: tuple[Window, ...],
) -> Listed:
    """Looks at every candidate, because only its payload says whether it matches."""
    columns = matching.columns_of(wanted)
    taken = [Taken(window) for window in windows]
    total = 0
    while True:
        page = await store.list_events(
            session_id, org_id, columns, limit=bounds.SCAN_PAGE_ROWS, newest=False
        )
        for event in page:
            if not matching.fits_payload(event.payload, wanted):
                continue
            total += 1
            for one in taken:
                one.offer(event)
        if len(page) < bounds.SCAN_PAGE_ROWS:
            return Listed(events=tuple(event for one in taken for event in one.kept), total=total)
        columns = structs.replace(columns, after_seq=page[-1].seq)


class Taken:
    """What of the matching events a window holds, as far as one answer has room for it."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._left = bounds.READ_BYTES_MAX
        self.kept: deque[StoredEvent] = deque()

    def offer(self, event: StoredEvent) -> None:
        """The next one. Behind a cursor the first are kept, of the newest page the last."""
        if not _inside(event, self._window) or (not self._window.newest and self._is_full):
            return
        self.kept.append(event)
        self._left -= bytes_of(event)
        while self._window.newest and self._is_over:
            self._left += bytes_of(self.kept.popleft())

    @property
    def _is_full(self) -> bool:
        return len(self.kept) >= self._window.limit or self._left < 0

    @property
    def _is_over(self) -> bool:
        return len(self.kept) > self._window.limit or (self._left < 0 and len(self.kept) > 1)


def _inside(event: StoredEvent, window: Window) -> bool:
    return event.seq > window.after_seq and (
        window.before_seq is None or event.seq < window.before_seq
    )
