"""Which worker takes a task that is about to be inserted, and who is told if none does."""

from collections.abc import Iterable
from uuid import UUID

from mainspring_engine.domain.backlog import Backlog, Group, ReadyGroup
from mainspring_engine.domain.changes import Claim
from mainspring_engine.domain.refusals import NOBODY
from mainspring_engine.domain.roster import Roster
from mainspring_engine.domain.routes import Route
from mainspring_engine.ports.outside import Announcer
from mainspring_engine.usecases.backpressure import Backpressure
from mainspring_engine.usecases.gates import Gates
from mainspring_kernel.clock import Clock


class Seating:
    """Credits are taken before a commit; what did not come to it gives them back."""

    def __init__(
        self,
        *,
        roster: Roster,
        backlog: Backlog,
        gates: Gates,
        pressure: Backpressure,
        announcer: Announcer,
        clock: Clock,
    ) -> None:
        self._roster = roster
        self._backlog = backlog
        self._gates = gates
        self._pressure = pressure
        self._announcer = announcer
        self._clock = clock

    def take(
        self,
        route: Route,
        task_id: UUID,
        *,
        prefer: UUID | None = None,
        among: int = 1,
        but: frozenset[UUID] = NOBODY,
    ) -> Claim | None:
        """A credit of a worker that serves the route, the preferred one if it can; None: it waits.

        `among` so many that came together. Those of `but` only where nobody else can.

        Where tasks wait for credits nothing overtakes them: they are claimed by their shares.
        """
        if self._backlog.short(route) or not self._gates.lets(route, task_id):
            return None
        seat = self._roster.pick(route, prefer, among=among, but=but)
        if seat is None and but:
            seat = self._roster.pick(route, prefer, among=among)
        if seat is None:
            self._gates.withdrawn(route, task_id)
            return None
        return Claim(
            incarnation=seat.incarnation,
            attach_number=seat.attach_number,
            taken_s=self._clock.mono(),
        )

    def refused(self, workflow_id: UUID) -> frozenset[UUID]:
        """Workers whose code does not fit it."""
        return self._roster.refusals.of(workflow_id)

    def ended(self, workflow_id: UUID) -> None:
        self._roster.refusals.forget(workflow_id)

    def give_back(
        self, route: Route, task_id: UUID, claim: Claim, *, unheard: bool = False
    ) -> None:
        """The task was not inserted, or not for this worker; `unheard`: or nobody knows."""
        self._roster.give_back(claim.incarnation, claim.attach_number)
        self._gates.withdrawn(route, task_id, unheard=unheard)

    def ready(self, tasks: Iterable[tuple[Group, UUID]]) -> None:
        """These wait in their groups: engines with credits are woken, each with the lowest id."""
        waiting = tuple(tasks)
        if not waiting:
            return
        self._pressure.came(group for group, _ in waiting)
        lowest: dict[Group, UUID] = {}
        for group, task_id in waiting:
            lowest[group] = min(task_id, lowest.get(group, task_id))
        for group, task_id in lowest.items():
            self._backlog.ready(group, task_id)
        self._announcer.ready(
            tuple(ReadyGroup(group=group, from_id=task_id) for group, task_id in lowest.items())
        )
