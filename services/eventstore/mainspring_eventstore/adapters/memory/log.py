"""The memory twin of schema `log` and of the functions it grants to the engine and the api.

One instance per process, made with the lock that all twins share (re-entrant, for a caller holds it
over its whole transaction) and a clock for the times of deltas. Every method is synchronous, takes
the lock itself, and is all or nothing: it raises before it changes anything. Rows are the structs
of `mainspring_schema.grants`; answers equal those of the SQL functions.

    lock(sessions)                         -> heads, sorted by id; unknown sessions are absent
    append(events, heads, anchors)         -> None; raises AppendRefused
    append_closing(events, heads, anchors) -> None; as append, once also on a closed head
    pause(sessions, paused)                -> None
    close([(session_id, org_id), …])       -> [(session_id, closed now), …]; foreign ones absent
    open(heads)                            -> None; raises Conflict where a session exists
    fork(fork)                             -> None; raises NotFound, Conflict
    open_empty([(session_id, org_id)])     -> None; as open, without an event
    append_deltas(items)                   -> answers in the order of the items
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from uuid import UUID

from msgspec import Struct, structs

from mainspring_eventstore.domain import deltas
from mainspring_eventstore.domain.errors import AppendRefused
from mainspring_eventstore.domain.heads import HeadRow, misfit, moved
from mainspring_eventstore.domain.limits import LINEAGE_DEPTH_MAX
from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import Conflict, NotFound
from mainspring_schema.chain import GENESIS, link
from mainspring_schema.events import StoredDelta, StoredEvent
from mainspring_schema.grants import (
    Anchor,
    AppendEvent,
    AppendHead,
    AppendVerdict,
    DeltaAnswer,
    DeltaAppend,
    ForkHead,
    Head,
    OpenHead,
    SessionStatus,
)


class EventRow(Struct, frozen=True, kw_only=True):
    """A row of `log.event`."""

    event: StoredEvent
    turn_id: UUID | None
    h: bytes


class MemoryLog:
    """See the module. `heads`, `events` and `deltas` are read by `MemoryStore` alone."""

    def __init__(self, *, lock: AbstractContextManager[object], clock: Clock) -> None:
        self.guard = lock
        self.clock = clock
        self.epoch = 1
        self.heads: dict[UUID, HeadRow] = {}
        self.events: dict[UUID, list[EventRow]] = {}
        self.deltas: dict[UUID, list[StoredDelta]] = {}

    def lock(self, sessions: Iterable[UUID]) -> list[Head]:
        with self.guard:
            known = sorted(set(sessions) & self.heads.keys())
            return [self.heads[session].locked() for session in known]

    def append(
        self, events: Sequence[AppendEvent], heads: Sequence[AppendHead], anchors: Sequence[Anchor]
    ) -> None:
        with self.guard:
            self._append(events, heads, anchors, closing=False)

    def append_closing(
        self, events: Sequence[AppendEvent], heads: Sequence[AppendHead], anchors: Sequence[Anchor]
    ) -> None:
        with self.guard:
            self._append(events, heads, anchors, closing=True)

    def pause(self, sessions: Iterable[UUID], *, paused: bool) -> None:
        with self.guard:
            for session_id in sessions:
                self.heads[session_id] = structs.replace(self.heads[session_id], paused=paused)

    def close(self, sessions: Iterable[tuple[UUID, UUID]]) -> list[tuple[UUID, bool]]:
        answers: list[tuple[UUID, bool]] = []
        with self.guard:
            for session_id, org_id in sessions:
                row = self.heads.get(session_id)
                if row is not None and row.org_id == org_id:
                    self.heads[session_id] = structs.replace(row, closed=True, anchors={})
                    answers.append((session_id, not row.closed))
        return answers

    def open(self, heads: Sequence[OpenHead]) -> None:
        with self.guard:
            new = {head.session_id for head in heads}
            if len(new) < len(heads) or new & self.heads.keys():
                message = "the session exists"
                raise Conflict(message)
            for head in heads:
                self._open(head)

    def open_empty(self, heads: Iterable[tuple[UUID, UUID]]) -> None:
        with self.guard:
            new = dict(heads)
            if new.keys() & self.heads.keys():
                message = "the session exists"
                raise Conflict(message)
            for session_id, org_id in new.items():
                self.heads[session_id] = HeadRow(
                    session_id=session_id,
                    org_id=org_id,
                    last_seq=0,
                    hash=GENESIS,
                    ts_ms=0,
                    epoch=self.epoch,
                )
                self.events[session_id] = []

    def fork(self, fork: ForkHead) -> None:
        with self.guard:
            source = self.heads.get(fork.source_id)
            if source is None or source.org_id != fork.org_id or source.closed:
                raise NotFound
            found = self._event_of(source, fork.seq)
            if found is None:
                raise NotFound
            if fork.session_id in self.heads:
                message = "the session exists"
                raise Conflict(message)
            self._fork(fork, *found, ts_ms=max(source.ts_ms, fork.now_ms))

    def _event_of(self, source: HeadRow, seq: int) -> tuple[UUID, bytes] | None:
        """Who wrote an event that a session has, and its hash."""
        row, ceiling = source, source.last_seq
        while not row.parent_seq < seq <= ceiling:
            if row.parent is None:
                return None
            ceiling = min(ceiling, row.parent_seq)
            row = self.heads[row.parent]
        if self._depth(row) >= LINEAGE_DEPTH_MAX:
            return None
        own = self.events[row.session_id]
        return row.session_id, own[seq - row.parent_seq - 1].h

    def _depth(self, row: HeadRow) -> int:
        depth = 1
        while row.parent is not None:
            row, depth = self.heads[row.parent], depth + 1
        return depth

    def _fork(self, fork: ForkHead, owner: UUID, parent_hash: bytes, *, ts_ms: int) -> None:
        rows: list[EventRow] = []
        digest = parent_hash
        for seq, one in enumerate(fork.events, fork.seq + 1):
            digest = link(
                digest,
                session_id=fork.session_id,
                seq=seq,
                type_=one.type,
                ts_ms=ts_ms,
                payload=one.payload,
            )
            event = StoredEvent(seq=seq, type=one.type, ts_ms=ts_ms, payload=one.payload)
            rows.append(EventRow(event=event, turn_id=one.turn_id, h=digest))
        self.events[fork.session_id] = rows
        self.heads[fork.session_id] = HeadRow(
            session_id=fork.session_id,
            org_id=fork.org_id,
            last_seq=fork.seq + len(rows),
            hash=digest,
            ts_ms=ts_ms,
            status=SessionStatus.IDLE,
            turn_first_seq=fork.turn_first_seq,
            parent=owner,
            parent_seq=fork.seq,
            parent_hash=parent_hash,
            epoch=self.epoch,
        )

    def append_deltas(self, items: Sequence[DeltaAppend]) -> list[DeltaAnswer]:
        with self.guard:
            now_ms = self.clock.wall_ms()
            return [self._append_delta(i, item, now_ms) for i, item in enumerate(items, 1)]

    def _append(
        self,
        events: Sequence[AppendEvent],
        heads: Sequence[AppendHead],
        anchors: Sequence[Anchor],
        *,
        closing: bool,
    ) -> None:
        own: dict[UUID, list[AppendEvent]] = {head.session_id: [] for head in heads}
        if len(own) < len(heads) or any(event.session_id not in own for event in events):
            message = "each session of a batch has exactly one head"
            raise AppendRefused(message)
        for event in events:
            own[event.session_id].append(event)
        for head in heads:
            row = self.heads.get(head.session_id)
            why = misfit(row, head, own[head.session_id], closing=closing)
            if why:
                message = f"session {head.session_id.hex}: {why}"
                raise AppendRefused(message)
        for head in heads:
            mine = sorted(own[head.session_id], key=lambda event: event.seq)
            self._insert(mine, deltas_before=self.heads[head.session_id].n)
            self.heads[head.session_id] = moved(
                self.heads[head.session_id],
                head,
                [change for change in anchors if change.session_id == head.session_id],
                with_events=bool(mine),
            )

    def _insert(self, events: Sequence[AppendEvent], *, deltas_before: int) -> None:
        for index, event in enumerate(events):
            stored = StoredEvent(
                seq=event.seq,
                type=event.type,
                ts_ms=event.ts_ms,
                payload=event.payload,
                deltas_before=0 if index else deltas_before,
            )
            row = EventRow(event=stored, turn_id=event.turn_id, h=event.hash)
            self.events.setdefault(event.session_id, []).append(row)

    def _open(self, head: OpenHead) -> None:
        self.heads[head.session_id] = HeadRow(
            session_id=head.session_id,
            org_id=head.org_id,
            last_seq=1,
            hash=head.hash,
            ts_ms=head.ts_ms,
            epoch=self.epoch,
        )
        event = StoredEvent(seq=1, type=head.type, ts_ms=head.ts_ms, payload=head.payload)
        self.events[head.session_id] = [EventRow(event=event, turn_id=None, h=head.hash)]

    def _append_delta(self, number: int, item: DeltaAppend, now_ms: int) -> DeltaAnswer:
        row = self.heads.get(item.session_id)
        streams = row is not None and not row.closed and row.active_turn == item.turn_id
        anchor = row.anchors.get(item.anchor) if row is not None and streams else None
        verdict = deltas.judge(item, anchor)
        if row is None or anchor is None or verdict is not AppendVerdict.COMMITTED:
            return DeltaAnswer(item=number, verdict=verdict)
        n = row.n + 1
        changed = {**row.anchors, item.anchor: deltas.advanced(anchor, item)}
        self.heads[item.session_id] = structs.replace(row, n=n, anchors=changed)
        stored = StoredDelta(
            seq=row.last_seq,
            n=n,
            ts_ms=now_ms,
            turn_id=item.turn_id,
            anchor=item.anchor,
            attempt=item.attempt,
            channel=item.channel,
            offset=item.offset,
            fragment=item.fragment,
            reset=item.reset,
        )
        self.deltas.setdefault(item.session_id, []).append(stored)
        return DeltaAnswer(item=number, verdict=verdict, seq=row.last_seq, n=n, ts_ms=now_ms)
