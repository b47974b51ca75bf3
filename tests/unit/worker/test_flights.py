"""Flights to the event store: one in the air, repeats after failures, a bound at the end."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from mainspring_kernel.clock import Clock, ManualClock, SystemClock
from mainspring_kernel.draws import SeededDraws
from mainspring_kernel.errors import MainspringError, Unavailable, ValidationFailed
from mainspring_kernel.limits import (
    APPEND_FLIGHT_CHARS_MAX,
    DELTA_FLUSH_MS,
    RPC_MESSAGE_BYTES_MAX,
)
from mainspring_kernel.tracing import TraceContext, current_trace, new_trace, use_trace
from mainspring_schema.grants import AppendVerdict, DeltaAppend
from mainspring_worker.adapters.memory import MemoryEventLog
from mainspring_workstream import flights as flights_module
from mainspring_workstream.deltas import Anchor
from mainspring_workstream.flights import Flights
from tests.unit.worker.fake_engine import WAIT_S
from tests.unit.worker.making import ANCHOR, SESSION, TURN


class TroubledLog(MemoryEventLog):
    """Fails the first appends, and can hold them back."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = 0
        self.refusal: MainspringError | None = None
        self.flights: list[list[DeltaAppend]] = []
        self.traces: list[TraceContext | None] = []
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def append(self, deltas: Sequence[DeltaAppend]) -> Sequence[AppendVerdict]:
        self.flights.append(list(deltas))
        self.traces.append(current_trace())
        self.asked.set()
        await self.go_on.wait()
        if self.failures:
            self.failures -= 1
            raise Unavailable
        if self.refusal is not None:
            raise self.refusal
        return await super().append(deltas)

    @property
    def text(self) -> str:
        return "".join(d.fragment for d in self.deltas.get(SESSION, ()))


def anchor(number: int = 0) -> Anchor:
    session = UUID(int=SESSION.int + number)
    return Anchor(session_id=session, turn_id=TURN, anchor=ANCHOR, attempt=1)


@asynccontextmanager
async def flying(log: TroubledLog, clock: Clock | None = None) -> AsyncGenerator[Flights]:
    for number in range(3):
        log.open_anchor(UUID(int=SESSION.int + number), ANCHOR, 1)
    flights = Flights(log=log, clock=clock or SystemClock(), draws=SeededDraws(1))
    running = asyncio.create_task(flights.run())
    try:
        async with asyncio.timeout(WAIT_S):
            yield flights
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_result_waits_for_the_last_fragment() -> None:
    log = TroubledLog()
    async with flying(log) as flights:
        stream = flights.open(anchor())
        stream.add("text", "one")
        await log.asked.wait()
        log.go_on.clear()
        stream.add("text", " two")

        finishing = asyncio.create_task(stream.finish())
        log.asked.clear()
        await log.asked.wait()
        waited = not finishing.done()
        log.go_on.set()
        await finishing

        assert waited
        assert log.text == "one two"


async def test_text_complete_before_its_first_flush_flies_nowhere() -> None:
    log = TroubledLog()
    async with flying(log) as flights:
        stream = flights.open(anchor())
        stream.add("text", "short")

        await stream.finish()

        assert log.flights == []


async def test_what_no_event_store_takes_ends_no_flight() -> None:
    log = TroubledLog()
    async with flying(log) as flights:
        stream = flights.open(anchor())
        stream.add("text", "\ud83d" + "x" * 5000)
        await log.asked.wait()

        await stream.finish()

        assert [one.fragment for one in log.flights[0]] == ["?" + "x" * 5000]


async def test_streams_that_wait_ride_one_flight() -> None:
    log = TroubledLog()
    async with flying(log) as flights:
        log.go_on.clear()
        first, others = flights.open(anchor()), [flights.open(anchor(n)) for n in (1, 2)]
        first.add("text", "x" * 5000)
        await log.asked.wait()
        for stream in others:
            stream.add("text", "y" * 5000)
        log.go_on.set()

        for stream in (first, *others):
            await stream.finish()

        assert [len(flight) for flight in log.flights] == [1, 2]


async def test_no_flight_is_more_than_a_message_holds() -> None:
    log = TroubledLog()
    async with flying(log) as flights:
        log.go_on.clear()
        first, large, other = (flights.open(anchor(n)) for n in range(3))
        first.add("text", "x" * 5000)
        await log.asked.wait()
        large.add("text", "\N{GRINNING FACE}" * (2 * APPEND_FLIGHT_CHARS_MAX))
        other.add("text", "y" * 5000)
        log.go_on.set()

        await asyncio.gather(*(stream.finish() for stream in (first, large, other)))

        bytes_of = [sum(len(d.fragment.encode()) for d in flight) for flight in log.flights]
        assert max(bytes_of) < RPC_MESSAGE_BYTES_MAX
        assert sum(bytes_of) == 5000 + 4 * 2 * APPEND_FLIGHT_CHARS_MAX + 5000


async def test_failed_flight_is_sent_again_as_it_was() -> None:
    log = TroubledLog()
    log.failures = 2
    async with flying(log) as flights:
        stream = flights.open(anchor())
        stream.add("text", "x" * 5000)
        await log.asked.wait()

        await stream.finish()

        assert log.flights[0] == log.flights[1] == log.flights[2]
        assert log.text == "x" * 5000


async def test_an_outage_makes_no_later_fragment_wait_longer() -> None:
    log, clock = TroubledLog(), ManualClock()
    log.failures = 1
    log.go_on.clear()
    async with flying(log, clock) as flights:
        stream = flights.open(anchor())
        stream.add("text", "x" * 5000)
        await log.asked.wait()
        clock.advance(5)
        log.go_on.set()
        await clock.until_sleeping()
        clock.advance(5)
        await stream.landed.wait()
        log.asked.clear()

        stream.add("text", "one")
        clock.advance(DELTA_FLUSH_MS / 1000 + 0.001)
        stream.add("text", " two")
        await log.asked.wait()

        assert log.flights[-1][0].fragment == "one two"


async def test_refused_stream_sends_nothing_more_and_ends_at_once() -> None:
    log = TroubledLog()
    async with flying(log) as flights:
        log.open_anchor(SESSION, ANCHOR, 2)
        stream = flights.open(anchor())
        stream.add("text", "x" * 5000)
        await log.asked.wait()
        await stream.finish()

        stream.add("text", "more")

        assert stream.refused
        assert len(log.flights) == 1


async def test_a_flight_that_is_refused_as_a_whole_holds_nothing_up() -> None:
    log = TroubledLog()
    async with flying(log) as flights:
        log.refusal = ValidationFailed("no event store takes this")
        stream, other = flights.open(anchor()), flights.open(anchor(1))
        stream.add("text", "x" * 5000)
        await log.asked.wait()
        await stream.finish()
        log.refusal = None
        log.asked.clear()

        other.add("text", "y" * 5000)
        await log.asked.wait()
        await other.finish()

        (kept,) = log.deltas[anchor(1).session_id]
        assert (log.text, kept.fragment) == ("", "y" * 5000)


async def test_silent_event_store_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights_module, "DELTA_GIVE_UP_S", 0.05)
    log = TroubledLog()
    async with flying(log) as flights:
        log.go_on.clear()
        stream = flights.open(anchor())
        stream.add("text", "x" * 5000)
        await log.asked.wait()

        await stream.finish()

        assert stream.refused
        assert log.text == ""


async def test_the_first_flight_of_a_stream_carries_its_trace_and_no_later_one() -> None:
    log = TroubledLog()
    trace = new_trace(SeededDraws(2), 1.0)
    async with flying(log) as flights:
        with use_trace(trace):
            stream = flights.open(anchor())

        stream.add("text", "first")
        await log.asked.wait()
        stream.add("text", "second")
        await stream.finish()

    assert log.text == "firstsecond"
    assert log.traces == [trace, None]
