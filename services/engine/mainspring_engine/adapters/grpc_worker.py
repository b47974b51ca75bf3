"""WorkerService: one bidirectional stream per worker."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from mainspring_engine.usecases.conversation import Conversations
from mainspring_rpc.frames import from_worker_from_proto, to_worker_to_proto
from mainspring_rpc.generated.worker.v1 import worker_pb2 as pb
from mainspring_rpc.handlers import ServerStream
from mainspring_schema.frames import FromWorker


class WorkerServicer:
    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations

    async def work(self, stream: ServerStream[pb.WorkRequest, pb.WorkResponse], /) -> None:
        """Returns when the worker is done; cancelled when it is gone."""
        async with aclosing(self._conversations.serve(_frames(stream))) as replies:
            async for reply in replies:
                await stream.send(to_worker_to_proto(reply))


async def _frames(
    stream: ServerStream[pb.WorkRequest, pb.WorkResponse],
) -> AsyncIterator[FromWorker]:
    async for message in stream:
        yield from_worker_from_proto(message)
