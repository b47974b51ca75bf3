"""The event store over gRPC."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec

from mainspring_kernel.errors import MainspringError
from mainspring_kernel.ids import Position
from mainspring_kernel.limits import READ_ROWS_MAX
from mainspring_rpc.channel import Channel
from mainspring_rpc.clients import EventStoreClient
from mainspring_rpc.generated.eventstore.v1 import eventstore_pb2 as pb
from mainspring_schema.events import StoredDelta, StoredEvent
from mainspring_schema.grants import AppendVerdict, DeltaAppend
from mainspring_worker.ports.eventlog import LogPage

_EVENTS: Final = msgspec.msgpack.Decoder(tuple[StoredEvent, ...])
_DELTAS: Final = msgspec.msgpack.Decoder(tuple[StoredDelta, ...])


class GrpcEventLog:
    def __init__(self, channel: Channel) -> None:
        self._client = EventStoreClient(channel)

    async def append(self, deltas: Sequence[DeltaAppend]) -> Sequence[AppendVerdict]:
        answer = await self._client.append_many(
            pb.AppendManyRequest(items=[_item(delta) for delta in deltas])
        )
        if len(answer.verdicts) != len(deltas):
            message = f"{len(deltas)} fragments sent, {len(answer.verdicts)} verdicts came back"
            raise MainspringError(message)
        return [AppendVerdict(verdict) for verdict in answer.verdicts]

    async def read(
        self, session_id: UUID, org_id: UUID, *, after: Position, events_only: bool
    ) -> LogPage:
        answer = await self._client.read(
            pb.ReadRequest(
                session_id=session_id.bytes,
                org_id=org_id.bytes,
                after=pb.Position(seq=after.seq, n=after.n),
                limit=READ_ROWS_MAX,
                events_only=events_only,
            )
        )
        return LogPage(
            events=_EVENTS.decode(answer.events) if answer.events else (),
            deltas=_DELTAS.decode(answer.deltas) if answer.deltas else (),
            more=answer.more,
        )


def _item(delta: DeltaAppend) -> pb.DeltaAppend:
    return pb.DeltaAppend(
        session_id=delta.session_id.bytes,
        turn_id=delta.turn_id.bytes,
        anchor=delta.anchor,
        attempt=delta.attempt,
        channel=delta.channel,
        offset=delta.offset,
        fragment=delta.fragment,
        reset=delta.reset,
    )
