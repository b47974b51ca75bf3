"""Merging events and deltas into one page in position order."""

from collections.abc import Iterator, Sequence
from heapq import merge

from msgspec import Struct

from mainspring_schema.events import StoredDelta, StoredEvent

ROW_OVERHEAD_BYTES = 160
"""What position, time, type and ids of a row add to its text, roughly."""


class Cut(Struct, frozen=True, kw_only=True):
    events: tuple[StoredEvent, ...]
    deltas: tuple[StoredDelta, ...]
    more: bool


def cut(
    events: Sequence[StoredEvent],
    deltas: Sequence[StoredDelta],
    *,
    rows_max: int,
    bytes_max: int,
) -> Cut:
    """The first rows in position order, at least one if there is any.

    Give one row more of each kind than fits, so that `more` is true where something was left out.
    """
    kept_events: list[StoredEvent] = []
    kept_deltas: list[StoredDelta] = []
    size = 0
    for rows, row in enumerate(_in_order(events, deltas)):
        row_size = bytes_of(row)
        if rows and (rows >= rows_max or size + row_size > bytes_max):
            return Cut(events=tuple(kept_events), deltas=tuple(kept_deltas), more=True)
        size += row_size
        if isinstance(row, StoredEvent):
            kept_events.append(row)
        else:
            kept_deltas.append(row)
    return Cut(events=tuple(kept_events), deltas=tuple(kept_deltas), more=False)


def bytes_of(row: StoredEvent | StoredDelta) -> int:
    if isinstance(row, StoredEvent):
        return len(row.payload) + ROW_OVERHEAD_BYTES
    return len(row.fragment.encode()) + ROW_OVERHEAD_BYTES


def _in_order(
    events: Sequence[StoredEvent], deltas: Sequence[StoredDelta]
) -> Iterator[StoredEvent | StoredDelta]:
    """An event stands at (seq, 0), before the deltas that follow it."""
    return merge(events, deltas, key=_position)


def _position(row: StoredEvent | StoredDelta) -> tuple[int, int]:
    return (row.seq, 0) if isinstance(row, StoredEvent) else (row.seq, row.n)
