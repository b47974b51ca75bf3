"""The event store over gRPC."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec

from mainspring_api.adapters.flights import Flights
from mainspring_api.ports.log import HeadView, Listing, Page, Verification
from mainspring_kernel.errors import NotFound, ValidationFailed
from mainspring_kernel.ids import OrgId, Position, SessionId
from mainspring_kernel.limits import HEADS_PER_CALL_MAX, LANE_QUEUE_ITEMS_MAX
from mainspring_rpc import EventStoreClient
from mainspring_rpc.generated.eventstore.v1 import eventstore_pb2 as pb
from mainspring_schema import codec
from mainspring_schema.events import StoredDelta, StoredEvent
from mainspring_schema.listing import EventFilter

_EVENTS: Final = msgspec.msgpack.Decoder(tuple[StoredEvent, ...])
_DELTAS: Final = msgspec.msgpack.Decoder(tuple[StoredDelta, ...])
_CALLS_IN_AIR: Final = 2
"""Calls for heads at once: a slow one does not hold up whoever comes next."""


class RpcLog:
    """Heads that are asked for together ride one call."""

    def __init__(self, client: EventStoreClient) -> None:
        self._client = client
        self._epoch: int | None = None
        self._heads: Flights[UUID, HeadView | None] = Flights(
            self._fetch_heads,
            items_max=HEADS_PER_CALL_MAX,
            waiting_max=LANE_QUEUE_ITEMS_MAX,
            in_air_max=_CALLS_IN_AIR,
        )

    async def read(
        self,
        session_id: SessionId,
        org_id: OrgId,
        *,
        after: Position | None,
        limit: int,
        events_only: bool = False,
    ) -> Page:
        response = await self._client.read(
            pb.ReadRequest(
                session_id=session_id.bytes,
                org_id=org_id.bytes,
                after=pb.Position(seq=after.seq, n=after.n) if after is not None else None,
                limit=limit,
                events_only=events_only,
            )
        )
        if not response.head.found:
            detail = "no such session"
            raise NotFound(detail)
        return Page(
            events=_EVENTS.decode(response.events) if response.events else (),
            deltas=_DELTAS.decode(response.deltas) if response.deltas else (),
            head=_head(response.head),
            more=response.more,
        )

    async def list(self, session_id: SessionId, org_id: OrgId, filter_: EventFilter) -> Listing:
        try:
            wanted = codec.pack(filter_)
        except OverflowError as error:
            detail = "a number is out of range"
            raise ValidationFailed(detail) from error
        response = await self._client.list(
            pb.ListRequest(session_id=session_id.bytes, org_id=org_id.bytes, filter=wanted)
        )
        events = _EVENTS.decode(response.events) if response.events else ()
        return Listing(events=events, total=response.total)

    async def heads(self, session_ids: Sequence[UUID]) -> Mapping[UUID, HeadView]:
        if not session_ids:
            return {}
        if len(session_ids) == 1:
            found: Sequence[HeadView | None] = [await self._heads.ask(session_ids[0])]
        else:
            found = await self._fetch_heads(session_ids)
        return {head.session_id: head for head in found if head is not None}

    async def _fetch_heads(self, session_ids: Sequence[UUID]) -> Sequence[HeadView | None]:
        request = pb.HeadsRequest(session_ids=[id_.bytes for id_ in session_ids])
        response = await self._client.heads(request)
        self._epoch = response.epoch
        return [_head(head) if head.found else None for head in response.heads]

    async def epoch(self) -> int:
        if self._epoch is None:
            await self._fetch_heads(())
        return self._epoch or 0

    async def verify(self, session_id: SessionId) -> Verification:
        response = await self._client.verify(pb.VerifyRequest(session_id=session_id.bytes))
        return Verification(
            events=response.events,
            intact=response.intact,
            broken_seq=response.broken_seq,
            reason=response.reason,
            head_hash=response.head_hash,
        )


def _head(head: pb.Head) -> HeadView:
    return HeadView(
        session_id=UUID(bytes=head.session_id),
        seq=head.seq,
        n=head.n,
        status=head.status,
        paused=head.paused,
        closed=head.closed,
        turn_first_seq=head.turn_first_seq,
        updated_ms=head.updated_ms,
    )
