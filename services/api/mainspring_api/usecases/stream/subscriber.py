"""One client's place at a follower: a bounded queue, and a signal that something is in it."""

import asyncio
from collections import deque

from mainspring_api.domain.frames import Frame
from mainspring_api.domain.limits import SSE_HEARTBEAT_S, SSE_QUEUE_FRAMES_MAX


class Subscriber:
    """Written by the follower and the ticker, read by the one stream that owns it.

    On overflow the queue is emptied and `behind` is set: the stream then reads from its own cursor.
    """

    def __init__(self, *, now: float, cycle_at: float) -> None:
        self._queue: deque[Frame] = deque()
        self._wake = asyncio.Event()
        self._cycle_at = cycle_at
        self._heartbeat_at = now + SSE_HEARTBEAT_S
        self.heartbeat_due = False
        self.behind = False
        self.ending: str | None = None
        """Why the server ends the stream; clients are told and come again."""
        self.closed = False
        """The session is gone: the stream ends after what is queued."""

    def push(self, frame: Frame) -> None:
        if self.behind:
            return
        if len(self._queue) >= SSE_QUEUE_FRAMES_MAX:
            self._queue.clear()
            self.behind = True
        else:
            self._queue.append(frame)
        self._wake.set()

    def tick(self, now: float) -> None:
        """Called about once a second by the hub's one ticker, instead of a timer per stream."""
        if now >= self._cycle_at:
            self.end("connection_cycle")
        elif now >= self._heartbeat_at:
            self.heartbeat_due = True
            self._wake.set()

    def wrote(self, now: float) -> None:
        self._heartbeat_at = now + SSE_HEARTBEAT_S
        self.heartbeat_due = False

    def end(self, reason: str) -> None:
        self.ending = self.ending or reason
        self._wake.set()

    def close(self) -> None:
        self.closed = True
        self._wake.set()

    def take(self) -> list[Frame]:
        """All that is queued, and sleeps no more until the next push."""
        frames = list(self._queue)
        self._queue.clear()
        self._wake.clear()
        return frames

    async def wait(self) -> None:
        await self._wake.wait()
