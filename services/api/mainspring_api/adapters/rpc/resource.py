"""What workers may ask while they hold a task."""

from uuid import UUID

from mainspring_api.ports.credentials import CredentialSource
from mainspring_api.ports.store import Store
from mainspring_api.usecases.credentials import credentials_for
from mainspring_kernel.errors import InvalidParameter
from mainspring_kernel.ids import Prefix, ProviderId, TaskId, from_wire
from mainspring_rpc.generated.resource.v1 import resource_pb2 as pb

_UUID_BYTES = 16


class ResourceServicer:
    def __init__(self, store: Store, source: CredentialSource) -> None:
        self._store = store
        self._source = source

    async def get_credentials(
        self, request: pb.GetCredentialsRequest, /
    ) -> pb.GetCredentialsResponse:
        if len(request.hold.task_id) != _UUID_BYTES:
            detail = "hold.task_id has 16 bytes"
            raise InvalidParameter(detail)
        found = await credentials_for(
            self._store,
            self._source,
            TaskId(UUID(bytes=request.hold.task_id)),
            request.hold.fence,
            ProviderId(from_wire(Prefix.PROVIDER, request.provider_id)),
        )
        return pb.GetCredentialsResponse(api_key=found.api_key, base_url=found.base_url)
