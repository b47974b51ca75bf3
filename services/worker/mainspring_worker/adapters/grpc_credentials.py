"""Credentials from api's ResourceService. They are asked for per call and never kept."""

from mainspring_rpc.channel import Channel
from mainspring_rpc.clients import ResourceClient
from mainspring_rpc.generated.resource.v1 import resource_pb2 as pb
from mainspring_schema.frames import Held
from mainspring_worker.ports.credentials import ProviderAccess
from mainspring_worker.ports.model import Credentials


class GrpcCredentials:
    def __init__(self, channel: Channel) -> None:
        self._client = ResourceClient(channel)

    async def fetch(self, held: Held, provider_id: str) -> ProviderAccess:
        answer = await self._client.get_credentials(
            pb.GetCredentialsRequest(
                hold=pb.Hold(task_id=held.task_id.bytes, fence=held.fence),
                provider_id=provider_id,
            )
        )
        return ProviderAccess(
            credentials=Credentials(api_key=answer.api_key or None),
            base_url=answer.base_url or None,
            driver=answer.driver,
        )
