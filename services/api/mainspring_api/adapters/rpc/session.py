"""SessionService: what other services ask when a message comes without a client."""

from typing import Final

import msgspec

from mainspring_api.adapters.posting import SessionDoor
from mainspring_rpc.generated.session.v1 import session_pb2 as pb
from mainspring_schema.codec import pack, read_command
from mainspring_schema.posting import CancelTurn, PostMessage, TurnsAsked, TurnsTold

_POST_MESSAGE: Final = msgspec.msgpack.Decoder(PostMessage).decode
_TURNS_ASKED: Final = msgspec.msgpack.Decoder(TurnsAsked).decode
_CANCEL_TURN: Final = msgspec.msgpack.Decoder(CancelTurn).decode


class SessionServicer:
    def __init__(self, door: SessionDoor) -> None:
        self._door = door

    async def post(self, request: pb.PostRequest, /) -> pb.PostResponse:
        posted = await self._door.post(read_command(_POST_MESSAGE, request.command))
        return pb.PostResponse(posted=pack(posted))

    async def turns(self, request: pb.TurnsRequest, /) -> pb.TurnsResponse:
        states = await self._door.states(read_command(_TURNS_ASKED, request.asked).turns)
        return pb.TurnsResponse(told=pack(TurnsTold(states=tuple(states))))

    async def cancel_turn(self, request: pb.CancelTurnRequest, /) -> pb.CancelTurnResponse:
        await self._door.cancel(read_command(_CANCEL_TURN, request.command))
        return pb.CancelTurnResponse()
