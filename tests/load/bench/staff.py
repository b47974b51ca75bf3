"""Simulated workers: each with a connection, a stream and credits of its own, all in one process.

They speak the real protocol and answer every task the moment it is entered, so that what is
measured is how the engine hands out work, not what work costs. Nothing of the worker's own code is
in here: a thousand of them must leave the machine to the engine.
"""

import asyncio
import hashlib
import time
import uuid
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

import msgspec

from mainspring_kernel.errors import MainspringError
from mainspring_kernel.limits import HEARTBEAT_IDLE_S, HEARTBEAT_S
from mainspring_rpc.channel import Channel, Stream
from mainspring_rpc.clients import WorkerClient
from mainspring_rpc.generated.worker.v1 import worker_pb2 as pb
from mainspring_schema.codec import pack
from mainspring_schema.tasks import PlainResult, PlainTask, ReasonResult, ReasonTask, TaskPayload
from tests.load.bench.orders import Entered, Staff, Tallied, Tally
from tests.load.bench.wire import WireProblem

ATTACHING_MAX: Final = 25
ATTACH_SECONDS_MAX: Final = 60.0
ENTERED_MAX: Final = 1_000_000
BEATS_PER_S: Final = 20.0
"""How often somebody is looked for whose beat is due; each beats on its own time."""
_PAYLOAD: Final[msgspec.msgpack.Decoder[TaskPayload]] = msgspec.msgpack.Decoder(TaskPayload)
PLAIN_TYPE: Final = "bench"
"""Of the plain tasks that they offer to do."""
NOTE_TYPE: Final = "note"
"""Of those that the SDK's client submits in a burst (`peers/own.py`)."""
_Stream = Stream[pb.WorkRequest, pb.WorkResponse]


class Body(NamedTuple):
    """The result of a step, which is the same for all of a kind."""

    body: bytes
    hash: bytes

    @classmethod
    def of(cls, result: ReasonResult | PlainResult) -> "Body":
        body = pack(result)
        return cls(body, hashlib.sha256(body).digest())


_SAID: Final = Body.of(ReasonResult(text="Hello.", finish_reason="stop"))
_NOTHING: Final = Body.of(PlainResult())


class Book:
    """What the workers of one process saw."""

    def __init__(self) -> None:
        self.entered: list[Entered] = []
        self.config_hash = b""
        self.answered = 0
        self.refused = 0
        self.breaks: list[str] = []
        self.work_ms = 0.0

    def enter(self, task: pb.Task, now_s: float) -> Body:
        """Notes it; returns what it is answered with."""
        payload = _PAYLOAD.decode(task.payload)
        if isinstance(payload, PlainTask):
            self._note(task.task_id.hex(), now_s)
            return _NOTHING
        if isinstance(payload, ReasonTask):
            self.config_hash = payload.config_hash
            self._note(payload.turn_id.hex, now_s)
        return _SAID

    def _note(self, id_: str, now_s: float) -> None:
        if len(self.entered) < ENTERED_MAX:
            self.entered.append(Entered(id_, now_s))


class SimulatedWorker:
    """Answers at once; a broken stream is counted and opened again with nothing held."""

    def __init__(self, order: Staff, number: int, book: Book) -> None:
        self._engine = order.engines[number % len(order.engines)]
        self._order = order
        self._name = f"bench-{number}"
        self._book = book
        self._incarnation = uuid.uuid4().bytes
        self._attach_number = 0
        self._stream: _Stream | None = None
        # gRPC bears one writer at a time: beats and answers take turns.
        self._writing = asyncio.Lock()
        self._unanswered: dict[bytes, int] = {}
        self._at_work: set[asyncio.Task[None]] = set()
        self._beat_at = time.monotonic() + HEARTBEAT_IDLE_S * (number % 97) / 97
        self.attached = asyncio.Event()

    async def work(self) -> None:
        channel = Channel(self._engine)
        try:
            while True:
                try:
                    await self._one_stream(channel)
                except MainspringError as error:
                    # An engine that thousands call at once keeps some waiting: no stream breaks.
                    if self.attached.is_set():
                        self._book.breaks.append(error.detail)
                self.attached.clear()
                self._stream = None
                await asyncio.sleep(1.0)
        finally:
            await channel.close()

    async def _one_stream(self, channel: Channel) -> None:
        self._attach_number += 1
        self._unanswered.clear()
        stream = WorkerClient(channel).work.open()
        await stream.send(self._attach())
        self._stream = stream
        async for frame in stream:
            if frame.HasField("attached"):
                self.attached.set()
            if frame.tasks:
                await self._take(stream, frame.tasks)
            for one in frame.results:
                self._settle(one)
            if frame.leaving:
                return

    def _attach(self) -> pb.WorkRequest:
        return pb.WorkRequest(
            attach=pb.Attach(
                incarnation=self._incarnation,
                attach_number=self._attach_number,
                name=self._name,
                build="bench",
                queues=["default"],
                capabilities=["", f"task:{PLAIN_TYPE}", f"task:{NOTE_TYPE}"],
                slots=self._order.slots,
            ),
            credits=self._order.slots,
        )

    async def _take(self, stream: _Stream, tasks: Sequence[pb.Task]) -> None:
        now = time.monotonic()
        results: list[pb.Result] = []
        for task in tasks:
            self._unanswered[task.task_id] = task.fence
            body, hash_ = self._book.enter(task, now)
            results.append(pb.Result(task_id=task.task_id, fence=task.fence, hash=hash_, body=body))
        if self._book.work_ms:
            self._hold(self._after_work(stream, results))
        else:
            await self._answer(stream, results)

    async def _after_work(self, stream: _Stream, results: Sequence[pb.Result]) -> None:
        await asyncio.sleep(self._book.work_ms / 1000)
        if stream is self._stream:
            with suppress(MainspringError):  # the reader sees the break as well
                await self._answer(stream, results)

    def _hold(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)

    async def _answer(self, stream: _Stream, results: Sequence[pb.Result]) -> None:
        async with self._writing:
            await stream.send(pb.WorkRequest(results=results, credits=len(results)))

    def _settle(self, answer: pb.Acknowledgement) -> None:
        self._unanswered.pop(answer.task_id, None)
        if answer.verdict in (pb.VERDICT_COMMITTED, pb.VERDICT_DUPLICATE):
            self._book.answered += 1
        else:
            self._book.refused += 1

    async def beat(self, now_s: float) -> None:
        """Where one is due: as a worker that holds something, or as one that holds nothing."""
        if self._stream is None or not self.attached.is_set() or now_s < self._beat_at:
            return
        self._beat_at = now_s + (HEARTBEAT_S if self._unanswered else HEARTBEAT_IDLE_S)
        held = [pb.Held(task_id=id_, fence=fence) for id_, fence in self._unanswered.items()]
        async with self._writing:
            await self._stream.send(pb.WorkRequest(beat=pb.Beat(held=held)))


class Office:
    """All simulated workers of this process."""

    def __init__(self) -> None:
        self._book = Book()
        self._workers: list[SimulatedWorker] = []
        self._working: set[asyncio.Task[None]] = set()

    async def open(self, order: Staff) -> None:
        """Returns when everyone is attached. Raises WireProblem where that takes too long."""
        self._book.work_ms = order.work_ms
        gate = asyncio.Semaphore(ATTACHING_MAX)
        numbers = range(order.first, order.first + order.workers)
        self._workers = [SimulatedWorker(order, number, self._book) for number in numbers]

        async def begin(worker: SimulatedWorker) -> None:
            async with gate:
                self._working.add(asyncio.create_task(worker.work()))
                await worker.attached.wait()

        try:
            async with asyncio.timeout(ATTACH_SECONDS_MAX):
                await asyncio.gather(*(begin(worker) for worker in self._workers))
        except TimeoutError as error:
            attached = sum(worker.attached.is_set() for worker in self._workers)
            msg = f"{attached} of {order.workers} workers were attached in time"
            raise WireProblem(msg) from error
        self._working.add(asyncio.create_task(self._beats()))

    async def _beats(self) -> None:
        while True:
            await asyncio.sleep(1 / BEATS_PER_S)
            now = time.monotonic()
            for worker in self._workers:
                try:
                    await worker.beat(now)
                except MainspringError:
                    continue  # its reader sees the break and opens again

    def tally(self, order: Tally) -> Tallied:
        """What was seen since the last tally."""
        book = self._book
        if order.hurry:
            book.work_ms = 0.0
        found = Tallied(
            entered=book.entered,
            answered=book.answered,
            refused=book.refused,
            breaks=book.breaks,
            attached=sum(worker.attached.is_set() for worker in self._workers),
            config_hash=book.config_hash.hex(),
        )
        book.entered, book.answered, book.refused, book.breaks = [], 0, 0, []
        return found

    async def close(self) -> None:
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)
