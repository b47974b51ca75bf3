"""Keeps one stream with an engine, whatever breaks, and runs the tasks that come over it.

One writer, one reader, two beaters and a look at the clock per stream. The writer has no timer: it
sends what there is as soon as there is something, and what comes up during a send rides the next
frame.
"""

import asyncio
import logging
import math
from typing import Final

from mainspring_kernel.backoff import RECONNECT, delay_s
from mainspring_kernel.clock import Clock, sleep_unless
from mainspring_kernel.draws import Draws
from mainspring_kernel.limits import (
    FIRST_BEAT_S,
    HEARTBEAT_IDLE_S,
    HEARTBEAT_JITTER,
    HEARTBEAT_S,
)
from mainspring_schema.frames import FromWorker
from mainspring_workstream.attempts import Attempts, Elsewhere, Steps
from mainspring_workstream.configs import Configs
from mainspring_workstream.core import WorkerCore
from mainspring_workstream.limits import (
    ATTACH_TIMEOUT_S,
    AWAKE_S,
    BEATS_PER_LEASE,
    DRAIN_ACK_S,
    DRAIN_HEARD_S,
    DRAIN_WORK_S,
    NO_ENGINE_TOLD_S,
    STEADY_S,
)
from mainspring_workstream.link import EngineLink, EngineStream, LinkBroken

_LOG: Final = logging.getLogger(__name__)


class Worker:
    """Runs until it is drained."""

    def __init__(self, *, core: WorkerCore, link: EngineLink, clock: Clock, draws: Draws) -> None:
        self._core = core
        self._link = link
        self._clock = clock
        self._draws = draws
        self._wake = asyncio.Event()
        self._drained = asyncio.Event()
        self._joined = asyncio.Event()
        self._given = asyncio.Event()
        self._beat_at = 0.0
        self._looks = (0.0, 0.0)
        """When this process last looked what had come, and the time before."""
        self._told_at = -math.inf
        self._attempts: Attempts | None = None
        self.configs = Configs(want=self._want_config, forget=core.drop_config)
        """Folded agents; the steps ask here."""

    async def run(self, steps: Steps, elsewhere: Elsewhere | None = None) -> None:
        """Returns once drained, with everything finished, handed back or given up."""
        self._attempts = attempts = Attempts(
            core=self._core,
            clock=self._clock,
            steps=steps,
            configs=self.configs,
            wake=self._wake.set,
            elsewhere=elsewhere,
        )
        try:
            await self._keep_streams(attempts)
            await attempts.abandon()
        finally:  # a service cancels it once it is drained
            await self._link.close()

    async def _keep_streams(self, attempts: Attempts) -> None:
        failures = 0
        while not self._drained.is_set():
            steady = await self._one_stream(attempts)
            self._notice_end()
            failures = 1 if steady else failures + 1
            if not self._drained.is_set():
                await sleep_unless(
                    self._clock, delay_s(RECONNECT, failures, self._draws.unit()), self._drained
                )

    async def drain(self) -> None:
        """No new tasks; waits for those that began, hands the others back, then lets `run` end.

        Never longer than DRAIN_WORK_S and DRAIN_ACK_S: what is not over after the first is handed
        back, or reported as unknown. An engine has DRAIN_HEARD_S to say that it knows.
        """
        self._core.drain()
        if self._attempts is None:
            self._drained.set()
            return
        self._attempts.drain(begun=False)
        self._wake.set()
        self._notice_end()
        deadline = self._clock.mono() + DRAIN_WORK_S
        if not await self._drained_by(self._clock.mono() + DRAIN_HEARD_S):
            self._core.expect_nothing()
            self._notice_end()
        if not await self._drained_by(deadline):
            _LOG.warning("drain deadline", extra={"open": len(self._attempts)})
            self._attempts.drain(begun=True)
            await self._drained_by(deadline + DRAIN_ACK_S)
        self._drained.set()

    async def attached(self) -> None:
        """Returns while an engine has this worker, and knows what it offers."""
        await self._joined.wait()

    def halt(self) -> None:
        """Ends `run` at once, as a crash would: nothing is handed back or reported."""
        self._drained.set()

    async def _drained_by(self, deadline: float) -> bool:
        try:
            async with asyncio.timeout(max(0.0, deadline - self._clock.mono())):
                await self._drained.wait()
        except TimeoutError:
            return False
        return True

    # ── streams ──────────────────────────────────────────────────────────────────────────────

    async def _one_stream(self, attempts: Attempts) -> bool:
        """From open to break; whether an engine had it, and it lived for STEADY_S."""
        try:
            stream = await self._link.open()
        except LinkBroken as broken:
            self._tell_of(broken)
            return False
        began = self._clock.mono()
        first = self._core.open_stream(began)
        self._looks = (began, began)
        self._joined.clear()
        reading = asyncio.create_task(self._read(stream, attempts), name="read")
        others = (
            asyncio.create_task(self._write(stream, first), name="write"),
            asyncio.create_task(self._beats(), name="beat"),
            asyncio.create_task(self._first_beats(), name="first beat"),
            asyncio.create_task(self._look(), name="look"),
            asyncio.create_task(self._until_drained(), name="drained"),
        )
        for role in (reading, *others):
            # A stop may cut the wait below: then nobody else asks how the role ended.
            role.add_done_callback(_look_at)
        try:
            done, _ = await asyncio.wait((reading, *others), return_when=asyncio.FIRST_COMPLETED)
        finally:
            steady = self._core.attached and self._clock.mono() - began >= STEADY_S
            self._core.close_stream()
            for role in others:
                role.cancel()
            # Before the reader: cancelling a read would reset the stream with what it carries.
            await stream.close()
            reading.cancel()
            # The core knows no streams apart: nothing of this one is heard once the next opens.
            await asyncio.gather(reading, *others, return_exceptions=True)
        if steady:
            self._told_at = -math.inf  # another outage than the last one
        # Both ends see a break; one line tells it.
        self._say_why(next(iter(done)))
        return steady

    def _say_why(self, role: "asyncio.Task[None]") -> None:
        """Logs why a stream ended, where it was not asked to."""
        error = role.exception()
        if isinstance(error, LinkBroken):
            self._tell_of(error)
        elif error is not None:
            _LOG.error("stream failed", exc_info=error)
        elif role.get_name() == "read":
            _LOG.info("the engine leaves; attaching elsewhere")

    def _tell_of(self, broken: LinkBroken) -> None:
        """Loud at first, and now and then while it lasts: without an engine nothing is done."""
        now = self._clock.mono()
        loud = now - self._told_at >= NO_ENGINE_TOLD_S
        if loud:
            self._told_at = now
        level = logging.WARNING if loud else logging.DEBUG
        _LOG.log(level, "no stream to an engine (%s), trying again", broken.detail)

    async def _read(self, stream: EngineStream, attempts: Attempts) -> None:
        """Returns when the engine says that it leaves."""
        try:
            async with asyncio.timeout(ATTACH_TIMEOUT_S):
                frame = await stream.receive()
        except TimeoutError:
            reason = "no answer to the attach"
            raise LinkBroken(reason) from None
        while True:
            leaving = False
            # What a process finds that stood still may be as old as that: so it came since the
            # look before the last one, which may be the first since then.
            now, since = self._clock.mono(), self._looks[0]
            for action in self._core.receive(frame, now, since=since):
                leaving = attempts.act(action) or leaving
            self._joined.set()
            if self._core.unnamed:
                self._given.set()
            self._wake.set()
            self._notice_end()
            if leaving:
                return
            frame = await stream.receive()

    async def _write(self, stream: EngineStream, first: FromWorker) -> None:
        await stream.send(first)
        while True:
            frame = self._core.take(self._clock.mono())
            if frame is None:
                self._wake.clear()
                await self._wake.wait()
            else:
                await stream.send(frame)
                self._notice_end()

    async def _beats(self) -> None:
        """Beats while tasks are held, seldom otherwise; notices a stream that fell silent."""
        await self._joined.wait()  # the answer to the attach says how long a lease is
        while True:
            pace = min(HEARTBEAT_S, self._core.lease_s / BEATS_PER_LEASE)
            pace *= 1 - HEARTBEAT_JITTER * self._draws.unit()
            before = self._clock.mono()
            await self._clock.sleep(pace)
            now = self._clock.mono()
            if self._core.deaf(now):
                reason = "the engine fell silent"
                raise LinkBroken(reason)
            if self._core.held or now - self._beat_at >= HEARTBEAT_IDLE_S - pace:
                self._beat_at = now
                self._core.beat(loop_lag_ms=round(max(0.0, now - before - pace) * 1000))
                self._wake.set()

    async def _first_beats(self) -> None:
        """Names each task that is not over soon: from then on the death of this worker counts."""
        while True:
            await self._given.wait()
            self._given.clear()
            while self._core.unnamed:
                await self._clock.sleep(FIRST_BEAT_S)
                if self._core.first_beat(self._clock.mono()):
                    self._wake.set()

    async def _look(self) -> None:
        """By these looks a process knows that it stood still, and since when."""
        while True:
            await self._clock.sleep(AWAKE_S)
            self._looks = (self._looks[1], self._clock.mono())

    async def _until_drained(self) -> None:
        await self._drained.wait()

    def _notice_end(self) -> None:
        """The last answer, or the last task handed back, ends a worker that drains.

        But not before the engine knows: what it gave until then is to be handed back, too.
        """
        if self._core.is_over:
            self._drained.set()

    def _want_config(self, hash_: bytes) -> None:
        self._core.want_config(hash_)
        self._wake.set()


def _look_at(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()
