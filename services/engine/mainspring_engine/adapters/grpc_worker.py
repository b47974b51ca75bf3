"""WorkerService: one bidirectional stream per worker."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from mainspring_engine.usecases.conversation import Conversations
from mainspring_rpc.frames import from_worker_from_proto, to_worker_to_proto
from mainspring_rpc.generated.worker.v1 import worker_pb2 as pb
from mainspring_rpc.handlers import ServerStream
from mainspring_rpc.packed import to_worker_packed
from mainspring_schema.frames import FromWorker, ToWorker


class WorkerServicer:
    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations

    async def work(self, stream: ServerStream[pb.WorkRequest, pb.WorkResponse], /) -> None:
        """Returns when the worker is done; cancelled when it is gone."""
        wire = _Wire(stream)
        async with aclosing(self._conversations.serve(wire.frames())) as replies:
            async for reply in replies:
                await stream.send(wire.written(reply))


class _Wire:
    """One stream's frames as they travel: packed to a worker that reads such, as it attaches."""

    def __init__(self, stream: ServerStream[pb.WorkRequest, pb.WorkResponse]) -> None:
        self._stream = stream
        self._packs = False

    async def frames(self) -> AsyncIterator[FromWorker]:
        async for message in self._stream:
            self._packs = self._packs or message.attach.reads_packed
            yield from_worker_from_proto(message)

    def written(self, reply: ToWorker) -> pb.WorkResponse:
        if self._packs and reply.attached is None:
            return to_worker_packed(reply)
        message = to_worker_to_proto(reply)
        if reply.attached is not None:
            message.attached.reads_packed = True
        return message
