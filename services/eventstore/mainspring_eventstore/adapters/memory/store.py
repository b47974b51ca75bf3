"""The event store's port over a `MemoryLog`."""

from bisect import bisect_left
from collections.abc import Sequence
from uuid import UUID

from mainspring_eventstore.adapters.memory.log import EventRow, MemoryLog
from mainspring_eventstore.domain import limits as bounds
from mainspring_eventstore.domain.audit import ChainRow
from mainspring_eventstore.domain.heads import HeadRow
from mainspring_eventstore.domain.matching import Columns, fits_columns
from mainspring_eventstore.domain.pages import cut
from mainspring_eventstore.ports.log import (
    Ahead,
    Appended,
    Dropped,
    Epoch,
    HeadView,
    Lineage,
    Page,
    PageQuery,
    Segment,
)
from mainspring_kernel import limits
from mainspring_kernel.ids import Position
from mainspring_schema.events import OUTCOME_TYPES, StoredDelta, StoredEvent
from mainspring_schema.grants import DeltaAppend


class MemoryStore:
    def __init__(self, log: MemoryLog) -> None:
        self._log = log

    async def append_deltas(self, items: Sequence[DeltaAppend]) -> tuple[Appended, ...]:
        with self._log.guard:
            answers = self._log.append_deltas(items)
            return tuple(
                Appended(answer=answer, org_id=self._org_of(item.session_id))
                for answer, item in zip(answers, items, strict=True)
            )

    async def read(self, query: PageQuery) -> Page | None:
        with self._log.guard:
            row = self._head(query.session_id, query.org_id)
            if row is None:
                return None
            # All deltas before an event stand below it: this cursor is just before the group.
            after = query.after or Position(max(0, row.turn_first_seq - 1), 1 << 31)
            segments = self._segments(row)
            events = [
                one.event for one in self._events(segments, after.seq) if one.event.seq > after.seq
            ]
            deltas = [] if query.events_only else self._deltas(segments, after)
            page = cut(events, deltas, rows_max=query.rows_max, bytes_max=query.bytes_max)
            return Page(head=_view(row), events=page.events, deltas=page.deltas, more=page.more)

    async def list_events(
        self, session_id: UUID, org_id: UUID, columns: Columns, *, limit: int, newest: bool
    ) -> tuple[StoredEvent, ...]:
        with self._log.guard:
            found = self._matching(session_id, org_id, columns)
            return tuple(found[-limit:] if newest else found[:limit])

    async def count_events(self, session_id: UUID, org_id: UUID, columns: Columns) -> int:
        with self._log.guard:
            return len(self._matching(session_id, org_id, columns))

    async def heads(self, sessions: Sequence[UUID]) -> Epoch:
        with self._log.guard:
            rows = [self._log.heads.get(session) for session in sessions]
            views = tuple(None if row is None else _view(row) for row in rows)
            return Epoch(epoch=self._log.epoch, heads=views)

    async def lineage(self, session_id: UUID) -> Lineage | None:
        with self._log.guard:
            row = self._log.heads.get(session_id)
            if row is None:
                return None
            return Lineage(head=_view(row), segments=tuple(self._segments(row)))

    async def chain(
        self, session_id: UUID, *, first_seq: int, last_seq: int, limit: int
    ) -> tuple[ChainRow, ...]:
        with self._log.guard:
            rows = self._log.events.get(session_id, [])
            wanted = [row for row in rows if first_seq <= row.event.seq <= last_seq][:limit]
            return tuple(
                ChainRow(
                    session_id=session_id,
                    seq=row.event.seq,
                    type=row.event.type,
                    ts_ms=row.event.ts_ms,
                    payload=row.event.payload,
                    h=row.h,
                )
                for row in wanted
            )

    async def make_partitions(self) -> Ahead:
        now_ms = self._log.clock.wall_ms()
        return Ahead(horizon_ms=now_ms + limits.PARTITIONS_AHEAD_MS, now_ms=now_ms, made=0)

    async def drop_deltas(self) -> Dropped:
        with self._log.guard:
            until_ms = self._log.clock.wall_ms() - bounds.DELTA_RETENTION_S * 1000
            dropped = sum(self._drop_deltas(session, until_ms) for session in self._log.deltas)
        return Dropped(dropped=dropped, more=False)

    async def drop_partitions(self) -> int:
        return 0

    async def ping(self) -> None:
        """Always answers."""

    def _head(self, session_id: UUID, org_id: UUID) -> HeadRow | None:
        row = self._log.heads.get(session_id)
        return row if row is not None and row.org_id == org_id else None

    def _org_of(self, session_id: UUID) -> UUID | None:
        row = self._log.heads.get(session_id)
        return None if row is None else row.org_id

    def _segments(self, row: HeadRow) -> list[Segment]:
        segments: list[Segment] = []
        ceiling = row.last_seq
        current: HeadRow | None = row
        while current is not None and len(segments) < bounds.LINEAGE_DEPTH_MAX:
            segments.append(
                Segment(
                    session_id=current.session_id,
                    first_seq=current.parent_seq + 1,
                    last_seq=ceiling,
                    parent_hash=current.parent_hash,
                )
            )
            ceiling = min(ceiling, current.parent_seq)
            current = self._log.heads.get(current.parent) if current.parent else None
        return segments[::-1]

    def _events(self, segments: Sequence[Segment], after_seq: int = 0) -> list[EventRow]:
        found: list[EventRow] = []
        for segment in segments:
            rows = self._log.events.get(segment.session_id, [])
            # A session's own rows are dense, so the position of a sequence is known.
            first = max(segment.first_seq, after_seq + 1)
            start = bisect_left(rows, first, key=lambda row: row.event.seq)
            found += [row for row in rows[start:] if row.event.seq <= segment.last_seq]
        return found

    def _deltas(self, segments: Sequence[Segment], after: Position) -> list[StoredDelta]:
        own = segments[-1].session_id
        return [
            delta
            for segment in segments
            for delta in self._log.deltas.get(segment.session_id, [])
            if (delta.seq, delta.n) > after
            and segment.first_seq <= delta.seq
            # What the parent streamed after its event at the fork is no part of the fork.
            and (segment.session_id == own or delta.seq < segment.last_seq)
        ]

    def _matching(self, session_id: UUID, org_id: UUID, columns: Columns) -> list[StoredEvent]:
        row = self._head(session_id, org_id)
        if row is None:
            return []
        return [
            one.event
            for one in self._events(self._segments(row), columns.after_seq)
            if fits_columns(one.event, one.turn_id, columns)
        ]

    def _drop_deltas(self, session: UUID, until_ms: int) -> int:
        over = {
            row.turn_id
            for row in self._log.events.get(session, [])
            if row.event.type in OUTCOME_TYPES and row.event.ts_ms <= until_ms
        }
        kept = [delta for delta in self._log.deltas[session] if delta.turn_id not in over]
        dropped = len(self._log.deltas[session]) - len(kept)
        self._log.deltas[session] = kept
        return dropped


def _view(row: HeadRow) -> HeadView:
    return HeadView(
        session_id=row.session_id,
        org_id=row.org_id,
        seq=row.last_seq,
        n=row.n,
        hash=row.hash,
        status=row.status,
        paused=row.paused,
        closed=row.closed,
        turn_first_seq=row.turn_first_seq,
        updated_ms=row.ts_ms,
    )
