"""The stream to an engine over gRPC; several addresses are taken in turn."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from mainspring_kernel.draws import Draws
from mainspring_kernel.errors import MainspringError
from mainspring_rpc.channel import Channel, Stream
from mainspring_rpc.clients import WorkerClient
from mainspring_rpc.frames import from_worker_to_proto, to_worker_from_proto
from mainspring_rpc.generated.worker.v1 import worker_pb2 as pb
from mainspring_rpc.packed import from_worker_packed
from mainspring_schema.frames import FromWorker, ToWorker
from mainspring_workstream.limits import CLOSE_S
from mainspring_workstream.link import EngineStream, LinkBroken


class GrpcEngineStream:
    def __init__(self, stream: Stream[pb.WorkRequest, pb.WorkResponse], address: str) -> None:
        self._stream = stream
        self._address = address
        # A call bears one reader at a time, and `close` reads while another may still wait.
        self._reading = asyncio.Lock()
        self._closed = False
        self._packs = False
        """Whether the engine reads packed frames: it says so in its answer to the attach."""

    async def send(self, frame: FromWorker) -> None:
        try:
            await self._stream.send(self._written(frame))
        except MainspringError as error:
            raise self._broken(error.detail) from error

    async def receive(self) -> ToWorker:
        try:
            async with self._reading:
                message = await self._stream.receive()
            if message is not None:
                self._packs = self._packs or message.attached.reads_packed
                return to_worker_from_proto(message)
        except MainspringError as error:
            raise self._broken(error.detail) from error
        reason = "the engine closed the stream"
        raise self._broken(reason)

    def _broken(self, why: str) -> LinkBroken:
        return LinkBroken(f"{self._address}: {why}")

    def _written(self, frame: FromWorker) -> pb.WorkRequest:
        if self._packs:
            return from_worker_packed(frame)
        message = from_worker_to_proto(frame)
        if frame.attach is not None:
            message.attach.reads_packed = True
        return message

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        # A reset discards what the engine has not read yet, so it gets a moment to read to the end.
        await self._stream.finish_sending()
        with suppress(MainspringError, TimeoutError):
            async with asyncio.timeout(CLOSE_S), self._reading:
                while await self._stream.receive() is not None:
                    pass
        self._stream.cancel()


class GrpcEngineLink:
    """The first address is drawn, so that workers spread over engines; then they take turns."""

    def __init__(self, addresses: Sequence[str], draws: Draws) -> None:
        self._addresses = tuple(addresses)
        self._next = int(draws.unit() * len(self._addresses))
        self._channels: dict[str, Channel] = {}

    async def open(self) -> EngineStream:
        address = self._addresses[self._next % len(self._addresses)]
        self._next += 1
        channel = self._channels.get(address)
        if channel is None:
            channel = self._channels[address] = Channel(address)
        return GrpcEngineStream(WorkerClient(channel).work.open(), address)

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close()
        self._channels.clear()
