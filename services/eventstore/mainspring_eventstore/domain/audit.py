"""Recomputing the hash chain, page by page."""

from collections.abc import Iterable
from uuid import UUID

from msgspec import Struct

from mainspring_schema import chain


class ChainRow(Struct, frozen=True, kw_only=True):
    """A stored event with its stored hash. `session_id` is the one that appended it."""

    session_id: UUID
    seq: int
    type: str
    ts_ms: int
    payload: bytes
    h: bytes


class Progress(Struct, frozen=True, kw_only=True):
    """How far the chain was followed. `broken_seq` is 0 as long as nothing is wrong."""

    seq: int = 0
    hash: bytes = chain.GENESIS
    broken_seq: int = 0
    reason: str = ""

    def broken(self, seq: int, reason: str) -> "Progress":
        return Progress(seq=self.seq, hash=self.hash, broken_seq=seq, reason=reason)


def follow(progress: Progress, rows: Iterable[ChainRow]) -> Progress:
    """Goes on over the next rows; stops at the first that is wrong."""
    for row in rows:
        if row.seq != progress.seq + 1:
            return progress.broken(progress.seq + 1, f"the next event has sequence {row.seq}")
        expected = chain.link(
            progress.hash,
            session_id=row.session_id,
            seq=row.seq,
            type_=row.type,
            ts_ms=row.ts_ms,
            payload=row.payload,
        )
        if expected != row.h:
            return progress.broken(row.seq, "the stored hash is not that of its content")
        progress = Progress(seq=row.seq, hash=expected)
    return progress


def concluded(progress: Progress, *, last_seq: int, head_hash: bytes) -> Progress:
    """Compares the end of the chain with the head."""
    if progress.broken_seq:
        return progress
    if progress.seq != last_seq:
        return progress.broken(progress.seq + 1, f"the head says {last_seq} events")
    if progress.hash != head_hash:
        return progress.broken(last_seq, "the head has another hash than the last event")
    return progress
