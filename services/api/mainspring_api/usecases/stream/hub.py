"""All open streams of this process: followers, heartbeats, the comparison of heads, the limits."""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence

from mainspring_api.domain.frames import Framer
from mainspring_api.domain.limits import (
    HEADS_SWEEP_S,
    SSE_CYCLE_JITTER,
    SSE_CYCLE_S,
    SSE_STREAMS_MAX,
    SSE_STREAMS_PER_ORG_MAX,
    SSE_STREAMS_PER_SESSION_MAX,
)
from mainspring_api.ports.feed import Feed
from mainspring_api.ports.log import Log
from mainspring_api.usecases.stream.follower import Follower
from mainspring_api.usecases.stream.subscriber import Subscriber
from mainspring_kernel.clock import Clock
from mainspring_kernel.draws import Draws
from mainspring_kernel.errors import TooManyRequests, Unavailable
from mainspring_kernel.ids import OrgId, SessionId
from mainspring_kernel.limits import HEADS_PER_CALL_MAX
from mainspring_kernel.passes import one_pass

_log = logging.getLogger(__name__)


class Hub:
    """Make it once per process; `run` is its loop, `drain` tells all clients to come again."""

    def __init__(
        self, log: Log, feed: Feed, clock: Clock, draws: Draws, streams_max: int = SSE_STREAMS_MAX
    ) -> None:
        self.log = log
        self.clock = clock
        self.draws = draws
        self.feed = feed
        self.streams_max = streams_max
        self._followers: dict[SessionId, Follower] = {}
        self._starting: dict[SessionId, asyncio.Task[None]] = {}
        self._per_org: Counter[OrgId] = Counter()
        self._draining = False
        self._epoch: int | None = None

    @property
    def streams(self) -> int:
        return self._per_org.total()

    # ── joining and leaving ─────────────────────────────────────────────────────────────────

    async def join(self, session_id: SessionId, org_id: OrgId) -> tuple[Follower, Subscriber]:
        """Subscribed before it returns, so that nothing is missed between history and tail.

        Raises TooManyRequests over a limit, Unavailable while the process drains.
        """
        self._check_limits(session_id, org_id)
        now = self.clock.mono()
        cycle_s = SSE_CYCLE_S * (1 + SSE_CYCLE_JITTER * (self.draws.unit() - 0.5))
        subscriber = Subscriber(now=now, cycle_at=now + cycle_s)
        self._per_org[org_id] += 1
        try:
            epoch = await self.log.epoch()
            follower = self._followers.get(session_id)
            if follower is None:
                follower = Follower(session_id, org_id, self.log, Framer(session_id, epoch))
                self._followers[session_id] = follower
                self._starting[session_id] = asyncio.create_task(follower.start(self.feed))
            follower.subscribers.add(subscriber)
            starting = self._starting.get(session_id)
            if starting is not None:
                await asyncio.shield(starting)
                self._starting.pop(session_id, None)
        except BaseException:
            await self.leave(session_id, org_id, subscriber)
            raise
        return follower, subscriber

    async def leave(self, session_id: SessionId, org_id: OrgId, subscriber: Subscriber) -> None:
        self._per_org[org_id] -= 1
        follower = self._followers.get(session_id)
        if follower is None:
            return
        follower.subscribers.discard(subscriber)
        if not follower.subscribers:
            del self._followers[session_id]
            starting = self._starting.pop(session_id, None)
            if starting is not None:
                await asyncio.wait({starting})
            await follower.stop()

    def _check_limits(self, session_id: SessionId, org_id: OrgId) -> None:
        if self._draining:
            msg = "this server is going away; another one answers"
            raise Unavailable(msg)
        follower = self._followers.get(session_id)
        if follower is not None and len(follower.subscribers) >= SSE_STREAMS_PER_SESSION_MAX:
            message = f"at most {SSE_STREAMS_PER_SESSION_MAX} streams per session"
            raise TooManyRequests(message, retry_after_s=5)
        if self._per_org[org_id] >= SSE_STREAMS_PER_ORG_MAX:
            message = f"at most {SSE_STREAMS_PER_ORG_MAX} streams per organization"
            raise TooManyRequests(message, retry_after_s=5)
        if self.streams >= self.streams_max:
            message = f"at most {self.streams_max} streams at this server"
            raise TooManyRequests(message, retry_after_s=5)

    # ── the loop ────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Until cancelled: once a second heartbeats and cycles, and the comparison of heads."""
        while True:
            await self.clock.sleep(HEADS_SWEEP_S)
            self.tick()
            with one_pass(_log, "the comparison of heads"):
                await self.sweep()

    def tick(self) -> None:
        now = self.clock.mono()
        for follower in self._followers.values():
            for subscriber in follower.subscribers:
                subscriber.tick(now)

    async def sweep(self) -> None:
        """One call for all sessions that are followed here finds what the bus lost."""
        followed: Sequence[SessionId] = list(self._followers)
        for start in range(0, len(followed), HEADS_PER_CALL_MAX):
            heads = await self.log.heads(followed[start : start + HEADS_PER_CALL_MAX])
            for head in heads.values():
                follower = self._followers.get(SessionId(head.session_id))
                if follower is not None:
                    follower.compare(head)
        if followed:
            await self._watch_epoch()

    async def _watch_epoch(self) -> None:
        epoch = await self.log.epoch()
        for follower in self._followers.values():
            if follower.framer.epoch != epoch:
                follower.resynchronise()

    def drain(self) -> None:
        """Every stream ends with `disconnecting`; its client resumes at another process."""
        self._draining = True
        for follower in self._followers.values():
            for subscriber in follower.subscribers:
                subscriber.end("server_maintenance")
