"""Carries records to the engine: one checkpoint in the air, what came meanwhile rides the next."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import takewhile

from mainspring.branches import size_of
from mainspring.place import aside
from mainspring_kernel.limits import (
    FRAME_BYTES_TARGET,
    WORKFLOW_STEPS_PER_FRAME_MAX,
    WORKFLOW_WAITS_MAX,
)
from mainspring_schema.workflows import StepRecord, Wait
from mainspring_workstream.room import Room

Checkpoint = Callable[[tuple[StepRecord, ...], tuple[Wait, ...]], Awaitable[None]]


class Saver:
    """`done` is called when a checkpoint has landed, `failed` when the task is ours no more."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        done: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._checkpoint = checkpoint
        self._done = done
        self._failed = failed
        self._records: list[StepRecord] = []
        self._waits: list[Wait] = []
        self._flight: asyncio.Future[None] | None = None
        self._landing = asyncio.Event()

    @property
    def flying(self) -> bool:
        """Whether a checkpoint is in the air."""
        return self._flight is not None

    def keep(self, record: StepRecord) -> None:
        """To be saved with the next checkpoint."""
        self._records.append(record)

    def arm(self, waits: tuple[Wait, ...]) -> None:
        """Tells the engine what branches wait for while others are at work."""
        self._waits.extend(waits)
        self.save()

    def save(self) -> None:
        """Sends what there is, unless a checkpoint is in the air: its landing sends the rest."""
        if self._flight is None and (self._records or self._waits):
            self._landing.clear()
            with aside():
                self._flight = asyncio.ensure_future(self._checkpoint(*self._take()))
            self._flight.add_done_callback(self._landed)

    async def settled(self) -> None:
        """Returns once everything kept so far is committed."""
        while self._records or self._flight is not None:
            self.save()
            await self.landed()

    async def armed(self) -> None:
        """Returns once the engine was told of all waits, or the task is ours no more."""
        while self._waits or self._flight is not None:
            self.save()
            await self._landing.wait()

    async def landed(self) -> None:
        """Returns once nothing is in the air, and what remains fits one result."""
        while self._flight is not None or not self._fits():
            self.save()
            await self._landing.wait()

    def rest(self) -> tuple[StepRecord, ...]:
        """What was not sent: it rides with the result."""
        return tuple(self._records)

    def close(self) -> None:
        if self._flight is not None:
            self._flight.cancel()

    def _landed(self, flight: "asyncio.Future[None]") -> None:
        self._flight = None
        self._landing.set()
        if flight.cancelled():
            return
        error = flight.exception()
        if error is not None:
            self._records.clear()
            self._failed(error)
            return
        self.save()
        self._done()

    def _take(self) -> tuple[tuple[StepRecord, ...], tuple[Wait, ...]]:
        """As much as fits one frame, records first; one item at least."""
        room = Room()
        records = self._records[:WORKFLOW_STEPS_PER_FRAME_MAX]
        taken = tuple(takewhile(lambda record: room.takes(len(record.result)), records))
        del self._records[: len(taken)]
        # What is started rests on what is recorded, so it comes with the last of that or later.
        waits = () if self._records else self._waits[:WORKFLOW_WAITS_MAX]
        armed = tuple(takewhile(lambda wait: room.takes(size_of(wait)), waits))
        del self._waits[: len(armed)]
        return taken, armed

    def _fits(self) -> bool:
        few = len(self._records) <= WORKFLOW_STEPS_PER_FRAME_MAX
        return few and sum(len(record.result) for record in self._records) <= FRAME_BYTES_TARGET
