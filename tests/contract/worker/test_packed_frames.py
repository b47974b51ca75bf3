"""Frames are packed between two ends that both read it, and protobuf where one of them does not."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import cast
from uuid import UUID

from mainspring_engine.adapters.grpc_worker import WorkerServicer
from mainspring_engine.usecases.conversation import Conversations
from mainspring_kernel.draws import SeededDraws
from mainspring_rpc.frames import from_worker_from_proto, to_worker_to_proto
from mainspring_rpc.generated.worker.v1 import worker_pb2 as pb
from mainspring_rpc.handlers import ServerStream
from mainspring_rpc.server import serve
from mainspring_rpc.services import worker_service
from mainspring_schema.frames import Attach, Attached, FromWorker, Held, ToWorker
from mainspring_workstream.grpc_link import GrpcEngineLink
from tests.unit.worker.fake_engine import WAIT_S

HELD = Held(UUID(int=7), 1)
ATTACH = Attach(
    incarnation=UUID(int=9), attach_number=1, name="", build="", queues=(), capabilities=(), slots=1
)


class Echo:
    """Says of each start that it is lost."""

    async def serve(self, frames: AsyncIterator[FromWorker]) -> AsyncGenerator[ToWorker]:
        async for frame in frames:
            attached = None if frame.attach is None else Attached(lease_ms=1)
            yield ToWorker(attached=attached, lost=frame.starts)


class Noting(ServerStream[pb.WorkRequest, pb.WorkResponse]):
    """Which frames were packed, in the order in which the engine read and wrote them."""

    def __init__(  # pyright: ignore[reportMissingSuperCall] -- it is over a stream, and has no call
        self,
        stream: ServerStream[pb.WorkRequest, pb.WorkResponse],
        packed: list[bool],
        *,
        old: bool,
    ) -> None:
        self._stream, self._packed, self._old = stream, packed, old

    async def receive(self) -> pb.WorkRequest | None:
        message = await self._stream.receive()
        if message is not None:
            self._packed.append(bool(message.packed))
            if self._old and message.HasField("attach"):
                message.attach.reads_packed = False
        return message

    async def send(self, message: pb.WorkResponse) -> None:
        self._packed.append(bool(message.packed))
        await self._stream.send(message)


class NewEngine:
    def __init__(self, packed: list[bool], *, old_worker: bool) -> None:
        self._packed, self._old_worker = packed, old_worker

    async def work(self, stream: ServerStream[pb.WorkRequest, pb.WorkResponse], /) -> None:
        noting = Noting(stream, self._packed, old=self._old_worker)
        await WorkerServicer(cast("Conversations", cast("object", Echo()))).work(noting)


class OldEngine:
    def __init__(self, packed: list[bool]) -> None:
        self._packed = packed

    async def work(self, stream: ServerStream[pb.WorkRequest, pb.WorkResponse], /) -> None:
        noting = Noting(stream, self._packed, old=False)

        async def frames() -> AsyncIterator[FromWorker]:
            async for message in noting:
                yield from_worker_from_proto(message)

        async for reply in Echo().serve(frames()):
            await noting.send(to_worker_to_proto(reply))


@asynccontextmanager
async def reached(engine: NewEngine | OldEngine) -> AsyncGenerator[GrpcEngineLink]:
    server = await serve("127.0.0.1:0", [worker_service(engine)])
    link = GrpcEngineLink([server.address], SeededDraws(1))
    yield link
    await link.close()
    await server.stop(0)


async def said_and_told(engine: NewEngine | OldEngine) -> ToWorker:
    """An attach and a start; what the second is answered."""
    async with asyncio.timeout(WAIT_S), reached(engine) as link:
        stream = await link.open()
        await stream.send(FromWorker(attach=ATTACH))
        assert (await stream.receive()).attached == Attached(lease_ms=1)
        await stream.send(FromWorker(starts=(HELD,)))
        told = await stream.receive()
        await stream.close()
    return told


async def test_all_but_the_attach_and_its_answer_is_packed() -> None:
    packed: list[bool] = []

    assert await said_and_told(NewEngine(packed, old_worker=False)) == ToWorker(lost=(HELD,))
    assert packed == [False, False, True, True]


async def test_an_engine_that_reads_none_gets_none() -> None:
    packed: list[bool] = []

    assert await said_and_told(OldEngine(packed)) == ToWorker(lost=(HELD,))
    assert packed == [False] * 4


async def test_a_worker_that_reads_none_gets_none() -> None:
    packed: list[bool] = []

    assert await said_and_told(NewEngine(packed, old_worker=True)) == ToWorker(lost=(HELD,))
    assert packed[1::2] == [False, False]
