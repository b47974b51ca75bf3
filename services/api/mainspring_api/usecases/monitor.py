"""The live monitor of the engine: one look per interval, shared by all who watch.

Each look is complete, so a client that comes back needs only the newest one; the id says whether it
has seen that already. A slow client misses looks and never holds one back.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable

from msgspec import Struct

from mainspring_api.domain import frames
from mainspring_api.domain.limits import (
    MONITOR_LOOK_S,
    MONITOR_STREAMS_MAX,
    SSE_CYCLE_JITTER,
    SSE_CYCLE_S,
    SSE_HEARTBEAT_S,
    SSE_RETRY_MS,
    SSE_RETRY_SPREAD_MS,
)
from mainspring_kernel.clock import Clock
from mainspring_kernel.draws import Draws
from mainspring_kernel.errors import MainspringError, TooManyRequests, Unavailable

_log = logging.getLogger(__name__)


class Look(Struct, frozen=True):
    """`id` rises with time; `data` is the JSON of what was seen."""

    id: str
    data: bytes

    def frame(self) -> bytes:
        return b"event: snapshot\nid: %s\ndata: %s\n\n" % (self.id.encode(), self.data)


class Monitor:
    """One per process. It looks only while somebody watches; `drain` ends all streams."""

    def __init__(self, look: Callable[[], Awaitable[Look]], clock: Clock, draws: Draws) -> None:
        self._look = look
        self.clock = clock
        self.draws = draws
        self._watchers: set[MonitorStream] = set()
        self._looking: asyncio.Task[None] | None = None
        self._first: asyncio.Future[Look] | None = None
        self._draining = False

    async def open(
        self, *, last_id: str = "", allowed: Callable[[], Awaitable[None]]
    ) -> "MonitorStream":
        """Returns once there is something to see.

        `allowed` raises where the client may not watch; it is asked again before each look is
        shown. Raises what the first look raises, TooManyRequests, Unavailable.
        """
        if self._draining:
            msg = "this server is going away; another one answers"
            raise Unavailable(msg)
        if len(self._watchers) >= MONITOR_STREAMS_MAX:
            message = f"at most {MONITOR_STREAMS_MAX} streams watch the engine"
            raise TooManyRequests(message, retry_after_s=5)
        stream = MonitorStream(self, last_id, allowed)
        self._watchers.add(stream)
        try:
            if self._first is None:
                self._first = asyncio.get_running_loop().create_future()
                self._looking = asyncio.create_task(self._look_on(self._first))
            stream.show(await asyncio.shield(self._first))
        except BaseException:
            self.leave(stream)
            raise
        return stream

    def leave(self, stream: "MonitorStream") -> None:
        """The last one to leave ends the looks."""
        self._watchers.discard(stream)
        if not self._watchers and self._looking is not None:
            self._looking.cancel()
            self._looking = self._first = None

    def drain(self) -> None:
        """Every stream ends with `disconnecting`; its client comes again at another process."""
        self._draining = True
        for stream in self._watchers:
            stream.end("server_maintenance")

    async def _look_on(self, first: "asyncio.Future[Look]") -> None:
        try:
            first.set_result(await self._looked())
        except MainspringError as error:
            first.set_exception(error)
            first.exception()  # whoever asked is told; nobody may be left to ask
            self._looking = self._first = None
            return
        while True:
            await self.clock.sleep(MONITOR_LOOK_S)
            try:
                look = await self._looked()
            except MainspringError:
                # The clients come again; the first look of theirs says what is wrong.
                self._end_all("unavailable")
                self._looking = self._first = None
                return
            # Who joins later sees the newest at once.
            self._first = asyncio.get_running_loop().create_future()
            self._first.set_result(look)
            for stream in tuple(self._watchers):
                stream.show(look)

    async def _looked(self) -> Look:
        """Raises errors of the house alone: another one would end the loop with nobody told."""
        try:
            return await self._look()
        except MainspringError:
            raise
        except Exception as fault:
            _log.exception("a look at the engine failed")
            msg = "what the engine says cannot be read"
            raise Unavailable(msg) from fault

    def _end_all(self, reason: str) -> None:
        for stream in self._watchers:
            stream.end(reason)


class MonitorStream:
    """One client's. `chunks` gives the bytes; `close` must be called once, whoever ended it."""

    def __init__(
        self, monitor: Monitor, last_id: str, allowed: Callable[[], Awaitable[None]]
    ) -> None:
        now = monitor.clock.mono()
        self._monitor = monitor
        self._allowed = allowed
        self._seen = last_id
        self._newest: Look | None = None
        self._wake = asyncio.Event()
        self._ending: str | None = None
        self._gone = False
        jitter = 1 + SSE_CYCLE_JITTER * (monitor.draws.unit() - 0.5)
        self._cycle_at = now + SSE_CYCLE_S * jitter
        self._wrote_at = now

    def show(self, look: Look) -> None:
        """Replaces what was not sent yet."""
        self._newest = look
        if self._monitor.clock.mono() >= self._cycle_at:
            self.end("connection_cycle")
        self._wake.set()

    def end(self, reason: str) -> None:
        self._ending = self._ending or reason
        self._wake.set()

    def disconnected(self) -> None:
        """The client went away."""
        self._gone = True
        self._wake.set()

    async def close(self) -> None:
        self._monitor.leave(self)

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Ends with `disconnecting`, which says why; the client comes again, if it may."""
        retry_ms = SSE_RETRY_MS + int(SSE_RETRY_SPREAD_MS * self._monitor.draws.unit())
        yield frames.connected(retry_ms)
        while not self._gone:
            await self._wake.wait()
            self._wake.clear()
            if self._gone or self._ending is not None:
                break
            try:
                await self._allowed()
            except MainspringError as error:
                self._ending = error.code
                break
            chunk = self._due()
            if chunk:
                self._wrote_at = self._monitor.clock.mono()
                yield chunk
        if self._ending is not None:
            yield frames.disconnecting(self._ending, retry_ms)

    def _due(self) -> bytes:
        """The newest look, unless the client has it."""
        look, self._newest = self._newest, None
        if look is not None and look.id != self._seen:
            self._seen = look.id
            return look.frame()
        quiet_s = self._monitor.clock.mono() - self._wrote_at
        return frames.HEARTBEAT if quiet_s >= SSE_HEARTBEAT_S else b""
