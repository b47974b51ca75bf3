"""`heartbeat`: a handler says that it is alive and how far it is; its next attempt reads that.

An attempt that fails, times out or loses its worker is followed by another one, here or elsewhere.
What the handler said last is there then, so that it goes on instead of beginning anew.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar, Token
from typing import Protocol, TypeVar, overload

import msgspec

from mainspring.belonging import StepInfo
from mainspring.errors import AttemptOver, HeartbeatTimedOut, Unserializable
from mainspring.values import decode, encode
from mainspring_kernel.progress_limits import (
    PROGRESS_BEGUN_S,
    PROGRESS_BYTES_MAX,
    PROGRESS_PACE_S,
    PROGRESS_SAVED_S,
)
from mainspring_schema.workflows import BEGUN_MARK

T = TypeVar("T")
_NONE: object = object()


def heartbeat(details: object = _NONE) -> None:
    """Says that the present attempt of a step is alive, and how far it is.

    Never waits, and may be called from the step's thread. Without `details` what was said before
    stays. Outside of an attempt it does nothing. Raises Unserializable for details that are no JSON
    or over 8 KiB, AttemptOver where the attempt timed out or its task was lost or cancelled: then
    stop (a process of its own is ended).
    """
    pulse = present_pulse()
    if pulse is None:
        return
    raw = None
    if details is not _NONE:
        raw = encode(details)
        if len(raw) > PROGRESS_BYTES_MAX:
            message = f"{len(raw)} bytes, at most {PROGRESS_BYTES_MAX} are kept of a heartbeat"
            raise Unserializable(message)
    pulse.beat(raw)


@overload
def heartbeat_details() -> object: ...
@overload
def heartbeat_details(of: type[T], /) -> T | None: ...
def heartbeat_details(of: type[object] = object, /) -> object:
    """What this step's handler said last, in this attempt or an earlier one; None for nothing.

    Raises msgspec.ValidationError where it is not `of` that type.
    """
    pulse = present_pulse()
    if pulse is None or pulse.details is None:
        return None
    return decode(pulse.details, of)


# ── within the worker ───────────────────────────────────────────────────────────────────────────


class Speaking(Protocol):
    """Through whom the present attempt speaks."""

    details: bytes | None
    """What was said last, in this attempt or an earlier one."""

    @property
    def info(self) -> StepInfo | None:
        """Whose attempt it is."""
        ...

    def beat(self, details: bytes | None) -> None:
        """From any thread. Raises AttemptOver."""
        ...


class Beats(Protocol):
    """Whoever keeps what the handlers of a task say. `step` is a place; "" of a plain task."""

    def earlier(self, step: str) -> bytes | None:
        """What earlier attempts said last."""
        ...

    def say(self, step: str, details: bytes) -> None:
        """Never waits. Without details the step is over."""
        ...

    def info(self, step: str) -> StepInfo | None:
        """Whose attempts they are."""
        ...

    def age_s(self) -> float:
        """How long ago the task was made: all its attempts count from then."""
        ...

    async def kept(self, step: str) -> None:
        """Returns once all that was said is kept."""
        ...

    async def leased(self) -> None:
        """Returns while the task is surely this worker's: nothing is called before."""
        ...


class Unheard:
    """Where nobody keeps it: attempts in this process have it all the same."""

    def earlier(self, step: str) -> bytes | None:
        del step
        return None

    def say(self, step: str, details: bytes) -> None:
        """Nothing to do."""
        del step, details

    def info(self, step: str) -> StepInfo | None:
        del step

    def age_s(self) -> float:
        return 0.0

    async def kept(self, step: str) -> None:
        """Nothing to wait for."""
        del step

    async def leased(self) -> None:
        """Nothing to wait for."""


class Course:
    """What a step's handler says over its attempts in this process. Lives on the user's loop."""

    __slots__ = ("_beats", "_begun", "_said", "_sent_at", "_timer", "details", "step")

    def __init__(self, beats: Beats, step: str) -> None:
        self._beats = beats
        self.step = step
        self.details = beats.earlier(step)
        self._said: tuple[str, ...] = () if self.details is None else (step,)
        """What is to be removed once the step is over."""
        self._sent_at = -PROGRESS_PACE_S
        self._timer: asyncio.TimerHandle | None = None
        self._begun: asyncio.TimerHandle | None = None

    @property
    def info(self) -> StepInfo | None:
        return self._beats.info(self.step)

    @property
    def spoken(self) -> bool:
        return bool(self._said)

    def left_s(self, bound_s: float | None) -> float | None:
        """Of the step's time, which goes on from its first attempt whoever makes the next one."""
        if bound_s is None:
            return None
        place, age_s = self.step + BEGUN_MARK, self._beats.age_s()
        kept = self._beats.earlier(place)
        if kept is not None:
            self._note(place)
            return bound_s - (age_s - msgspec.json.decode(kept, type=float))

        def say() -> None:
            self._note(place)
            self._beats.say(place, encode(age_s))

        self._begun = asyncio.get_running_loop().call_later(PROGRESS_BEGUN_S, say)
        return bound_s

    async def begin(self) -> None:
        """Before each attempt. A worker that stood still may find what others have done since."""
        await self._beats.leased()

    def rest(self) -> None:
        """No attempt is under way any more."""
        if self._begun is not None:
            self._begun.cancel()

    def tell(self, details: bytes) -> None:
        """At once, or with what comes meanwhile once the pace allows it."""
        self.details = details
        self._note(self.step)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            wait_s = max(0.0, self._sent_at + PROGRESS_PACE_S - loop.time())
            self._timer = loop.call_later(wait_s, self._send)

    def _note(self, place: str) -> None:
        if place not in self._said:
            self._said = (*self._said, place)

    def _send(self) -> None:
        self._timer = None
        self._sent_at = asyncio.get_running_loop().time()
        self._beats.say(self.step, self.details or b"")

    async def kept(self) -> None:
        """The attempt failed: whoever makes the next one finds all that was said, as a rule."""
        if self._timer is not None:
            self._timer.cancel()
            self._send()
        if self.step in self._said:
            with suppress(TimeoutError):
                async with asyncio.timeout(PROGRESS_SAVED_S):
                    await self._beats.kept(self.step)

    def over(self) -> None:
        """Nobody needs it any more."""
        if self._timer is not None:
            self._timer.cancel()
        for place in self._said:
            self._beats.say(place, b"")


class Pulse:
    """Of one attempt: once it is over, a thread that it left behind can say nothing."""

    __slots__ = ("_called", "_course", "_loop", "_over", "_watch", "details")

    def __init__(self, course: Course) -> None:
        self._course = course
        self._loop = asyncio.get_running_loop()
        self.details = course.details
        self._over = self._called = False
        self._watch: tuple[asyncio.Timeout, float] | None = None

    @property
    def info(self) -> StepInfo | None:
        return self._course.info

    def beat(self, details: bytes | None) -> None:
        """From any thread. Raises AttemptOver."""
        if self._over:
            raise AttemptOver
        if details is not None:
            self.details = details
        # What is said until the loop comes to it is one beat.
        if not self._called:
            self._called = True
            self._loop.call_soon_threadsafe(self._beaten)

    def _beaten(self) -> None:
        self._called = False
        self.settle()
        if self._watch is not None and not self._over:
            watch, heartbeat_s = self._watch
            watch.reschedule(self._loop.time() + heartbeat_s)

    def settle(self) -> None:
        """Passes on what was said."""
        if self.details is not None and self.details != self._course.details and not self._over:
            self._course.tell(self.details)

    def end(self) -> None:
        """The attempt is over."""
        self.settle()
        self._over = True

    @asynccontextmanager
    async def watched(self, heartbeat_s: float) -> AsyncGenerator[asyncio.Timeout]:
        """Raises HeartbeatTimedOut where the attempt says nothing for so long."""
        watch = asyncio.timeout(heartbeat_s)
        try:
            async with watch:
                self._watch = (watch, heartbeat_s)
                try:
                    yield watch
                finally:
                    self._watch = None
        except TimeoutError as error:
            if watch.expired():
                raise HeartbeatTimedOut(heartbeat_s) from error
            raise


@asynccontextmanager
async def alive(heartbeat_s: float | None) -> AsyncGenerator[None]:
    """Sees to it that the present attempt says something every so often."""
    pulse = present_pulse()
    if heartbeat_s is None or not isinstance(pulse, Pulse):
        yield
    else:
        async with pulse.watched(heartbeat_s):
            yield


class attempting:  # noqa: N801 - it reads as what the block does
    """The present task, with the threads it makes, is one attempt."""

    __slots__ = ("_before", "_pulse")

    def __init__(self, course: Course) -> None:
        self._pulse = Pulse(course)
        self._before: Token[Speaking | None] | None = None

    def __enter__(self) -> None:
        self._before = _pulse.set(self._pulse)

    def __exit__(self, *_: object) -> None:
        self._pulse.end()
        if self._before is not None:
            _pulse.reset(self._before)


def present_pulse() -> Speaking | None:
    """None outside of an attempt."""
    return _pulse.get()


def speak_through(pulse: Speaking | None) -> None:
    """In a process of its own, where there is no attempt but the one."""
    _pulse.set(pulse)


_pulse: ContextVar[Speaking | None] = ContextVar("mainspring_pulse", default=None)
