"""Fragments to the event store over gRPC."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from mainspring_kernel.errors import MainspringError
from mainspring_rpc.channel import Channel
from mainspring_rpc.clients import EventStoreClient
from mainspring_rpc.generated.eventstore.v1 import eventstore_pb2 as pb
from mainspring_schema.grants import AppendVerdict, DeltaAppend


class GrpcDeltas:
    def __init__(self, channel: Channel) -> None:
        self.client = EventStoreClient(channel)

    async def append(self, deltas: Sequence[DeltaAppend]) -> Sequence[AppendVerdict]:
        answer = await self.client.append_many(
            pb.AppendManyRequest(items=[_item(delta) for delta in deltas])
        )
        if len(answer.verdicts) != len(deltas):
            message = f"{len(deltas)} fragments sent, {len(answer.verdicts)} verdicts came back"
            raise MainspringError(message)
        return [AppendVerdict(verdict) for verdict in answer.verdicts]


@asynccontextmanager
async def deltas_to(address: str) -> AsyncGenerator[GrpcDeltas]:
    """The event store at an address, `host:port`; it need not be there yet."""
    channel = Channel(address)
    try:
        yield GrpcDeltas(channel)
    finally:
        await channel.close()


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
