"""EventStoreService over the event store."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

import msgspec

from mainspring_eventstore.ports.log import HeadView
from mainspring_eventstore.usecases.eventstore import EventStore
from mainspring_eventstore.usecases.reading import Read
from mainspring_kernel.errors import ValidationFailed
from mainspring_kernel.ids import N_MAX, SEQ_MAX, Position
from mainspring_kernel.tracing import current_trace
from mainspring_rpc.generated.eventstore.v1 import eventstore_pb2 as pb
from mainspring_runtime import names
from mainspring_runtime.telemetry import SpanKind, Telemetry
from mainspring_schema.codec import pack
from mainspring_schema.grants import AppendVerdict, DeltaAppend
from mainspring_schema.listing import EventFilter

_FILTER: Final = msgspec.msgpack.Decoder(EventFilter)
_NOTHING: Final = pack([])
_VERDICTS: Final = {
    AppendVerdict.COMMITTED: pb.APPEND_VERDICT_COMMITTED,
    AppendVerdict.DUPLICATE: pb.APPEND_VERDICT_DUPLICATE,
    AppendVerdict.STALE: pb.APPEND_VERDICT_STALE,
    AppendVerdict.GAP: pb.APPEND_VERDICT_GAP,
}


class EventStoreServicer:
    """Checks what comes in at the border and puts answers into frames."""

    def __init__(
        self,
        eventstore: EventStore,
        telemetry: Telemetry,
    ) -> None:
        self._eventstore = eventstore
        self._telemetry = telemetry

    async def append_many(self, request: pb.AppendManyRequest) -> pb.AppendManyResponse:
        items = [_delta(item) for item in request.items]
        attributes = {names.DELTA_COUNT: len(items)}
        with self._telemetry.span(
            names.SPAN_APPEND, kind=SpanKind.SERVER, attributes=attributes
        ) as span:
            verdicts = await self._eventstore.append_many(
                items, trace=span.context or current_trace()
            )
        return pb.AppendManyResponse(verdicts=[_VERDICTS[verdict] for verdict in verdicts])

    async def read(self, request: pb.ReadRequest) -> pb.ReadResponse:
        session_id = _id(request.session_id, "session_id")
        after = _position(request.after) if request.HasField("after") else None
        wanted = Read(
            session_id=session_id,
            org_id=_id(request.org_id, "org_id"),
            after=after,
            limit=request.limit,
            events_only=request.events_only,
        )
        with self._telemetry.span(names.SPAN_READ, kind=SpanKind.SERVER):
            page = await self._eventstore.read(wanted)
        if page is None:
            unknown = pb.Head(session_id=session_id.bytes, found=False)
            return pb.ReadResponse(events=_NOTHING, deltas=_NOTHING, head=unknown)
        return pb.ReadResponse(
            events=pack(page.events),
            deltas=pack(page.deltas),
            head=_head(session_id, page.head),
            more=page.more,
        )

    async def list(self, request: pb.ListRequest) -> pb.ListResponse:
        try:
            wanted = _FILTER.decode(request.filter) if request.filter else EventFilter()
        except msgspec.DecodeError as error:
            message = f"the filter cannot be read: {error}"
            raise ValidationFailed(message) from error
        listed = await self._eventstore.list_events(
            _id(request.session_id, "session_id"), _id(request.org_id, "org_id"), wanted
        )
        return pb.ListResponse(events=pack(listed.events), total=listed.total)

    async def heads(self, request: pb.HeadsRequest) -> pb.HeadsResponse:
        asked = [_id(session, "session_ids") for session in request.session_ids]
        found = await self._eventstore.heads(asked)
        pairs = zip(asked, found.heads, strict=True)
        return pb.HeadsResponse(heads=_heads(pairs), epoch=found.epoch)

    async def verify(self, request: pb.VerifyRequest) -> pb.VerifyResponse:
        found = await self._eventstore.verify(_id(request.session_id, "session_id"))
        return pb.VerifyResponse(
            events=found.events,
            intact=found.intact,
            broken_seq=found.broken_seq,
            reason=found.reason,
            head_hash=found.head_hash,
        )

    async def upkeep(self, _: pb.UpkeepRequest) -> pb.UpkeepResponse:
        done = await self._eventstore.upkeep()
        return pb.UpkeepResponse(
            partitions_made=done.partitions_made,
            deltas_dropped=done.deltas_dropped,
            more=done.more,
        )


def _id(raw: bytes, field: str) -> UUID:
    try:
        return UUID(bytes=raw)
    except ValueError as error:
        message = f"{field} needs 16 bytes"
        raise ValidationFailed(message) from error


def _position(raw: pb.Position) -> Position:
    # A position beyond the last one that can exist reads nothing; the columns hold no larger one.
    return Position(min(raw.seq, SEQ_MAX), min(raw.n, N_MAX))


def _delta(raw: pb.DeltaAppend) -> DeltaAppend:
    return DeltaAppend(
        session_id=_id(raw.session_id, "session_id"),
        turn_id=_id(raw.turn_id, "turn_id"),
        anchor=raw.anchor,
        attempt=raw.attempt,
        channel=raw.channel,
        offset=raw.offset,
        fragment=raw.fragment,
        reset=raw.reset,
    )


def _heads(pairs: Iterable[tuple[UUID, HeadView | None]]) -> Iterable[pb.Head]:
    return (_head(session_id, head) for session_id, head in pairs)


def _head(session_id: UUID, head: HeadView | None) -> pb.Head:
    if head is None:
        return pb.Head(session_id=session_id.bytes, found=False)
    return pb.Head(
        session_id=session_id.bytes,
        seq=head.seq,
        n=head.n,
        status=head.status.wire,
        paused=head.paused,
        closed=head.closed,
        turn_first_seq=head.turn_first_seq,
        updated_ms=head.updated_ms,
        found=True,
    )
