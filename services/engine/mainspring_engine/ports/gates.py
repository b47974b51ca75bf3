"""What holds tasks back, shared by all engines. Written only when something changes.

Both implementations pass one contract suite. Every operation raises `Unavailable` where the store
cannot be reached; repeating it settles whether it was done.
"""

from typing import Protocol

from msgspec import Struct

from mainspring_engine.domain.circuit import Circuit, CircuitMove


class Board(Struct, frozen=True, kw_only=True):
    """All gates as of one version; each change raises it, and is the rev of the row it changed."""

    version: int
    circuits: tuple[Circuit, ...] = ()


class GateStore(Protocol):
    """See the module."""

    async def board(self) -> Board:
        """The present, at most CIRCUIT_ENTRIES_MAX of a kind, newest changes first."""
        ...

    async def move_circuits(self, moves: tuple[CircuitMove, ...]) -> Board:
        """Moves each circuit whose rev is the expected one; at most one move per key.

        Returns the present of these keys: a row with another state or prober was moved by others.
        """
        ...

    async def reset_circuit(self, key: str) -> bool:
        """Forgets the circuit: closed, and counting begins anew. False where there is none."""
        ...
