"""What parents and the children that they have spawned tell each other.

Carried as MessagePack in signals between the two.
"""

from typing import Final
from uuid import UUID

from msgspec import Struct

BY_PARENT: Final = "the session that spawned it has cancelled it"
"""Why a child was cancelled whose parent did so by a tool of its own."""


class SpawnedBy(Struct, frozen=True, kw_only=True):
    """Who gives a child its message: the parent, and the turn of it that made the call.

    With `wakes` the parent is told when the child's turn is over, unless a call waits for it: by a
    message that says so of what stands there.
    """

    session_id: UUID
    turn_id: UUID | None = None
    wakes: str | None = None


class Begun(Struct, frozen=True, kw_only=True):
    """A turn of a child has begun: where it is, and which turn of the parent it began for."""

    session_id: UUID
    turn_id: UUID | None = None
    wakes: str | None = None


class News(Struct, frozen=True, kw_only=True):
    """A turn of a child has ended, or it waits for people and says so.

    `how` says how it ended. With `quiet` the parent itself has ended it, and need not be told.
    """

    turn_id: UUID
    over: bool = True
    how: str = "is over"
    quiet: bool = False


class ChildTurn(Struct, frozen=True, kw_only=True):
    """What a call waits for without a worker: news of a child's turn, `wait_ms` at most."""

    turn_id: UUID
    wait_ms: int
