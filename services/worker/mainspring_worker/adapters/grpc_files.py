"""Files through api's ResourceService."""

from mainspring_rpc.channel import Channel
from mainspring_rpc.clients import ResourceClient
from mainspring_rpc.generated.resource.v1 import resource_pb2 as pb
from mainspring_schema.frames import Held


class GrpcFiles:
    def __init__(self, channel: Channel) -> None:
        self._client = ResourceClient(channel)

    async def write(self, held: Held, *, key: str, path: str, content: bytes) -> str:
        answer = await self._client.write_file(
            pb.WriteFileRequest(
                hold=pb.Hold(task_id=held.task_id.bytes, fence=held.fence),
                idempotency_key=key,
                path=path,
                content=content,
            )
        )
        return answer.path
