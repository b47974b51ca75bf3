"""What operators ask of the engine about what holds tasks back."""

from collections.abc import Sequence
from typing import Protocol

from mainspring_schema.gates import (
    CircuitView,
    DropLimit,
    LimitView,
    SetCircuit,
    SetLimit,
    SetWeight,
    Weights,
)


class Gates(Protocol):
    """Each method raises the engine's own error, or Unavailable where it cannot be reached."""

    async def circuits(self, keys: tuple[str, ...] = ()) -> Sequence[CircuitView]:
        """Those that are open, were open, or were set by hand; sorted by key.

        Of some keys, or the first thousand; an older engine does not look at the keys.
        """
        ...

    async def set_circuit(self, command: SetCircuit) -> CircuitView:
        """As it is afterwards. Raises NotFound."""
        ...

    async def limits(self, keys: tuple[str, ...] = ()) -> Sequence[LimitView]:
        """All, or those of some keys, and how they stand; sorted by key."""
        ...

    async def set_limit(self, command: SetLimit) -> LimitView:
        """Replaces the limit of a key. Raises ValidationFailed where it limits nothing."""
        ...

    async def drop_limit(self, command: DropLimit) -> None:
        """Raises NotFound."""
        ...

    async def weights(self) -> Weights:
        """Of organizations that weigh other than 1."""
        ...

    async def set_weight(self, command: SetWeight) -> None: ...
