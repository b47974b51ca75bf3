"""Turns over api's SessionService."""

from collections.abc import Sequence
from typing import Final

import msgspec

from mainspring_rpc import SessionClient
from mainspring_rpc.generated.session.v1 import session_pb2 as pb
from mainspring_scheduler.domain import limits
from mainspring_schema import codec
from mainspring_schema.posting import (
    CancelTurn,
    OneTurn,
    Posted,
    PostMessage,
    TurnsAsked,
    TurnState,
    TurnsTold,
)

_POSTED: Final = msgspec.msgpack.Decoder(Posted)
_TOLD: Final = msgspec.msgpack.Decoder(TurnsTold)
_TIMEOUT_S: Final = limits.SLOT_CALL_TIMEOUT_S


class RpcTurns:
    def __init__(self, client: SessionClient) -> None:
        self._client = client

    async def post(self, command: PostMessage) -> Posted:
        request = pb.PostRequest(command=codec.pack(command))
        return _POSTED.decode((await self._client.post(request, timeout_s=_TIMEOUT_S)).posted)

    async def states(self, turns: Sequence[OneTurn]) -> Sequence[TurnState]:
        request = pb.TurnsRequest(asked=codec.pack(TurnsAsked(turns=tuple(turns))))
        told = await self._client.turns(request, timeout_s=_TIMEOUT_S)
        return _TOLD.decode(told.told).states

    async def cancel(self, command: CancelTurn) -> None:
        request = pb.CancelTurnRequest(command=codec.pack(command))
        await self._client.cancel_turn(request, timeout_s=_TIMEOUT_S)
