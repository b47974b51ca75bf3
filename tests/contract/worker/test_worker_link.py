"""The stream to an engine: over gRPC and over queues it must behave alike."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from mainspring_kernel.draws import SeededDraws
from mainspring_rpc.frames import from_worker_from_proto, to_worker_to_proto
from mainspring_rpc.generated.worker.v1 import worker_pb2 as pb
from mainspring_rpc.handlers import ServerStream
from mainspring_rpc.server import serve
from mainspring_rpc.services import worker_service
from mainspring_schema.frames import Attached, FromWorker, ToWorker
from mainspring_workstream.grpc_link import GrpcEngineLink
from mainspring_workstream.link import EngineLink, EngineStream, LinkBroken
from mainspring_workstream.queue_link import QueueEngineLink
from tests.unit.worker.fake_engine import WAIT_S

Talk = Callable[["Side"], Awaitable[None]]


class Side:
    """The engine's end of one stream, whatever carries it."""

    def __init__(
        self,
        read: Callable[[], Awaitable[FromWorker | None]],
        write: Callable[[ToWorker], Awaitable[None]],
    ) -> None:
        self.read = read
        self.write = write


@asynccontextmanager
async def over_queues(talk: Talk) -> AsyncGenerator[EngineLink]:
    talks: list[asyncio.Task[None]] = []

    class Door:
        def open(self) -> tuple[asyncio.Queue[FromWorker | None], asyncio.Queue[ToWorker | None]]:
            inbound: asyncio.Queue[FromWorker | None] = asyncio.Queue(4)
            outbound: asyncio.Queue[ToWorker | None] = asyncio.Queue(4)

            async def hold() -> None:
                await talk(Side(inbound.get, outbound.put))
                await outbound.put(None)

            talks.append(asyncio.create_task(hold()))
            return inbound, outbound

    yield QueueEngineLink(Door())
    for one in talks:
        one.cancel()
    await asyncio.gather(*talks, return_exceptions=True)


@asynccontextmanager
async def over_grpc(talk: Talk) -> AsyncGenerator[EngineLink]:
    class Servicer:
        async def work(self, stream: ServerStream[pb.WorkRequest, pb.WorkResponse], /) -> None:
            async def read() -> FromWorker | None:
                message = await stream.receive()
                return None if message is None else from_worker_from_proto(message)

            async def write(frame: ToWorker) -> None:
                await stream.send(to_worker_to_proto(frame))

            await talk(Side(read, write))

    server = await serve("127.0.0.1:0", [worker_service(Servicer())])
    link = GrpcEngineLink([server.address], SeededDraws(1))
    yield link
    await link.close()
    await server.stop(0)


Road = Callable[[Talk], AbstractAsyncContextManager[EngineLink]]
both = pytest.mark.parametrize("road", [over_queues, over_grpc], ids=["queues", "grpc"])


@both
async def test_frames_pass_both_ways_in_order(road: Road) -> None:
    async def echo_credits(side: Side) -> None:
        while (frame := await side.read()) is not None:
            await side.write(ToWorker(attached=Attached(lease_ms=frame.credits)))

    async with asyncio.timeout(WAIT_S), road(echo_credits) as link:
        stream = await link.open()
        answers: list[int] = []
        for number in range(1, 21):
            await stream.send(FromWorker(credits=number))
            answer = await stream.receive()
            assert answer.attached is not None
            answers.append(answer.attached.lease_ms)
        await stream.close()

    assert answers == list(range(1, 21))


@both
async def test_stream_that_the_engine_ends_is_broken(road: Road) -> None:
    async def hang_up(side: Side) -> None:
        await side.read()

    async with asyncio.timeout(WAIT_S), road(hang_up) as link:
        stream = await link.open()
        await stream.send(FromWorker(credits=1))

        with pytest.raises(LinkBroken):
            await stream.receive()
        await stream.close()


@both
async def test_closing_tells_the_engine_and_what_was_sent_arrives(road: Road) -> None:
    seen: list[FromWorker | None] = []
    ended = asyncio.Event()

    async def collect(side: Side) -> None:
        try:
            while (frame := await side.read()) is not None:
                seen.append(frame)
        finally:
            ended.set()

    async with asyncio.timeout(WAIT_S), road(collect) as link:
        stream = await link.open()
        await stream.send(FromWorker(credits=1))
        await stream.send(FromWorker(draining=True))

        await stream.close()
        await ended.wait()

    assert seen == [FromWorker(credits=1), FromWorker(draining=True)]


@both
async def test_closing_ends_a_receive_that_waits(road: Road) -> None:
    async def be_silent(side: Side) -> None:
        while await side.read() is not None:
            pass

    async with asyncio.timeout(WAIT_S), road(be_silent) as link:
        stream = await link.open()
        await stream.send(FromWorker(credits=1))
        receiving = asyncio.create_task(stream.receive())

        await stream.close()

        with pytest.raises(LinkBroken):
            await receiving


@both
async def test_closed_stream_takes_no_frame(road: Road) -> None:
    async def be_silent(side: Side) -> None:
        while await side.read() is not None:
            pass

    async with asyncio.timeout(WAIT_S), road(be_silent) as link:
        stream = await link.open()
        await stream.send(FromWorker(credits=1))
        await stream.close()
        await stream.close()

        with pytest.raises(LinkBroken):
            await stream.send(FromWorker(credits=1))


async def test_engines_are_taken_in_turn() -> None:
    asked: list[int] = []

    class Servicer:
        def __init__(self, number: int) -> None:
            self._number = number

        async def work(self, stream: ServerStream[pb.WorkRequest, pb.WorkResponse], /) -> None:
            asked.append(self._number)
            await stream.receive()

    servers = [
        await serve("127.0.0.1:0", [worker_service(Servicer(number))]) for number in range(2)
    ]
    link = GrpcEngineLink([server.address for server in servers], SeededDraws(1))
    async with asyncio.timeout(WAIT_S):
        for _ in range(4):
            stream = await link.open()
            await stream.send(FromWorker(credits=1))
            with pytest.raises(LinkBroken):
                await stream.receive()
            await stream.close()
    await link.close()
    for server in servers:
        await server.stop(0)

    assert sorted(asked[:2]) == [0, 1]
    assert asked[:2] == asked[2:]


async def test_absent_engine_is_a_broken_link() -> None:
    link = GrpcEngineLink(["127.0.0.1:1"], SeededDraws(1))
    async with asyncio.timeout(WAIT_S):
        stream = await link.open()

        with pytest.raises(LinkBroken):
            await exchange(stream)
        await stream.close()
    await link.close()


async def exchange(stream: EngineStream) -> ToWorker:
    await stream.send(FromWorker(credits=1))
    return await stream.receive()
