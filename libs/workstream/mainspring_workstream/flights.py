"""Carries fragments to the event store: one flight in the air over all streams of this worker.

What comes up during a flight rides the next one. Fragments of a failed flight are sent again as
they were; their offsets make that safe. A stream that is refused sends nothing more.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from mainspring_kernel.backoff import RECONNECT, delay_s
from mainspring_kernel.clock import Clock
from mainspring_kernel.draws import Draws
from mainspring_kernel.errors import DeadlineExceeded, MainspringError, Unavailable
from mainspring_kernel.limits import (
    APPEND_FLIGHT_CHARS_MAX,
    APPEND_FLIGHT_ITEMS_MAX,
    DELTA_GIVE_UP_S,
)
from mainspring_kernel.tracing import TraceContext, current_trace, use_trace
from mainspring_schema.grants import AppendVerdict, DeltaAppend
from mainspring_workstream.deltas import Anchor, DeltaBuffer, FlushInterval
from mainspring_workstream.overweight import writable

_LOG: Final = logging.getLogger(__name__)
_KEPT: Final = frozenset({AppendVerdict.COMMITTED, AppendVerdict.DUPLICATE})


class DeltaLog(Protocol):
    """Raises Unavailable or DeadlineExceeded where asking again may help."""

    async def append(self, deltas: Sequence[DeltaAppend]) -> Sequence[AppendVerdict]:
        """One flight over many streams; a verdict per fragment, in order."""
        ...


class DeltaStream:
    """The fragments of one attempt."""

    def __init__(self, flights: "Flights", anchor: Anchor) -> None:
        self._flights = flights
        self.buffer = DeltaBuffer(anchor)
        self.flying = 0
        """Fragments on their way."""
        self.refused = False
        """A higher attempt streams, or the event store was given up on."""
        self.landed = asyncio.Event()
        self.trace = current_trace()
        """Of the attempt, until its first flight has carried it."""

    def add(self, channel: str, text: str) -> None:
        """Text of a channel, in the order in which the model said it."""
        if not self.refused:
            # What cannot be written would end the flights of all streams.
            self._flights.add(self, channel, writable(text))

    async def finish(self) -> None:
        """Returns when the last fragment was answered, or after DELTA_GIVE_UP_S without answer."""
        self.buffer.complete()
        await self._flights.land(self)

    async def abandon(self) -> None:
        """As `finish`, but what waits is dropped; only what flies is waited for."""
        self.buffer.abandon()
        await self._flights.land(self)


class Flights:
    """One per worker; `run` must be running."""

    def __init__(self, *, log: DeltaLog, clock: Clock, draws: Draws) -> None:
        self._log = log
        self._clock = clock
        self._draws = draws
        self._interval = FlushInterval()
        self._waiting: dict[DeltaStream, None] = {}
        self._ending: set[DeltaStream] = set()
        self._wake = asyncio.Event()

    def open(self, anchor: Anchor) -> DeltaStream:
        """A stream of fragments for one attempt."""
        return DeltaStream(self, anchor)

    def add(self, stream: DeltaStream, channel: str, text: str) -> None:
        """Buffers text; the loop is woken only when that changes when it has to act."""
        now = self._clock.mono()
        stream.buffer.add(channel, text, now)
        due = stream.buffer.due_at(self._interval.seconds)
        if stream not in self._waiting:
            self._waiting[stream] = None
            self._wake.set()
        elif due is not None and due <= now:
            self._wake.set()

    async def land(self, stream: DeltaStream) -> None:
        """Waits until nothing of the stream waits or flies; gives up after a bound."""
        if stream.buffer.due_at(0.0) is None:
            self._waiting.pop(stream, None)
        self._ending.add(stream)
        self._wake.set()
        try:
            async with asyncio.timeout(DELTA_GIVE_UP_S):
                while self._unsettled(stream):
                    stream.landed.clear()
                    await stream.landed.wait()
        except TimeoutError:
            _LOG.warning("event store given up on; the result goes without the last deltas")
        finally:
            self._ending.discard(stream)
            self._waiting.pop(stream, None)
            stream.refused = True
            stream.buffer.abandon()

    @staticmethod
    def _unsettled(stream: DeltaStream) -> bool:
        return not stream.refused and bool(stream.flying or stream.buffer.due_at(0.0) is not None)

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            flight = self._collect()
            for portion in _portions(flight):
                await self._fly(portion)
            if not flight:
                await self._until_due()

    async def _until_due(self) -> None:
        interval = self._interval.seconds
        dues = [due for s in self._waiting if (due := s.buffer.due_at(interval)) is not None]
        self._wake.clear()
        if not dues:
            await self._wake.wait()
            return
        # The one timer of the hot path.
        timer = asyncio.get_running_loop().call_later(
            max(0.0, min(dues) - self._clock.mono()), self._wake.set
        )
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

    def _collect(self) -> list[tuple[DeltaStream, DeltaAppend]]:
        now = self._clock.mono()
        interval = self._interval.seconds
        flight: list[tuple[DeltaStream, DeltaAppend]] = []
        for stream in tuple(self._waiting):
            due = stream.buffer.due_at(interval)
            if due is None or stream.refused:
                del self._waiting[stream]
            elif due <= now or stream in self._ending:
                del self._waiting[stream]
                taken = stream.buffer.take()
                stream.flying += len(taken)
                flight.extend((stream, delta) for delta in taken)
            if len(flight) >= APPEND_FLIGHT_ITEMS_MAX:
                break
        return flight

    async def _fly(self, flight: list[tuple[DeltaStream, DeltaAppend]]) -> None:
        deltas = [delta for _, delta in flight]
        trace = _take_trace(flight)
        failures = 0
        while True:
            before = self._clock.mono()
            try:
                with use_trace(trace):
                    verdicts = await self._log.append(deltas)
                # Only what was answered says how busy the event store is; an outage does not.
                self._interval.flew(self._clock.mono() - before)
                break
            except (Unavailable, DeadlineExceeded) as error:
                failures += 1
                if not any(not stream.refused for stream, _ in flight):
                    verdicts = [AppendVerdict.STALE] * len(flight)
                    break
                _LOG.info("append failed", extra={"reason": error.detail})
                await self._clock.sleep(delay_s(RECONNECT, failures, self._draws.unit()))
            except MainspringError:
                # Sending it again cannot help, and it must not hold up the others.
                _LOG.exception("append refused")
                verdicts = [AppendVerdict.GAP] * len(flight)
                break
        _settle(flight, verdicts)


def _portions(
    flight: list[tuple[DeltaStream, DeltaAppend]],
) -> Iterator[list[tuple[DeltaStream, DeltaAppend]]]:
    """What fits into one message each: one that does not is refused, for all who ride in it."""
    portion: list[tuple[DeltaStream, DeltaAppend]] = []
    chars = 0
    for stream, delta in flight:
        chars += len(delta.fragment)
        if portion and chars > APPEND_FLIGHT_CHARS_MAX:
            yield portion
            portion, chars = [], len(delta.fragment)
        portion.append((stream, delta))
    if portion:
        yield portion


def _take_trace(flight: list[tuple[DeltaStream, DeltaAppend]]) -> TraceContext | None:
    """A flight serves many turns and a stream needs many flights: each stream is seen once."""
    for stream, _ in flight:
        if stream.trace is not None:
            trace, stream.trace = stream.trace, None
            return trace
    return None


def _settle(
    flight: list[tuple[DeltaStream, DeltaAppend]], verdicts: Sequence[AppendVerdict]
) -> None:
    for (stream, _), verdict in zip(flight, verdicts, strict=True):
        stream.flying -= 1
        if verdict not in _KEPT:
            stream.refused = True
        stream.landed.set()
