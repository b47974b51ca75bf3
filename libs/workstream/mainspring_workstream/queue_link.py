"""The stream to an engine of the same process: two bounded queues, the structs as they are."""

import asyncio
from typing import Protocol

from mainspring_schema.frames import FromWorker, ToWorker
from mainspring_workstream.link import EngineStream, LinkBroken


class WorkerDoor(Protocol):
    """The engine's side. None in a queue means: no more frames this way."""

    def open(
        self,
    ) -> "tuple[asyncio.Queue[FromWorker | None], asyncio.Queue[ToWorker | None]]":
        """What the engine reads from, and what it writes to. Raises LinkBroken when it is gone."""
        ...


class QueueEngineStream:
    def __init__(
        self,
        outward: "asyncio.Queue[FromWorker | None]",
        inward: "asyncio.Queue[ToWorker | None]",
    ) -> None:
        self._outward = outward
        self._inward = inward
        self._closed = False

    async def send(self, frame: FromWorker) -> None:
        if self._closed:
            reason = "the stream is closed"
            raise LinkBroken(reason)
        await self._outward.put(frame)

    async def receive(self) -> ToWorker:
        frame = None if self._closed else await self._inward.get()
        if frame is None:
            self._closed = True
            reason = "the engine closed the stream"
            raise LinkBroken(reason)
        return frame

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        hang_up(self._outward)
        hang_up(self._inward)


def hang_up(queue: "asyncio.Queue[FromWorker | None] | asyncio.Queue[ToWorker | None]") -> None:
    """Ends a direction at once. A frame may be lost: what is unanswered is sent again anyway."""
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(None)


class QueueEngineLink:
    def __init__(self, door: WorkerDoor) -> None:
        self._door = door

    async def open(self) -> EngineStream:
        outward, inward = self._door.open()
        return QueueEngineStream(outward, inward)

    async def close(self) -> None:
        return
