"""What operators ask of the engine about what holds tasks back."""

from collections.abc import Sequence
from typing import Protocol

from mainspring_schema.gates import CircuitView, SetCircuit


class Gates(Protocol):
    """Each method raises the engine's own error, or Unavailable where it cannot be reached."""

    async def circuits(self) -> Sequence[CircuitView]:
        """Those that are open, were open, or were set by hand; sorted by key."""
        ...

    async def set_circuit(self, command: SetCircuit) -> CircuitView:
        """As it is afterwards. Raises NotFound."""
        ...
