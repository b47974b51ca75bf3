"""Rows of the log's queries as structs."""

from uuid import UUID

from msgspec import Struct

from mainspring_eventstore.ports.log import Appended, HeadView
from mainspring_schema.events import StoredDelta, StoredEvent
from mainspring_schema.grants import AppendVerdict, DeltaAnswer, SessionStatus

KIND_HEAD, KIND_EVENT, KIND_DELTA = 0, 1, 2


class AnswerRow(Struct, frozen=True, kw_only=True):
    item: int
    verdict: AppendVerdict
    seq: int
    n: int
    ts_ms: int
    org_id: UUID | None

    def appended(self) -> Appended:
        answer = DeltaAnswer(
            item=self.item, verdict=self.verdict, seq=self.seq, n=self.n, ts_ms=self.ts_ms
        )
        return Appended(answer=answer, org_id=self.org_id)


class PageRow(Struct, frozen=True, kw_only=True):
    """A head, an event or a delta; what a kind lacks is null or zero."""

    kind: int
    seq: int
    n: int
    ts_ms: int
    type: str | None
    payload: bytes | None
    deltas_before: int
    turn_id: UUID | None
    anchor: str | None
    attempt: int
    channel: str | None
    offset: int
    fragment: str | None
    reset: bool
    status: int
    paused: bool
    closed: bool
    turn_first_seq: int

    def head(self, session_id: UUID, org_id: UUID) -> HeadView:
        return HeadView(
            session_id=session_id,
            org_id=org_id,
            seq=self.seq,
            n=self.n,
            hash=self.payload or b"",
            status=SessionStatus(self.status),
            paused=self.paused,
            closed=self.closed,
            turn_first_seq=self.turn_first_seq,
            updated_ms=self.ts_ms,
        )

    def event(self) -> StoredEvent:
        return StoredEvent(
            seq=self.seq,
            type=self.type or "",
            ts_ms=self.ts_ms,
            payload=self.payload or b"",
            deltas_before=self.deltas_before,
        )

    def delta(self) -> StoredDelta:
        return StoredDelta(
            seq=self.seq,
            n=self.n,
            ts_ms=self.ts_ms,
            turn_id=self.turn_id or UUID(int=0),
            anchor=self.anchor or "",
            attempt=self.attempt,
            channel=self.channel or "",
            offset=self.offset,
            fragment=self.fragment or "",
            reset=self.reset,
        )


class EventRow(Struct, frozen=True, kw_only=True):
    seq: int
    type: str
    ts_ms: int
    payload: bytes
    deltas_before: int

    def event(self) -> StoredEvent:
        return StoredEvent(
            seq=self.seq,
            type=self.type,
            ts_ms=self.ts_ms,
            payload=self.payload,
            deltas_before=self.deltas_before,
        )


class HorizonRow(Struct, frozen=True, kw_only=True):
    horizon_ms: int
    now_ms: int
