"""The event store over gRPC."""

from typing import Final
from uuid import UUID

import msgspec

from mainspring_kernel.ids import Position
from mainspring_kernel.limits import READ_ROWS_MAX
from mainspring_rpc.generated.eventstore.v1 import eventstore_pb2 as pb
from mainspring_schema.events import StoredDelta, StoredEvent
from mainspring_worker.ports.eventlog import LogPage
from mainspring_workstream.grpc_deltas import GrpcDeltas

_EVENTS: Final = msgspec.msgpack.Decoder(tuple[StoredEvent, ...])
_DELTAS: Final = msgspec.msgpack.Decoder(tuple[StoredDelta, ...])


class GrpcEventLog(GrpcDeltas):
    """Both ways."""

    async def read(
        self, session_id: UUID, org_id: UUID, *, after: Position, events_only: bool
    ) -> LogPage:
        answer = await self.client.read(
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
