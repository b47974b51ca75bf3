"""A session's head and how an append moves it."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from msgspec import Struct, structs

from mainspring_eventstore.domain.deltas import OpenAnchor, raised
from mainspring_schema.grants import Anchor, AppendEvent, AppendHead, Head, SessionStatus


class HeadRow(Struct, frozen=True, kw_only=True):
    """All of `log.head`. A fork has `parent` and continues at `parent_seq` + 1."""

    session_id: UUID
    org_id: UUID
    last_seq: int
    n: int = 0
    hash: bytes
    ts_ms: int
    status: SessionStatus = SessionStatus.STARTED
    paused: bool = False
    active_turn: UUID | None = None
    turn_first_seq: int = 0
    anchors: Mapping[str, OpenAnchor] = {}
    closed: bool = False
    closing_done: bool = False
    parent: UUID | None = None
    parent_seq: int = 0
    parent_hash: bytes = b""
    epoch: int = 1

    def locked(self) -> Head:
        return Head(
            session_id=self.session_id,
            org_id=self.org_id,
            last_seq=self.last_seq,
            n=self.n,
            hash=self.hash,
            ts_ms=self.ts_ms,
            status=self.status,
            paused=self.paused,
            active_turn=self.active_turn,
            turn_first_seq=self.turn_first_seq,
            closed=self.closed,
        )


def misfit(
    row: HeadRow | None, head: AppendHead, events: Sequence[AppendEvent], *, closing: bool
) -> str:
    """Why this append may not be written; empty where it may."""
    if row is None or row.org_id != head.org_id:
        return "no such session"
    if row.closed and not (closing and not row.closing_done):
        return "the session is closed"
    if head.ts_ms < row.ts_ms:
        return "its time lies below the head's"
    last_seq = row.last_seq + len(events)
    follow = list(range(row.last_seq + 1, last_seq + 1))
    if head.last_seq != last_seq or sorted(event.seq for event in events) != follow:
        return f"its events do not follow {row.last_seq}"
    return ""


def moved(
    row: HeadRow, head: AppendHead, anchors: Sequence[Anchor], *, with_events: bool
) -> HeadRow:
    return structs.replace(
        row,
        last_seq=head.last_seq,
        n=0 if with_events else row.n,
        hash=head.hash,
        ts_ms=head.ts_ms,
        status=head.status,
        active_turn=head.active_turn,
        turn_first_seq=head.turn_first_seq,
        anchors=_anchors_after(row.anchors, anchors, close_all=head.close_anchors),
        closing_done=row.closed,
    )


def _anchors_after(
    present: Mapping[str, OpenAnchor], changes: Sequence[Anchor], *, close_all: bool
) -> dict[str, OpenAnchor]:
    kept = {} if close_all else dict(present)
    # Of several changes of one anchor only the last counts, as in the set-based SQL.
    for name, change in {change.anchor: change for change in changes}.items():
        if change.attempt is None:
            kept.pop(name, None)
        else:
            kept[name] = raised(kept.get(name), change.attempt)
    return kept
