"""One task in hand: what its step may ask of the engine, and how it is told to stop."""

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import Protocol

from mainspring_kernel.clock import Clock
from mainspring_kernel.tracing import TraceContext
from mainspring_schema.frames import Held, History, HistoryWanted, Task
from mainspring_schema.tasks import AttemptPayload, EmitEvent
from mainspring_schema.workflows import StepRecord, Wait
from mainspring_workstream.core import WorkerCore
from mainspring_workstream.limits import HISTORY_AGAIN_S


class Stop(Enum):
    """Why an attempt was told to stop."""

    LOST = "lost"
    """Nobody wants its result any more."""
    CANCELLED = "cancelled"
    """The turn was cancelled: the result says so, with what was used."""
    DRAINED = "drained"
    """This process ends: hand it back, or say that its outcome is unknown."""


class HandedBack(Exception):
    """Nothing of this attempt may have taken effect; another worker may do it anew."""


class AttemptVoid(Exception):
    """The engine refused a start or an event: a higher fence exists. The result is dropped."""


class Cancellable(Protocol):
    """Where an attempt goes on: an `asyncio.Task`, or whatever stands for one elsewhere."""

    def cancel(self) -> object:
        """Interrupts it."""
        ...


class Attempt:
    """A task with its fence. `begun` is set by the step when an effect may have started."""

    __slots__ = (
        "_clock", "_core", "_emits", "_entered", "_page", "_renewed", "_reports", "_running",
        "_start", "_wake", "begun", "on_news", "payload", "stop", "task",
    )  # fmt: skip

    def __init__(
        self,
        task: Task,
        payload: AttemptPayload,
        *,
        core: WorkerCore,
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        self.task = task
        self.payload = payload
        self.begun = False
        self.stop: Stop | None = None
        self._core = core
        self._clock = clock
        self._wake = wake
        self._running: Cancellable | None = None
        self._entered = False
        self._start: asyncio.Future[bool] | None = None
        # Most attempts are over before they say anything: what they would say it with is made then.
        self._emits: dict[int, asyncio.Future[bool]] | None = None
        self._reports: dict[str, asyncio.Future[None]] | None = None
        self._renewed: asyncio.Future[None] | None = None
        self._page: asyncio.Future[History] | None = None
        self.on_news: Callable[[History], None] | None = None
        """Called with steps that the engine recorded meanwhile; without any, ask for them."""

    @property
    def trace(self) -> TraceContext | None:
        """What its spans hang under."""
        return TraceContext.parse(self.task.traceparent)

    @property
    def held(self) -> Held:
        """By what the engine knows the attempt."""
        return self.task.held

    # ── for the step ─────────────────────────────────────────────────────────────────────────

    async def start(self) -> None:
        """Returns once the start of the effect is committed. Raises AttemptVoid if refused."""
        if not self._core.start(self.held):
            raise AttemptVoid
        self._start = asyncio.get_running_loop().create_future()
        self._wake()
        if not await self._start:
            raise AttemptVoid

    async def emit(self, *events: EmitEvent) -> None:
        """Returns once the events are committed. Raises AttemptVoid if refused, or Unsendable."""
        await self._emitted(self._core.emit(self.held, events))

    async def checkpoint(
        self, steps: tuple[StepRecord, ...] = (), waits: tuple[Wait, ...] = ()
    ) -> None:
        """Returns once the steps and waits are committed. Raises AttemptVoid if refused."""
        await self._emitted(self._core.emit(self.held, steps=steps, waits=waits))

    async def _emitted(self, counter: int | None) -> None:
        if counter is None:
            raise AttemptVoid
        answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._emits = self._emits or {}
        self._emits[counter] = answered
        self._wake()
        if not await answered:
            raise AttemptVoid

    def report(self, step: str, details: bytes) -> None:
        """How far the handler of a step is; without details it is over. In vain if not ours."""
        if self._core.report(self.held, step, details):
            self._reports = self._reports or {}
            if step not in self._reports:
                self._reports[step] = asyncio.get_running_loop().create_future()
            self._wake()

    async def reported(self, step: str) -> None:
        """Returns once all that was reported of the step is answered."""
        answered = self._reports.get(step) if self._reports else None
        if answered is not None:
            # Several may wait for one answer: the end of one of them is not the others'.
            await asyncio.shield(answered)

    @property
    def is_leased(self) -> bool:
        """Whether the lease surely holds. From any thread."""
        return self._core.leased(self.held, self._clock.mono())

    async def leased(self) -> None:
        """Returns while the lease surely holds; waits for its renewal after its local end."""
        while not self.is_leased:
            if self._renewed is None or self._renewed.done():
                self._renewed = asyncio.get_running_loop().create_future()
            # Several may wait for one renewal: the end of one of them is not the others'.
            await asyncio.shield(self._renewed)

    async def recorded(self, after: str = "", places: tuple[str, ...] = ()) -> History:
        """A page of the recorded steps behind `after`, or at these places alone.

        Raises AttemptVoid if not ours.
        """
        wanted = HistoryWanted(held=self.held, after=after, places=places)
        while True:
            if not self._core.ask_history(wanted):
                raise AttemptVoid
            self._page = asyncio.get_running_loop().create_future()
            self._wake()
            # An engine whose database is away says nothing, and the lease goes on all the while.
            done, _ = await asyncio.wait((self._page,), timeout=HISTORY_AGAIN_S)
            if done:
                return self._page.result()

    # ── for the driver of the stream ─────────────────────────────────────────────────────────

    def goes_on_in(self, running: Cancellable) -> None:
        """Where the step runs, so that it can be interrupted."""
        self._running = running

    def enter(self) -> None:
        """The step begins. Raises CancelledError where it was interrupted before."""
        self._entered = True
        if self.stop is not None:
            raise asyncio.CancelledError

    def interrupt(self, stop: Stop) -> None:
        """Tells the step to end. A later LOST overrides what was said before."""
        if self.stop is Stop.LOST or self.stop is stop:
            return
        self.stop = stop
        # Cancelling a coroutine that never ran would skip its body, which gives the slot back.
        if self._entered and self._running is not None:
            self._running.cancel()

    def start_answered(self, *, granted: bool) -> None:
        """The engine answered a start."""
        if self._start is not None and not self._start.done():
            self._start.set_result(granted)

    def emit_answered(self, counter: int, *, granted: bool) -> None:
        """The engine answered an emit."""
        answered = self._emits.pop(counter, None) if self._emits else None
        if answered is not None and not answered.done():
            answered.set_result(granted)

    def progress_answered(self, step: str) -> None:
        """The engine answered the newest report of a step."""
        answered = self._reports.pop(step, None) if self._reports else None
        if answered is not None:
            answered.set_result(None)

    def renewed(self) -> None:
        """The lease was renewed."""
        if self._renewed is not None and not self._renewed.done():
            self._renewed.set_result(None)

    def history_came(self, history: History) -> None:
        """A page that was asked for, or news."""
        if history.after is None:
            if self.on_news is not None:
                self.on_news(history)
        elif self._page is not None and not self._page.done():
            self._page.set_result(history)
