"""SessionService: what other services ask when a message comes without a client."""

from typing import TypeVar

import msgspec

from mainspring_api.adapters.posting import SessionDoor
from mainspring_kernel.errors import MalformedBody
from mainspring_rpc.generated.session.v1 import session_pb2 as pb
from mainspring_schema import codec
from mainspring_schema.posting import CancelTurn, PostMessage, TurnsAsked, TurnsTold

T = TypeVar("T")


class SessionServicer:
    def __init__(self, door: SessionDoor) -> None:
        self._door = door

    async def post(self, request: pb.PostRequest, /) -> pb.PostResponse:
        posted = await self._door.post(_read(request.command, PostMessage))
        return pb.PostResponse(posted=codec.pack(posted))

    async def turns(self, request: pb.TurnsRequest, /) -> pb.TurnsResponse:
        states = await self._door.states(_read(request.asked, TurnsAsked).turns)
        return pb.TurnsResponse(told=codec.pack(TurnsTold(states=tuple(states))))

    async def cancel_turn(self, request: pb.CancelTurnRequest, /) -> pb.CancelTurnResponse:
        await self._door.cancel(_read(request.command, CancelTurn))
        return pb.CancelTurnResponse()


def _read(data: bytes, type_: type[T]) -> T:
    try:
        return msgspec.msgpack.decode(data, type=type_)
    except msgspec.MsgspecError as error:
        detail = f"the command cannot be read: {error}"
        raise MalformedBody(detail) from error
