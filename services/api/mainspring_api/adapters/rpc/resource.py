"""What workers may ask while they hold a task."""

from uuid import UUID

from mainspring_api.ports.store import Store
from mainspring_api.usecases import held_files
from mainspring_api.usecases.credentials import StoredCredentials, credentials_for
from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import InvalidParameter
from mainspring_kernel.ids import Ids, Prefix, ProviderId, TaskId, from_wire
from mainspring_rpc.generated.resource.v1 import resource_pb2 as pb

_UUID_BYTES = 16


class ResourceServicer:
    def __init__(self, store: Store, source: StoredCredentials, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._source = source
        self._clock = clock
        self._ids = ids

    async def get_credentials(
        self, request: pb.GetCredentialsRequest, /
    ) -> pb.GetCredentialsResponse:
        found = await credentials_for(
            self._store,
            self._source,
            _task_of(request.hold),
            request.hold.fence,
            ProviderId(from_wire(Prefix.PROVIDER, request.provider_id)),
        )
        return pb.GetCredentialsResponse(api_key=found.api_key, base_url=found.base_url)

    async def write_file(self, request: pb.WriteFileRequest, /) -> pb.WriteFileResponse:
        wanted = held_files.HeldWrite(
            task_id=_task_of(request.hold),
            fence=request.hold.fence,
            key=request.idempotency_key,
            path=request.path,
            content=request.content,
        )
        path = await held_files.write(self._store, wanted, self._ids, now_ms=self._clock.wall_ms())
        return pb.WriteFileResponse(path=path)


def _task_of(hold: pb.Hold) -> TaskId:
    if len(hold.task_id) != _UUID_BYTES:
        detail = "hold.task_id has 16 bytes"
        raise InvalidParameter(detail)
    return TaskId(UUID(bytes=hold.task_id))
