"""What one look at all open tasks and attached workers finds."""

from collections.abc import Mapping

from msgspec import Struct

from mainspring_engine.domain.routes import Route


class RouteSample(Struct, frozen=True, kw_only=True):
    """Open tasks of one route by state; `oldest_ms` is how long its oldest ready task waits."""

    route: Route
    ready: int = 0
    leased: int = 0
    delayed: int = 0
    waiting: int = 0
    oldest_ms: int = 0


class SeatSample(Struct, frozen=True, kw_only=True):
    """Workers that can take the same tasks, by status; slots and held tasks of the active ones."""

    queues: frozenset[str]
    capabilities: frozenset[str]
    build: str
    active: int
    silent: int
    draining: int
    slots: int
    held: int


class Sample(Struct, frozen=True, kw_only=True):
    """One look at everything that is open. `cut`: more than SAMPLE_TASKS_MAX tasks are open."""

    at_ms: int
    routes: tuple[RouteSample, ...]
    seats: tuple[SeatSample, ...]
    replicas: int
    dead_letters: int
    cut: bool


class Vitals(Struct, frozen=True, kw_only=True):
    """How the store itself is: dead rows by hot table, and the oldest snapshot that keeps them.

    `horizon_s` is the age of the transaction that holds it, `horizon_behind` how many transactions
    began since. None where the role may not look at others.
    """

    dead_rows: Mapping[str, int]
    horizon_s: float | None
    horizon_behind: int | None
