"""What workers may ask while they hold a task."""

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

import msgspec

from mainspring_api.usecases import held, held_files
from mainspring_api.usecases.credentials import StoredCredentials, credentials_for
from mainspring_api.usecases.keeper import Keeper
from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import InvalidParameter
from mainspring_kernel.ids import Prefix, ProviderId, TaskId, from_wire
from mainspring_rpc.generated.resource.v1 import resource_pb2 as pb
from mainspring_schema.frames import Held
from mainspring_schema.holdings import read_order, read_question

A = TypeVar("A")
_UUID_BYTES = 16


class ResourceServicer:
    def __init__(self, keeper: Keeper, source: StoredCredentials, clock: Clock) -> None:
        self._keeper = keeper
        self._source = source
        self._clock = clock

    async def get_credentials(
        self, request: pb.GetCredentialsRequest, /
    ) -> pb.GetCredentialsResponse:
        found = await credentials_for(
            self._keeper.store,
            self._source,
            _task_of(request.hold),
            request.hold.fence,
            ProviderId(from_wire(Prefix.PROVIDER, request.provider_id)),
        )
        return pb.GetCredentialsResponse(
            api_key=found.api_key, base_url=found.base_url, driver=found.driver
        )

    async def write_file(self, request: pb.WriteFileRequest, /) -> pb.WriteFileResponse:
        wanted = held_files.HeldWrite(
            task_id=_task_of(request.hold),
            fence=request.hold.fence,
            key=request.idempotency_key,
            path=request.path,
            content=request.content,
        )
        path = await held_files.write(
            self._keeper.store, wanted, self._keeper.ids, now_ms=self._clock.wall_ms()
        )
        return pb.WriteFileResponse(path=path)

    async def ask(self, request: pb.AskRequest, /) -> pb.AskResponse:
        question = _decoded(read_question, request.question)
        now_ms = self._clock.wall_ms()
        answer = await held.ask(self._keeper, _held(request.hold), question, now_ms=now_ms)
        return pb.AskResponse(answer=answer)

    async def change(self, request: pb.ChangeRequest, /) -> pb.ChangeResponse:
        answer = await held.change(
            self._keeper,
            _held(request.hold),
            _decoded(read_order, request.order),
            key=request.idempotency_key,
            now_ms=self._clock.wall_ms(),
        )
        return pb.ChangeResponse(answer=answer)


def _decoded(read: Callable[[bytes], A], data: bytes) -> A:
    """Raises InvalidParameter, also for what only a later version asks."""
    try:
        return read(data)
    except msgspec.DecodeError as error:
        detail = "this version does not know what is asked"
        raise InvalidParameter(detail) from error


def _held(hold: pb.Hold) -> Held:
    return Held(_task_of(hold), hold.fence)


def _task_of(hold: pb.Hold) -> TaskId:
    if len(hold.task_id) != _UUID_BYTES:
        detail = "hold.task_id has 16 bytes"
        raise InvalidParameter(detail)
    return TaskId(UUID(bytes=hold.task_id))
