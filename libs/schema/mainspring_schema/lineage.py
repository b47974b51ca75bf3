"""What parents and the children that they have spawned tell each other.

Carried as MessagePack in signals between the two.
"""

from uuid import UUID

from msgspec import Struct


class SpawnedBy(Struct, frozen=True, kw_only=True):
    """Who gives a child its message: the parent, and the turn of it that made the call."""

    session_id: UUID
    turn_id: UUID | None = None


class Begun(Struct, frozen=True, kw_only=True):
    """A turn of a child has begun: where it is, and which turn of the parent it began for."""

    session_id: UUID
    turn_id: UUID | None = None


class News(Struct, frozen=True, kw_only=True):
    """A turn of a child has ended, or it waits for people and says so."""

    turn_id: UUID
    over: bool = True


class ChildTurn(Struct, frozen=True, kw_only=True):
    """What a call waits for without a worker: news of a child's turn, `wait_ms` at most."""

    turn_id: UUID
    wait_ms: int
