"""Where a subscriber stands in a session's log, and what the next thing on the live tail means.

The join of history and tail is this: buffer the tail, read from the cursor, drop what the reading
already brought, go on live. A hole shows in the numbers themselves: events are dense in seq, deltas
dense in n below their event, and each event says how many deltas stood before it.
"""

from enum import Enum
from uuid import UUID

from msgspec import Struct

from mainspring_kernel.errors import CursorMismatch
from mainspring_kernel.ids import Position, parse_position_id, session_tag
from mainspring_schema.events import StoredDelta, StoredEvent


class Next(Enum):
    """What to do with an item of the tail."""

    TAKE = "take"
    DROP = "drop"
    """The reader has it already."""
    GAP = "gap"
    """Something before it is missing: read from the cursor."""


class StreamCursor:
    """The position up to which everything was delivered. It never steps back."""

    def __init__(self, position: Position) -> None:
        self._position = position

    @property
    def position(self) -> Position:
        return self._position

    def offer(self, item: StoredEvent | StoredDelta) -> Next:
        """What an item of the live tail means here; taking it moves the cursor."""
        at = position_of(item)
        if at <= self._position:
            return Next.DROP
        if not self._follows(item, at):
            return Next.GAP
        self._position = at
        return Next.TAKE

    def advance(self, position: Position) -> None:
        """What a reading returned is complete, so holes in its numbers are deltas that expired."""
        self._position = max(self._position, position)

    def _follows(self, item: StoredEvent | StoredDelta, at: Position) -> bool:
        if isinstance(item, StoredDelta):
            return at == Position(self._position.seq, self._position.n + 1)
        return at.seq == self._position.seq + 1 and item.deltas_before == self._position.n


def position_of(item: StoredEvent | StoredDelta) -> Position:
    return Position(item.seq, item.n if isinstance(item, StoredDelta) else 0)


class Resume(Struct, frozen=True, kw_only=True):
    """What a client asked to resume from; `epoch` is None for a plain sequence."""

    position: Position
    epoch: int | None = None


def resume_from_id(event_id: UUID, session_id: UUID) -> Resume:
    """Raises InvalidId for an id that is no position, CursorMismatch for another session's."""
    parsed = parse_position_id(event_id)
    if parsed.session_tag != session_tag(session_id):
        raise CursorMismatch
    return Resume(position=parsed.position, epoch=parsed.epoch)


def check_reach(resume: Resume, *, epoch: int, head: Position) -> bool:
    """Whether the cursor is of this epoch; False asks for one `stream.resync`.

    Raises CursorMismatch for a position that nobody can have seen yet.
    """
    if resume.epoch is not None and resume.epoch < epoch:
        return False
    if (resume.epoch or 0) > epoch or resume.position > head:
        msg = "the cursor points past the end of this session"
        raise CursorMismatch(msg)
    return True
