"""What a tool writes while it is at work, shown to whoever watches.

The result stays the truth: what is shown is bounded, dropped where the event store is away, and
begun anew by another attempt. A call that ends soon shows nothing but its result.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Literal

from mainspring_kernel.clock import Clock
from mainspring_schema.events import OUTPUT_STARTED
from mainspring_schema.messages import Json
from mainspring_schema.tasks import EmitEvent, ToolTask
from mainspring_workstream.attempt import Attempt, AttemptVoid
from mainspring_workstream.deltas import Anchor
from mainspring_workstream.flights import DeltaStream, Flights
from mainspring_workstream.limits import OUTPUT_QUIET_S, OUTPUT_SHOWN_CHARS_MAX
from mainspring_workstream.overweight import writable

Channel = Literal["stdout", "stderr"]


class Shown:
    """The output of one attempt at a call. It is called on the loop of the attempt."""

    def __init__(self, flights: Flights, clock: Clock, attempt: Attempt, payload: ToolTask) -> None:
        self._flights = flights
        self._clock = clock
        self._attempt = attempt
        self._payload = payload
        self._room = OUTPUT_SHOWN_CHARS_MAX
        self._early: list[tuple[Channel, str]] = []
        self._stream: DeltaStream | None = None
        self._opening: asyncio.Task[None] | None = None
        self._over = False

    def __call__(self, channel: Channel, text: str) -> None:
        text = writable(text[: self._room])
        if self._over or not text:
            return
        self._room -= len(text)
        if self._stream is not None:
            self._stream.add(channel, text)
            return
        self._early.append((channel, text))
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())

    async def _open(self) -> None:
        await self._clock.sleep(OUTPUT_QUIET_S)
        data: Json = {"tool_call_id": self._payload.call_id, "tool_name": self._payload.name}
        # Its commit opens the call for this attempt's fragments, and closes it for those before.
        await self._attempt.emit(EmitEvent(type=OUTPUT_STARTED, data=data))
        stream = self._flights.open(
            Anchor(
                session_id=self._attempt.task.session_id,
                turn_id=self._payload.turn_id,
                anchor=self._payload.call_id,
                attempt=self._attempt.held.fence,
            )
        )
        for channel, text in self._early:
            stream.add(channel, text)
        self._stream = stream
        self._early.clear()

    async def end(self, *, whole: bool) -> None:
        """Before the result goes: with `whole`, once the last fragment was answered."""
        self._over = True
        if self._opening is not None:
            self._opening.cancel()
            with suppress(asyncio.CancelledError, AttemptVoid):
                await self._opening
        if self._stream is not None:
            await (self._stream.finish() if whole else self._stream.abandon())


@asynccontextmanager
async def showing(shown: Shown) -> AsyncGenerator[None]:
    """Ends what is shown with the call; one that is cancelled does not wait for the rest."""
    whole = False
    try:
        yield
        whole = True
    finally:
        await shown.end(whole=whole)
