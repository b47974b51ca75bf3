"""Verifies that nobody rewrote a session's history."""

from uuid import UUID

from msgspec import Struct

from mainspring_eventstore.domain import limits as bounds
from mainspring_eventstore.domain.audit import Progress, concluded, follow
from mainspring_eventstore.ports.log import LogStore, Segment


class Verified(Struct, frozen=True, kw_only=True):
    """`broken_seq` is the first position whose hash or number is wrong, 0 where none is."""

    events: int
    broken_seq: int
    reason: str
    head_hash: bytes

    @property
    def intact(self) -> bool:
        return not self.reason


async def verify(store: LogStore, session_id: UUID) -> Verified:
    """Recomputes the chain up to the head as it is now, a fork's inherited part included.

    Events appended meanwhile are left for the next time.
    """
    lineage = await store.lineage(session_id)
    if lineage is None:
        return Verified(events=0, broken_seq=0, reason="no such session", head_hash=b"")
    progress = Progress()
    for segment in lineage.segments:
        progress = await _follow_segment(store, segment, progress)
    progress = concluded(progress, last_seq=lineage.head.seq, head_hash=lineage.head.hash)
    return Verified(
        events=progress.seq,
        broken_seq=progress.broken_seq,
        reason=progress.reason,
        head_hash=lineage.head.hash,
    )


async def _follow_segment(store: LogStore, segment: Segment, progress: Progress) -> Progress:
    if not progress.broken_seq and segment.parent_hash != progress.hash:
        progress = progress.broken(segment.first_seq, "the fork names another hash of its parent")
    while not progress.broken_seq and progress.seq < segment.last_seq:
        rows = await store.chain(
            segment.session_id,
            first_seq=progress.seq + 1,
            last_seq=segment.last_seq,
            limit=bounds.VERIFY_PAGE_ROWS,
        )
        if not rows:
            return progress.broken(progress.seq + 1, "the event is missing")
        progress = follow(progress, rows)
    return progress
