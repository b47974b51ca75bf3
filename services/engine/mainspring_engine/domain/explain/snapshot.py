"""Everything that an explanation is based on, as it was at one moment."""

from uuid import UUID

from msgspec import Struct

from mainspring_engine.domain.circuit import Circuit
from mainspring_engine.domain.limit import KeyLimit, keys_of
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import Head, WaitRow, Workflow
from mainspring_engine.domain.samples import SeatSample
from mainspring_schema.explaining import Explanation
from mainspring_schema.operations import AttemptView, LetterView, TaskDetails, TaskView, WorkerView


def route_of(task: TaskView) -> Route:
    return Route(
        queue=task.queue or "",
        capability=task.capability or "",
        build=task.build or "",
        model=task.model or "",
        keys=task.keys,
    )


class TaskFacts(Struct, frozen=True, kw_only=True):
    """An open task. `last` is its newest attempt that closed, `holder` who has it.

    `ahead` counts the ready tasks before it on its route, at most AHEAD_MAX.
    """

    task: TaskView
    last: AttemptView | None = None
    holder: WorkerView | None = None
    ahead: int = 0


class Snapshot(Struct, frozen=True, kw_only=True):
    """`workflow` is the one asked about, or the newest of the session.

    `messages` counts those that wait in the inbox. `timers` holds the due times of the timers that
    its state and its waits name. A plain task has neither head nor workflow. `closed` is the closed
    task that was asked about, `letter` the newest dead letter of the workflow. `circuits` are those
    that shut the route of one of `tasks`, `limits` those that one is under, `holds_s` for how long
    a task of such a route lately held its slot, as this engine saw it. `children` are the first of
    the workflows that it waits for.
    """

    now_ms: int
    head: Head | None
    workflow: Workflow | None
    messages: int = 0
    tasks: tuple[TaskFacts, ...] = ()
    timers: dict[UUID, int] = {}
    waits: tuple[WaitRow, ...] = ()
    letter: LetterView | None = None
    closed: TaskDetails | None = None
    seats: tuple[SeatSample, ...] = ()
    circuits: tuple[Circuit, ...] = ()
    limits: tuple[KeyLimit, ...] = ()
    holds_s: dict[Route, float] = {}
    sweeps_ms: dict[str, int] = {}
    children: dict[UUID, Explanation] = {}

    def hold_s(self, task: TaskView) -> float | None:
        return self.holds_s.get(route_of(task))

    def circuit(self, task: TaskView) -> Circuit | None:
        """The one that shuts its route, if any does."""
        key = route_of(task).circuit
        return next((c for c in self.circuits if key and c.key == key), None)

    def limit(self, task: TaskView) -> KeyLimit | None:
        """The first that is used up now of those that it is under."""
        keys = keys_of(route_of(task))
        return next((limit for limit in self.limits if limit.key in keys and limit.used_up), None)
