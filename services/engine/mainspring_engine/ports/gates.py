"""What holds tasks back, shared by all engines. Written only when something changes.

Both implementations pass one contract suite. Every operation raises `Unavailable` where the store
cannot be reached; repeating it settles whether it was done.
"""

from typing import Protocol
from uuid import UUID

from msgspec import Struct

from mainspring_engine.domain.circuit import Circuit, CircuitMove
from mainspring_engine.domain.gate_limits import CIRCUIT_ENTRIES_MAX
from mainspring_engine.domain.limit import KeyLimit


class Board(Struct, frozen=True, kw_only=True):
    """All gates as of one version; each change raises it, and is the rev of the row it changed.

    `weights` are those of organizations that weigh other than 1.
    """

    version: int
    circuits: tuple[Circuit, ...] = ()
    limits: tuple[KeyLimit, ...] = ()
    weights: dict[UUID, float] = {}


class TokenDraw(Struct, frozen=True, kw_only=True):
    """`returned` tokens were drawn before, at `drawn_us`, and not used: the store's microseconds.

    They are worth what the bucket would hold if they had stayed in it: what came in since then
    might have found it full, and counts against them.

    `family` is the limit that the key is under, where it has none of its own.
    """

    key: str
    wanted: int
    returned: int = 0
    drawn_us: int = 0
    family: str = ""


class Drawn(Struct, frozen=True, kw_only=True):
    """`wait_ms`: how long until the bucket has a token again; 0 where it has one.

    `drawn_us` is the store's time.
    """

    key: str
    granted: int
    wait_ms: int
    drawn_us: int = 0


class GateStore(Protocol):
    """See the module."""

    async def board(self, circuits_max: int = CIRCUIT_ENTRIES_MAX) -> Board:
        """The present, with so many circuits.

        Those set by hand come first, then those that hold something, newest changes first.
        """
        ...

    async def move_circuits(self, moves: tuple[CircuitMove, ...]) -> Board:
        """Moves each circuit whose rev is the expected one; at most one move per key.

        Returns the present of these keys: a row with another state or prober was moved by others.
        """
        ...

    async def circuits(self, keys: tuple[str, ...]) -> tuple[Circuit, ...]:
        """The rows of these keys, as far as there are any."""
        ...

    async def reset_circuit(self, key: str) -> bool:
        """Forgets the circuit: closed, and counting begins anew. False where there is none."""
        ...

    async def set_limit(self, limit: KeyLimit) -> None:
        """Writes the limit of a key. A new bucket is full; an older one keeps what it has."""
        ...

    async def drop_limit(self, key: str) -> bool:
        """False where there is none."""
        ...

    async def limits(self, keys: tuple[str, ...] | None = None) -> tuple[KeyLimit, ...]:
        """All limits, or those that some keys are under, and how each key stands; sorted by key."""
        ...

    async def draw_tokens(self, draws: tuple[TokenDraw, ...]) -> tuple[Drawn, ...]:
        """Takes tokens out of buckets, at most what is in them; keys without a rate are absent."""
        ...

    async def forget_buckets(self, limit: int) -> int:
        """Buckets of families' keys that are full again: without one they are as good. How many."""
        ...

    async def set_weight(self, org_id: UUID, weight: float) -> None:
        """The part of an organization against the others'; 1 is everybody's."""
        ...
