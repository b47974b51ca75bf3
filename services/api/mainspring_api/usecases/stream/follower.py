"""Follows the log of one session and feeds every subscriber in this process."""

import asyncio
import contextlib
import logging

from mainspring_api.domain.cursor import Next, StreamCursor, position_of
from mainspring_api.domain.frames import Frame, Framer
from mainspring_api.domain.limits import SSE_READ_ROWS
from mainspring_api.ports.feed import Feed, Subscription
from mainspring_api.ports.log import HeadView, Log, Page
from mainspring_api.usecases.stream.beginnings import learn_beginning
from mainspring_api.usecases.stream.subscriber import Subscriber
from mainspring_kernel.errors import MainspringError, NotFound
from mainspring_kernel.ids import OrgId, Position, SessionId
from mainspring_schema.events import StoredDelta, StoredEvent
from mainspring_schema.stream import LogBatch

_log = logging.getLogger(__name__)
Item = StoredEvent | StoredDelta


def in_order(events: tuple[StoredEvent, ...], deltas: tuple[StoredDelta, ...]) -> list[Item]:
    """Events and deltas are one total order by position."""
    if not deltas:
        return list(events)
    return sorted((*events, *deltas), key=position_of)


class Follower:
    """Has no cursor until its first subscriber has read up to the tail; until then it buffers."""

    def __init__(self, session_id: SessionId, org_id: OrgId, log: Log, framer: Framer) -> None:
        self.session_id = session_id
        self.org_id = org_id
        self.framer = framer
        self.subscribers: set[Subscriber] = set()
        self._log = log
        self._cursor: StreamCursor | None = None
        self._waiting: list[Item] = []
        self._reading: asyncio.Task[None] | None = None
        self._ended = False
        self._closing = False
        """Told of before anybody had read so far."""
        self._subscription: Subscription | None = None

    async def start(self, feed: Feed) -> None:
        self._subscription = await feed.subscribe(self.org_id, self.session_id, self.deliver)

    async def stop(self) -> None:
        if self._subscription is not None:
            await self._subscription.close()
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading

    # ── the tail ────────────────────────────────────────────────────────────────────────────

    def deliver(self, batch: LogBatch) -> None:
        """A copy of one commit from the bus."""
        if batch.epoch != self.framer.epoch:
            self.resynchronise()
            return
        items = in_order(batch.events, batch.deltas)
        if self._cursor is None or self._reading is not None:
            self._waiting.extend(items)
            if len(self._waiting) > SSE_READ_ROWS:
                # Whatever is dropped here leaves a gap, and a gap is read.
                del self._waiting[: -SSE_READ_ROWS // 2]
        else:
            self._offer_all(items)
        if batch.closed:
            self._closing = self._cursor is None
            self._read_on()

    def establish(self, position: Position, framer: Framer) -> Position:
        """A subscriber read up to `position`: the first one sets the tail. Returns where it is."""
        if self._cursor is None:
            self._cursor = StreamCursor(position)
            self.framer.adopt(framer)
            waiting, self._waiting = self._waiting, []
            self._offer_all(waiting)
            if self._closing:
                self._read_on()
            return position
        return self._cursor.position

    def compare(self, head: HeadView) -> None:
        """The sweep's look: what the head has and the tail has not was lost on the way."""
        behind = self._cursor is not None and head.position > self._cursor.position
        if behind or has_ended(head):
            self._read_on()

    def resynchronise(self) -> None:
        """The store is another one: its clients come again with the cursors they have."""
        for subscriber in self.subscribers:
            subscriber.end("epoch_changed")

    def _offer_all(self, items: list[Item]) -> None:
        for index, item in enumerate(items):
            if not self._offer(item):
                self._waiting.extend(items[index:])
                self._read_on()
                return

    def _offer(self, item: Item) -> bool:
        cursor = self._cursor
        if cursor is None:
            return False
        if (
            isinstance(item, StoredDelta)
            and position_of(item) > cursor.position
            and self.framer.lacks_beginning(item)
        ):
            return False
        match cursor.offer(item):
            case Next.DROP:
                pass
            case Next.GAP:
                return False
            case Next.TAKE:
                self._push(self.frame(item))
        return True

    def frame(self, item: Item) -> Frame:
        return self.framer.delta(item) if isinstance(item, StoredDelta) else self.framer.event(item)

    def _push(self, frame: Frame) -> None:
        for subscriber in self.subscribers:
            subscriber.push(frame)

    # ── reading over a gap ──────────────────────────────────────────────────────────────────

    def _read_on(self) -> None:
        """Nothing before the first subscriber has come: it reads what there is itself."""
        if self._cursor is not None and self._reading is None:
            self._reading = asyncio.create_task(self._read_to_head())

    async def _read_to_head(self) -> None:
        """One reading for all subscribers. If the store is away the next sweep tries again."""
        try:
            await self._read_pages()
        except NotFound:
            # Nothing will ever fill a gap any more.
            self._ended = True
            self._waiting.clear()
        except MainspringError as error:
            _log.info("a followed session could not be read: %s", error.detail)
            self._waiting.clear()
        finally:
            self._reading = None
        waiting, self._waiting = self._waiting, []
        self._offer_all(waiting)
        self._finish_if_ended()

    async def _read_pages(self) -> None:
        cursor = self._cursor
        more = cursor is not None
        while cursor is not None and more:
            page = await self._log.read(
                self.session_id, self.org_id, after=cursor.position, limit=SSE_READ_ROWS
            )
            await self._take_page(cursor, page)
            self._ended = has_ended(page.head)
            more = page.more

    async def _take_page(self, cursor: StreamCursor, page: Page) -> None:
        for item in in_order(page.events, page.deltas):
            if isinstance(item, StoredDelta) and self.framer.lacks_beginning(item):
                await learn_beginning(self._log, self.org_id, self.session_id, self.framer, item)
            cursor.advance(position_of(item))
            self._push(self.frame(item))

    def _finish_if_ended(self) -> None:
        if self._ended and self._cursor is not None and self._reading is None:
            for subscriber in self.subscribers:
                subscriber.close()


def has_ended(head: HeadView) -> bool:
    """A deleted session whose turn, if one was at work, has written its closing group."""
    return head.closed and head.status in {"idle", "started"}
