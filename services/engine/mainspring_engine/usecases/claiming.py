"""Claims ready tasks for workers with credits.

Wake-ups say when to look; a sweep each second makes sure that somebody looks.
"""

import asyncio
import logging

from mainspring_engine.domain.roster import Roster
from mainspring_engine.domain.routes import Route
from mainspring_engine.ports.store import Store, Want
from mainspring_engine.usecases.gates import Gates
from mainspring_engine.usecases.pushing import Pusher
from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import Unavailable
from mainspring_kernel.limits import CLAIM_BATCH_TASKS_MAX, CLAIM_SWEEP_S, ROUTES_REREAD_S

_log = logging.getLogger(__name__)


class Claimer:
    """One loop per process. `hot` are routes where ready tasks are believed to wait."""

    def __init__(
        self, *, store: Store, roster: Roster, gates: Gates, pusher: Pusher, clock: Clock
    ) -> None:
        self._store = store
        self._roster = roster
        self._gates = gates
        self._pusher = pusher
        self._clock = clock
        self._known: set[Route] = set()
        self._hot: dict[Route, None] = {}
        self._wake = asyncio.Event()

    def look(self, routes: tuple[Route, ...] = ()) -> None:
        """Something became ready on these routes, or on any."""
        fresh = routes or tuple(self._known)
        self._known.update(routes)
        self._hot.update(dict.fromkeys(fresh))
        self._wake.set()

    def know(self, routes: tuple[Route, ...]) -> None:
        """Tasks of these routes exist, if only claimed ones: a loss makes one ready at any time."""
        self._known.update(routes)

    def credits_came(self) -> None:
        """A worker can take more: worth a look only where something is believed to wait."""
        if self._hot:
            self._wake.set()

    async def work(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._claim_for_ever())
            group.create_task(self._sweep_for_ever())

    async def _claim_for_ever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._claim_all()
            except Unavailable as error:
                _log.warning("claiming waits: %s", error)

    async def _sweep_for_ever(self) -> None:
        read_at = -ROUTES_REREAD_S
        while True:
            await self._clock.sleep(CLAIM_SWEEP_S)
            if not self._roster.free():
                continue
            if self._clock.mono() - read_at >= ROUTES_REREAD_S:
                try:
                    self._known.update(await self._store.routes())
                except Unavailable:
                    continue
                read_at = self._clock.mono()
            self.look()

    async def _claim_all(self) -> None:
        """Until no hot route has both tasks and credits."""
        while wants := self._wants():
            try:
                claimed = await self._store.claim(tuple(wants))
            except BaseException:
                for want in wants:
                    self._give_back(want, want.limit)
                raise
            counts: dict[tuple[object, Route], int] = {}
            for task in claimed:
                key = (task.incarnation, task.route)
                counts[key] = counts.get(key, 0) + 1
                self._gates.passed(task.route, task.held.task_id)
                self._pusher.push_claimed(task)
            for want in wants:
                taken = counts.get((want.incarnation, want.route), 0)
                if taken < want.limit:
                    self._give_back(want, want.limit - taken)
                    self._hot.pop(want.route, None)

    def _give_back(self, want: Want, count: int) -> None:
        self._roster.give_back(want.incarnation, count)
        self._gates.unused(want.route, count)

    def _wants(self) -> list[Want]:
        """Takes the credits it asks for; what is not used is given back."""
        wants: list[Want] = []
        for route in tuple(self._hot):
            # A route whose gate is shut stays hot: it is asked again when the gate moves.
            room = self._gates.reserve(route, CLAIM_BATCH_TASKS_MAX)
            seat = self._roster.pick(route) if room else None
            if seat is None:
                self._gates.unused(route, room)
                continue
            more = min(seat.free_slots, room - 1)
            seat.free_slots -= more
            self._gates.unused(route, room - more - 1)
            wants.append(
                Want(
                    route=route,
                    incarnation=seat.incarnation,
                    attach_number=seat.attach_number,
                    limit=more + 1,
                )
            )
        return wants
