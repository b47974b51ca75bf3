"""What holds tasks back, as operators see and set it. MessagePack inside the control proto."""

from typing import Literal

from msgspec import Struct

CircuitStateName = Literal["closed", "open", "half_open"]


class CircuitView(Struct, frozen=True, kw_only=True):
    """`forced` was set by hand and stays until it is reset. `wait_ms` is what is left of a wait."""

    key: str
    state: str
    forced: bool = False
    failure_count: int = 0
    success_count: int = 0
    trips: int = 0
    reason: str = ""
    wait_ms: int = 0
    last_failure_ms: int | None = None
    opened_ms: int | None = None
    half_open_ms: int | None = None


class SetCircuit(Struct, frozen=True, kw_only=True):
    """`open` holds its tasks, `close` lets them pass whatever fails.

    Both stay until `reset` gives it back to the rules, closed.
    """

    key: str
    action: Literal["open", "close", "reset"]
    reason: str = ""
