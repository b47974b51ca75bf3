"""What tools write while they are at work, on its way to the event store."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Final, Protocol

from mainspring_kernel.clock import Clock, SystemClock
from mainspring_kernel.draws import Draws, SystemDraws
from mainspring_schema.tasks import ToolTask
from mainspring_workstream.attempt import Attempt
from mainspring_workstream.flights import Flights
from mainspring_workstream.grpc_deltas import deltas_to
from mainspring_workstream.showing import Channel, Shown, showing


class Output(Protocol):
    """Shows text as the tool writes it. It never waits, and may be called from any thread."""

    def __call__(self, text: str, stream: Channel = "stdout") -> None: ...


def unshown(text: str, stream: Channel = "stdout") -> None:
    """Of a call that nobody watches."""
    del text, stream


class Road:
    """One per worker; it leads nowhere without an address."""

    def __init__(self, address: str, clock: Clock, draws: Draws) -> None:
        self._address = address
        self._clock = clock
        self._draws = draws
        self._flights: Flights | None = None

    async def around(self, work: Awaitable[None]) -> None:
        """Carries out the work of the stream, on its loop."""
        async with self._open():
            await work

    @asynccontextmanager
    async def _open(self) -> AsyncGenerator[None]:
        if not self._address:
            yield
            return
        async with deltas_to(self._address) as log:
            self._flights = Flights(log=log, clock=self._clock, draws=self._draws)
            flying = asyncio.create_task(self._flights.run(), name="deltas")
            try:
                yield
            finally:
                self._flights = None
                flying.cancel()
                await asyncio.wait([flying])

    def of(
        self, attempt: Attempt, payload: ToolTask
    ) -> tuple[Output, AbstractAsyncContextManager[None]]:
        """For one call: where it writes, and what is around it. On the loop of the stream."""
        if self._flights is None or payload.guarded:  # nobody has looked at it yet
            return unshown, nullcontext()
        shown = Shown(self._flights, self._clock, attempt, payload)
        loop = asyncio.get_running_loop()

        def output(text: str, stream: Channel = "stdout") -> None:
            loop.call_soon_threadsafe(shown, stream, text)

        return output, showing(shown)


NOWHERE: Final = Road("", SystemClock(), SystemDraws())


def road_to(address: str | None, clock: Clock, draws: Draws) -> Road:
    """To the address, or where the environment says."""
    found = address or os.environ.get("MAINSPRING_EVENTSTORE_ADDR") or ""  # noqa: TID251 - a worker is wired where it is made
    return Road(found, clock, draws)
