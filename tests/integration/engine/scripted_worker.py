"""A worker whose every move the test makes: it speaks frames to an engine's door."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import TypeVar
from uuid import UUID

import msgspec

from mainspring_engine.usecases.conversation import Conversations
from mainspring_kernel.ids import Ids
from mainspring_schema.codec import pack
from mainspring_schema.frames import (
    Acknowledgement,
    Attach,
    Beat,
    Emit,
    FromWorker,
    Held,
    Result,
    Task,
    ToWorker,
)
from mainspring_schema.tasks import AttemptResult, ReasonResult, ReasonTask, TaskPayload, ToolTask

T = TypeVar("T")
_PAYLOAD: msgspec.msgpack.Decoder[TaskPayload] = msgspec.msgpack.Decoder(TaskPayload)


class ScriptedWorker:
    """`tasks`, `acks` and `notices` are what the engine said, in order, to be awaited."""

    def __init__(self, ids: Ids, *, incarnation: UUID | None = None) -> None:
        self.incarnation = incarnation or ids.uuid7()
        self.attach_number = 0
        self.tasks: asyncio.Queue[Task] = asyncio.Queue()
        self.acks: asyncio.Queue[Acknowledgement] = asyncio.Queue()
        self.starts: asyncio.Queue[Acknowledgement] = asyncio.Queue()
        self.emits: asyncio.Queue[Acknowledgement] = asyncio.Queue()
        self.lost: asyncio.Queue[Held] = asyncio.Queue()
        self.cancelled: asyncio.Queue[Held] = asyncio.Queue()
        self.renewed: asyncio.Queue[Held] = asyncio.Queue()
        self.frames: list[ToWorker] = []
        self._outgoing: asyncio.Queue[FromWorker | None] = asyncio.Queue()
        self._reader: asyncio.Task[None] | None = None

    async def attach(
        self,
        door: Conversations,
        *,
        slots: int = 8,
        held: tuple[Held, ...] = (),
        capabilities: tuple[str, ...] = ("", "test_math"),
    ) -> None:
        self.attach_number += 1
        self._outgoing = asyncio.Queue()
        self.send(
            FromWorker(
                credits=slots - len(held),
                attach=Attach(
                    incarnation=self.incarnation,
                    attach_number=self.attach_number,
                    name="scripted",
                    build="",
                    queues=("default",),
                    capabilities=capabilities,
                    slots=slots,
                    held=held,
                ),
            )
        )
        attached = asyncio.Event()
        self._reader = asyncio.create_task(self._read(door, attached))
        async with asyncio.timeout(10):
            await attached.wait()

    async def leave(self) -> None:
        """Ends the stream as a closed connection would."""
        if self._reader is not None:
            self._outgoing.put_nowait(None)
            await asyncio.wait({self._reader})

    async def ended(self) -> None:
        """Returns once the engine has ended the stream."""
        assert self._reader is not None
        async with asyncio.timeout(10):
            await asyncio.wait({self._reader})

    def send(self, frame: FromWorker) -> None:
        self._outgoing.put_nowait(frame)

    async def next_task(self) -> Task:
        async with asyncio.timeout(10):
            return await self.tasks.get()

    async def next_reason(self) -> tuple[Task, ReasonTask]:
        task = await self.next_task()
        payload = _PAYLOAD.decode(task.payload)
        assert isinstance(payload, ReasonTask)
        return task, payload

    async def next_tool(self) -> tuple[Task, ToolTask]:
        task = await self.next_task()
        payload = _PAYLOAD.decode(task.payload)
        assert isinstance(payload, ToolTask)
        return task, payload

    def bring(self, task: Task, result: AttemptResult) -> None:
        body = pack(result)
        self.send(
            FromWorker(
                credits=1,
                results=(Result(held=task.held, hash=hashlib.sha256(body).digest(), body=body),),
            )
        )

    def reply(self, task: Task, text: str) -> None:
        self.bring(task, ReasonResult(text=text))

    def beat(self, *held: Held) -> None:
        self.send(FromWorker(beat=Beat(held=held)))

    def emit(self, emit: Emit) -> None:
        self.send(FromWorker(emits=(emit,)))

    async def acknowledged(self) -> Acknowledgement:
        async with asyncio.timeout(10):
            return await self.acks.get()

    async def _read(self, door: Conversations, attached: asyncio.Event) -> None:
        async for frame in door.serve(self._frames(self._outgoing)):
            self.frames.append(frame)
            if frame.attached is not None:
                attached.set()
            put_all(self.tasks, frame.tasks)
            put_all(self.acks, frame.results)
            put_all(self.starts, frame.starts)
            put_all(self.emits, frame.emits)
            put_all(self.lost, frame.lost)
            put_all(self.cancelled, frame.cancelled)
            put_all(self.renewed, frame.renewed)

    async def _frames(
        self, outgoing: asyncio.Queue[FromWorker | None]
    ) -> AsyncIterator[FromWorker]:
        while (frame := await outgoing.get()) is not None:
            yield frame


def put_all(queue: asyncio.Queue[T], items: tuple[T, ...]) -> None:
    for item in items:
        queue.put_nowait(item)
