"""Claims ready tasks for workers with credits.

Wake-ups say which groups have tasks, and a pass over the ready index each second makes sure that
none is overlooked. There is one loop per process, so a pass and a claim never overlap.

A claim goes in this order: credits of workers and room in gates are reserved, the store claims for
them, what was claimed is pushed, and what nothing was claimed for is given back.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from itertools import islice
from uuid import UUID

import msgspec

from mainspring_engine.domain.backlog import Backlog, Group, ReadyGroup
from mainspring_engine.domain.claim_plan import by_route, groups_of, left_of
from mainspring_engine.domain.gate_limits import DEPTH_COUNTED_MAX
from mainspring_engine.domain.limits import (
    CLAIM_BATCH_TASKS_MAX,
    CLAIM_CHUNK_TASKS,
    CLAIM_ROUTES_MAX,
    CLAIM_SWEEP_PART_MAX,
    CLAIM_SWEEP_S,
    CLAIM_SWEEP_S_MAX,
    READY_GROUPS_MAX,
)
from mainspring_engine.domain.resting import Resting
from mainspring_engine.domain.roster import Roster
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.shares import Shares
from mainspring_engine.domain.tallies import Tallies
from mainspring_engine.ports.store import Claimed, ClaimRequest, ClaimShare, Store, Want
from mainspring_engine.usecases.backpressure import Backpressure
from mainspring_engine.usecases.gates import Gates
from mainspring_engine.usecases.pushing import Pusher
from mainspring_kernel.clock import Clock
from mainspring_kernel.passes import one_pass

_log = logging.getLogger(__name__)


class Claimer:
    """`backlog` is shared with those who insert tasks: what nobody could take is in it."""

    def __init__(  # noqa: PLR0913 - one named port each
        self,
        *,
        store: Store,
        roster: Roster,
        backlog: Backlog,
        gates: Gates,
        pressure: Backpressure,
        pusher: Pusher,
        clock: Clock,
        tallies: Tallies | None = None,
    ) -> None:
        self._store = store
        self._roster = roster
        self._backlog = backlog
        self._gates = gates
        self._pressure = pressure
        self._pusher = pusher
        self._clock = clock
        self._tallies = tallies or Tallies()
        self._shares = Shares()
        self._resting = Resting()
        self._look = False
        self._pass_s = 0.0
        self._after: Group | None = None
        self._wake = asyncio.Event()

    def look(self) -> None:
        """Something became ready, nobody says where."""
        self._look = True
        self._wake.set()

    def ready(self, group: Group, task_id: UUID) -> None:
        """This task, and maybe later ones of its group, became ready."""
        self._resting.ready(group.route)
        self._backlog.ready(group, task_id)
        self._wake.set()

    def resume(self) -> None:
        """A gate lets more through than before."""
        self._wake.set()

    def ended(self, route: Route) -> None:
        """A task of the route ended: a limit of running ones may have room."""
        if self._resting.ended(route):
            self._wake.set()

    def credits_came(self) -> None:
        """A worker can take more: worth a look only where something is believed to wait."""
        if self._backlog:
            self._wake.set()

    async def work(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._claim_for_ever())
            group.create_task(self._sweep_for_ever())

    async def _claim_for_ever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            with one_pass(_log, "a claim"):
                await self.claim_once()

    async def claim_once(self) -> None:
        """A pass where one is due, then claims until tasks or credits run out."""
        if self._look:
            self._look = False
            await self._pass()
        await self._claim_all()

    async def _sweep_for_ever(self) -> None:
        while True:
            # Rows that a held snapshot keeps make passes long: they get rarer, claims do not.
            rarer = min(CLAIM_SWEEP_S_MAX, self._pass_s / CLAIM_SWEEP_PART_MAX)
            await self._clock.sleep(max(CLAIM_SWEEP_S, rarer))
            # Without credits it has only to be known how much waits, and what gates say by now.
            if self._roster.free() or self._backlog or self._backlog.any_short:
                self._resting.clear()
                self.look()

    async def _pass(self) -> None:
        """Sets all marks anew, and sees whether a gate was moved elsewhere."""
        self._backlog.begin_pass()
        found: tuple[ReadyGroup, ...] = ()
        whole = False
        began_s = self._clock.mono()
        try:
            page = await self._store.ready_groups(self._after, READY_GROUPS_MAX)
            found, full = page.groups, len(page.groups) == READY_GROUPS_MAX
            whole = self._after is None and not full
            self._after = found[-1].group if full else None
        finally:
            self._backlog.end_pass(found, whole=whole)
        self._pass_s = self._clock.mono() - began_s
        self._gates.seen(page.board)
        await self._count(found, last=self._after is None)

    async def _count(self, found: tuple[ReadyGroup, ...], *, last: bool) -> None:
        """What waits for credits is counted, for new work is refused above its bound."""
        waiting = tuple(
            msgspec.structs.replace(ready, depth=DEPTH_COUNTED_MAX)
            for ready in found
            if self._backlog.short(ready.group.route)
        )
        depths = await self._store.depths(waiting) if waiting else ()
        groups = (ready.group for ready in waiting)
        self._pressure.counted(dict(zip(groups, depths, strict=True)), last=last)

    # ── claims ──────────────────────────────────────────────────────────────────────────────────

    async def _claim_all(self) -> None:
        """Until no route has both tasks and credits."""
        self._shares.weigh(self._gates.weights)
        while wants := self._reserve_all():
            # A route has several wants where credits are many; its marks are taken once.
            routes = dict.fromkeys(want.route for want in wants)
            marks = {route: self._backlog.take(route) for route in routes}
            request, asked_s = self._request(wants, marks), self._clock.mono()
            try:
                claimed = await self._store.claim(request)
            except BaseException:
                for want in wants:
                    self._give_back(want, want.limit, unheard=True)
                for route_marks in marks.values():
                    self._backlog.put_back(route_marks)
                raise
            self._tallies.claims.note(len(claimed))
            self._push(wants, claimed, asked_s)
            self._settle(request, claimed)

    def _reserve_all(self) -> list[Want]:
        """Takes the credits it asks for, route by route in turn; what is not used is given back."""
        for route in self._backlog.new():
            if self._may(route) and not self._roster.serves(route):
                self._backlog.lacks_credits(route)
        # What nobody can take, or is held back, takes no other route's place in the claim, however
        # much of it there is.
        free = filter(self._may, self._backlog.waiting(self._roster.serves))
        rota = deque(islice(free, CLAIM_ROUTES_MAX))
        chunk = self._chunk(len(rota))
        asked: dict[Route, int] = dict.fromkeys(rota, 0)
        wants: list[Want] = []
        while rota:
            route = rota.popleft()
            want = self._reserve(route, min(chunk, CLAIM_BATCH_TASKS_MAX - asked[route]))
            if want is None:
                continue
            wants.append(want)
            asked[route] += want.limit
            if asked[route] < CLAIM_BATCH_TASKS_MAX:
                rota.append(route)
        return wants

    def _may(self, route: Route) -> bool:
        return route not in self._resting and self._gates.may(route, CLAIM_CHUNK_TASKS)

    def _chunk(self, routes: int) -> int:
        """A worker is filled for a route alone; several routes get even parts of what is free."""
        if routes <= 1:
            return CLAIM_CHUNK_TASKS
        free = sum(seat.free_slots for seat in self._roster.free())
        return max(1, min(CLAIM_CHUNK_TASKS, free) // routes)

    def _reserve(self, route: Route, most: int) -> Want | None:
        """Some credits of one worker, as far as the gates let tasks through."""
        seat = self._roster.pick(route)
        if seat is None:
            self._backlog.lacks_credits(route)
            return None
        count = 1 + min(seat.free_slots, most - 1)
        seat.free_slots -= count - 1
        room = self._gates.reserve(route, count)
        if room < count:
            self._roster.give_back(seat.incarnation, seat.attach_number, count - room)
        if not room:
            return None
        return Want(
            route=route,
            incarnation=seat.incarnation,
            attach_number=seat.attach_number,
            limit=room,
        )

    def _request(self, wants: list[Want], marks: dict[Route, dict[Group, UUID]]) -> ClaimRequest:
        groups: list[ReadyGroup] = []
        slots = _slots_of(wants)
        for route, known in marks.items():
            chosen, left = groups_of(known, slots[route], self._shares)
            groups += chosen
            self._backlog.put_back(left)
        return ClaimRequest(
            wants=tuple(wants),
            groups=tuple(groups),
            shares=self._claim_shares({ready.group.org_id for ready in groups}),
            limits=tuple(limit for route in marks for limit in self._gates.at_once(route)),
        )

    def _claim_shares(self, org_ids: set[UUID]) -> tuple[ClaimShare, ...]:
        """Those that differ from an organization of weight 1 that is level with the clock."""
        found = (
            ClaimShare(
                org_id=org_id, lead=self._shares.lead(org_id), weight=self._shares.weight(org_id)
            )
            for org_id in org_ids
        )
        return tuple(share for share in found if share.lead > 0 or share.weight != 1)

    def _push(self, wants: list[Want], claimed: tuple[Claimed, ...], asked_s: float) -> None:
        taken: dict[tuple[UUID, Route], int] = {}
        for task in claimed:
            key = (task.incarnation, task.route)
            taken[key] = taken.get(key, 0) + 1
            self._gates.passed(task.route, task.held.task_id)
            self._pusher.push_claimed(task, asked_s)
        self._shares.given(task.org_id for task in claimed)
        self._pressure.went(Group(task.route, task.org_id, task.priority) for task in claimed)
        for want in wants:
            key = (want.incarnation, want.route)
            used = min(want.limit, taken.get(key, 0))
            taken[key] = taken.get(key, 0) - used
            self._give_back(want, want.limit - used)

    def _settle(self, request: ClaimRequest, claimed: tuple[Claimed, ...]) -> None:
        """What each route may still have, and whether its tasks wait for credits."""
        taken = by_route((task.route, task) for task in claimed)
        groups = by_route((ready.group.route, ready) for ready in request.groups)
        limits = by_route((limit.route, limit.key) for limit in request.limits)
        for route, asked in _slots_of(request.wants).items():
            got = [
                (Group(route, task.org_id, task.priority), task.held.task_id)
                for task in taken.get(route, ())
            ]
            limited, filled = limits.get(route, ()), len(got) >= asked
            left = left_of(groups.get(route, ()), got, all_of_them=filled or bool(limited))
            self._backlog.put_back(left)
            if filled:
                continue
            self._backlog.enough(route)
            if limited:
                self._resting.add(route, limited, full=not got)

    def _give_back(self, want: Want, count: int, *, unheard: bool = False) -> None:
        if count:
            self._roster.give_back(want.incarnation, want.attach_number, count)
            self._gates.unused(want.route, count, unheard=unheard)


def _slots_of(wants: Iterable[Want]) -> dict[Route, int]:
    """How many tasks of each route a claim asks for."""
    limits = by_route((want.route, want.limit) for want in wants)
    return {route: sum(some) for route, some in limits.items()}
