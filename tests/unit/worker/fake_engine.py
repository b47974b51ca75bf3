"""An engine that says only what a test tells it to, over the queues of a process."""

import asyncio
from collections.abc import Callable

from mainspring_schema.frames import (
    Acknowledgement,
    Attached,
    FromWorker,
    Held,
    Result,
    Task,
    ToWorker,
    Verdict,
)
from tests.unit.worker.making import LEASE_MS

WAIT_S = 10.0
"""How long a test waits for what must come; far above what anything here takes."""


class Conversation:
    """One stream, seen from the engine."""

    def __init__(self) -> None:
        self.inbound: asyncio.Queue[FromWorker | None] = asyncio.Queue(64)
        self.outbound: asyncio.Queue[ToWorker | None] = asyncio.Queue(64)
        self.attach: FromWorker | None = None

    async def next(self) -> FromWorker:
        async with asyncio.timeout(WAIT_S):
            frame = await self.inbound.get()
        assert frame is not None, "the worker hung up"
        return frame

    async def until(self, wanted: Callable[[FromWorker], object]) -> FromWorker:
        """The next frame for which `wanted` is true; the others are passed over."""
        while True:
            frame = await self.next()
            if wanted(frame):
                return frame

    async def accept(
        self, *, lease_ms: int = LEASE_MS, lost: tuple[Held, ...] = (), answers_drains: bool = False
    ) -> FromWorker:
        self.attach = await self.next()
        assert self.attach.attach is not None
        told = Attached(lease_ms=lease_ms, lost=lost, answers_drains=answers_drains)
        self.say(ToWorker(attached=told))
        return self.attach

    def say(self, frame: ToWorker) -> None:
        self.outbound.put_nowait(frame)

    def give(self, *tasks: Task) -> None:
        self.say(ToWorker(tasks=tasks))

    async def result(self) -> Result:
        frame = await self.until(lambda f: f.results)
        return frame.results[0]

    def acknowledge(self, *held: Held, verdict: Verdict = Verdict.COMMITTED) -> None:
        self.say(ToWorker(results=tuple(Acknowledgement(held=h, verdict=verdict) for h in held)))

    def grant_start(self, held: Held, verdict: Verdict = Verdict.COMMITTED) -> None:
        self.say(ToWorker(starts=(Acknowledgement(held=held, verdict=verdict),)))

    def grant_emit(self, held: Held, counter: int, verdict: Verdict = Verdict.COMMITTED) -> None:
        self.say(ToWorker(emits=(Acknowledgement(held=held, verdict=verdict, counter=counter),)))

    def hang_up(self) -> None:
        self.outbound.put_nowait(None)

    async def hung_up(self) -> None:
        """Returns when the worker has ended the stream."""
        async with asyncio.timeout(WAIT_S):
            while await self.inbound.get() is not None:
                pass


class FakeEngine:
    """A door through which a worker's streams come one by one."""

    def __init__(self) -> None:
        self._arrived: asyncio.Queue[Conversation] = asyncio.Queue()

    def open(self) -> tuple[asyncio.Queue[FromWorker | None], asyncio.Queue[ToWorker | None]]:
        conversation = Conversation()
        self._arrived.put_nowait(conversation)
        return conversation.inbound, conversation.outbound

    async def arrival(self) -> Conversation:
        async with asyncio.timeout(WAIT_S):
            return await self._arrived.get()

    async def attached(
        self, *, lease_ms: int = LEASE_MS, answers_drains: bool = False
    ) -> Conversation:
        conversation = await self.arrival()
        await conversation.accept(lease_ms=lease_ms, answers_drains=answers_drains)
        return conversation
