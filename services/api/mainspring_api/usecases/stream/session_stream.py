"""One client's stream: history from its cursor, then the live tail, until one side ends it."""

from collections.abc import AsyncGenerator, Awaitable, Callable

from msgspec import Struct

from mainspring_api.domain import frames
from mainspring_api.domain.cursor import Resume, check_reach, position_of
from mainspring_api.domain.frames import Frame, Framer
from mainspring_api.domain.limits import (
    SSE_ALLOWED_S,
    SSE_CYCLE_RETRY_MS,
    SSE_READ_ROWS,
    SSE_RETRY_MS,
    SSE_RETRY_SPREAD_MS,
)
from mainspring_api.ports.log import Page
from mainspring_api.usecases.stream.beginnings import learn_beginning
from mainspring_api.usecases.stream.follower import Follower, in_order
from mainspring_api.usecases.stream.hub import Hub
from mainspring_api.usecases.stream.subscriber import Subscriber
from mainspring_kernel.errors import MainspringError, NotFound, PermissionDenied, Unauthenticated
from mainspring_kernel.ids import OrgId, Position, SessionId
from mainspring_schema.events import StoredDelta


class Opening(Struct, frozen=True, kw_only=True):
    """What a client asks for. `types` keeps, then `exclude` drops; empty sets do nothing.

    `ends` are types behind which nothing comes: the stream ends with such an event. Without
    `accumulated` a fragment comes without the text before it. `allowed` raises where the client may
    not read any more; it is asked again before more is shown, at most every `SSE_ALLOWED_S`.
    """

    session_id: SessionId
    org_id: OrgId
    resume: Resume | None = None
    types: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()
    ends: frozenset[str] = frozenset()
    accumulated: bool = True
    allowed: Callable[[], Awaitable[None]] | None = None

    def shows(self, type_: str) -> bool:
        if self.types and type_ not in self.types:
            return False
        return type_ not in self.exclude


async def open_stream(hub: Hub, opening: Opening) -> "SessionStream":
    """The first reading is done here, so that errors still become a status.

    Raises NotFound, CursorMismatch, TooManyRequests, Unavailable.
    """
    follower, subscriber = await hub.join(opening.session_id, opening.org_id)
    try:
        stream = SessionStream(hub, opening, follower, subscriber)
        await stream.begin()
    except BaseException:
        await hub.leave(opening.session_id, opening.org_id, subscriber)
        raise
    return stream


class SessionStream:
    """`chunks` gives the bytes; `close` must be called once, whoever ended it."""

    def __init__(
        self, hub: Hub, opening: Opening, follower: Follower, subscriber: Subscriber
    ) -> None:
        self._hub = hub
        self._opening = opening
        self._follower = follower
        self._subscriber = subscriber
        # Deltas of the past are accumulated apart: the follower's text is that of the tail.
        self._framer = Framer(opening.session_id, follower.framer.epoch)
        self._position: Position | None = None
        self._resync = False
        self._first: Page | None = None
        self._ended = False
        self._ask_at = hub.clock.mono() + SSE_ALLOWED_S

    async def begin(self) -> None:
        """The first reading. Raises NotFound, CursorMismatch, Unavailable."""
        resume = self._opening.resume
        page = await self._read(resume.position if resume else None)
        if page.head.closed:
            raise NotFound
        if resume is not None:
            epoch = self._framer.epoch
            self._resync = not check_reach(resume, epoch=epoch, head=page.head.position)
            if self._resync:
                page = await self._read(None)
            else:
                self._position = resume.position
        self._first = page

    @property
    def shows_nothing(self) -> bool:
        """Whether nothing of what there was at the beginning is to be shown."""
        page = self._first
        if page is None or page.more or page.deltas:
            return False
        return not any(self._opening.shows(event.type) for event in page.events)

    async def close(self) -> None:
        opening = self._opening
        await self._hub.leave(opening.session_id, opening.org_id, self._subscriber)

    def disconnected(self) -> None:
        """The client went away."""
        self._subscriber.close()

    # ── bytes ───────────────────────────────────────────────────────────────────────────────

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Ends with `disconnecting` where the client shall come again, plainly otherwise."""
        spread = int(SSE_RETRY_SPREAD_MS * self._hub.draws.unit())
        yield frames.connected(SSE_RETRY_MS + spread)
        try:
            async for chunk in self._history():
                await self._check_allowed()
                yield chunk
            async for chunk in self._live():
                if chunk is not frames.HEARTBEAT:
                    await self._check_allowed()
                yield chunk
        except NotFound:
            return
        except (Unauthenticated, PermissionDenied) as error:
            self._subscriber.end(error.code)
        except MainspringError:
            # Whatever is away, the client comes again with its cursor and misses nothing.
            self._subscriber.end("unavailable")
        if self._subscriber.ending is not None:
            yield frames.disconnecting(self._subscriber.ending, SSE_CYCLE_RETRY_MS + spread)

    async def _check_allowed(self) -> None:
        """Raises what the client is to be told."""
        now_s = self._hub.clock.mono()
        if self._opening.allowed is not None and now_s >= self._ask_at:
            await self._opening.allowed()
            self._ask_at = now_s + SSE_ALLOWED_S

    async def _history(self) -> AsyncGenerator[bytes]:
        page, self._first = self._first, None
        while True:
            if page is None:
                page = await self._read(self._position)
            chunk = await self._page_bytes(page)
            if chunk:
                yield chunk
            if self._position is None:
                self._position = page.head.position
            if self._ended or self._subscriber.ending is not None:
                return
            if not page.more:
                # Another subscriber may have read further and set the tail: then read on to it.
                tail = self._follower.establish(self._position, self._framer)
                if self._position >= tail:
                    return
            page = None

    async def _live(self) -> AsyncGenerator[bytes]:
        subscriber = self._subscriber
        while not self._ended:
            await subscriber.wait()
            if subscriber.behind:
                # From here on the tail queues again; what comes before it is read now.
                subscriber.behind = False
                async for chunk in self._history():
                    yield chunk
            chunk = self._queued_bytes()
            if subscriber.heartbeat_due and not chunk:
                chunk = frames.HEARTBEAT
            if chunk:
                subscriber.wrote(self._hub.clock.mono())
                yield chunk
            if subscriber.closed or subscriber.ending is not None:
                return

    def _queued_bytes(self) -> bytes:
        parts: list[bytes] = []
        for frame in self._subscriber.take():
            if self._position is not None and frame.position <= self._position:
                continue
            self._position = frame.position
            self._notice(frame, parts)
        return b"".join(parts)

    def _notice(self, frame: Frame, parts: list[bytes]) -> None:
        if self._opening.shows(frame.type):
            fragment = None if self._opening.accumulated else frame.fragment
            parts.append(frame.data if fragment is None else self._framer.alone(fragment).data)
        self._ended = self._ended or frame.type in self._opening.ends

    # ── history ─────────────────────────────────────────────────────────────────────────────

    async def _read(self, after: Position | None) -> Page:
        return await self._hub.log.read(
            self._opening.session_id, self._opening.org_id, after=after, limit=SSE_READ_ROWS
        )

    async def _page_bytes(self, page: Page) -> bytes:
        parts: list[bytes] = []
        for item in in_order(page.events, page.deltas):
            if self._resync:
                self._resync = False
                parts.append(self._resync_bytes(item.seq, page))
            if isinstance(item, StoredDelta):
                frame = await self._delta_frame(item)
            else:
                frame = self._follower.framer.event(item)
                self._framer.notice(item)
            self._position = position_of(item)
            self._notice(frame, parts)
        return b"".join(parts)

    async def _delta_frame(self, delta: StoredDelta) -> Frame:
        if self._framer.lacks_beginning(delta):
            session, org = self._opening.session_id, self._opening.org_id
            await learn_beginning(self._hub.log, org, session, self._framer, delta)
        return self._framer.delta(delta)

    def _resync_bytes(self, seq: int, page: Page) -> bytes:
        first = page.events[0] if page.events else None
        deltas_before = first.deltas_before if first is not None and first.seq == seq else 0
        before = Position(seq - 1, deltas_before)
        return self._framer.resync(before, page.head.updated_ms).data
