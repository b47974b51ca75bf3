"""What holds tasks back, as operators see and set it. MessagePack inside the control proto."""

from typing import Literal
from uuid import UUID

from msgspec import Struct


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


class LimitView(Struct, frozen=True, kw_only=True):
    """`running` and `available` are how it stands: tasks that run, claims that may come now.

    `family` is the key of the limit, where that is one of every key that begins so.
    """

    key: str
    at_once: int | None = None
    rate: int | None = None
    per_ms: int | None = None
    running: int = 0
    available: int | None = None
    family: str = ""


class SetLimit(Struct, frozen=True, kw_only=True):
    """Replaces the limit of a key: tasks at once, claims in any window of `per_ms`, or both."""

    key: str
    at_once: int | None = None
    rate: int | None = None
    per_ms: int | None = None


class DropLimit(Struct, frozen=True, kw_only=True):
    key: str


class SetWeight(Struct, frozen=True, kw_only=True):
    """An organization's part of the workers against the others'; 1 is everybody's."""

    org_id: UUID
    weight: float


class Weights(Struct, frozen=True, kw_only=True):
    """Those that are not 1."""

    weights: dict[UUID, float]
