"""Which worker gets a task: free slots, soft affinity, and round robin among those that fit.

The dispatch plan of one engine process. Pure bookkeeping: no worker is told anything here.
"""

from collections import Counter, deque
from itertools import product
from typing import Final
from uuid import UUID

from mainspring_engine.domain.limits import WORKER_SLOTS_MAX
from mainspring_engine.domain.refusals import NOBODY, Refusals
from mainspring_engine.domain.routes import Offer, Route
from mainspring_kernel.limits import FRAME_TASKS_MAX

COMPANY_MAX: Final = FRAME_TASKS_MAX // 2
"""Tasks that one worker gets of those that came together: each worker among a thousand costs the
engine a frame, and is asked for one with their results. With half as many, a thousand workers did
a fourteenth fewer tasks."""
SHARERS_MIN: Final = 4
"""Tasks that come together go to so many workers at least, where there are as many."""
ONE_BY_ONE_SLOTS: Final = 8
"""Of its free slots so many are filled one by one; of the rest at most half are filled at once."""


class Seat:
    """One attached worker: what it can take and how much more."""

    __slots__ = (
        "attach_number", "deaf", "drained", "draining", "free_slots", "incarnation", "offer",
    )  # fmt: skip

    def __init__(
        self, incarnation: UUID, attach_number: int, offer: Offer, free_slots: int
    ) -> None:
        self.incarnation = incarnation
        self.attach_number = attach_number
        self.offer = offer
        self.free_slots = free_slots
        self.draining = False
        """On its way out, by its own word."""
        self.drained = False
        """Held back by an operator."""
        self.deaf = False


class Roster:
    """Picking is O(1) while free_slots last: a worker without free_slots leaves the rotation."""

    def __init__(self) -> None:
        self._seats: dict[UUID, Seat] = {}
        self._rotations: dict[tuple[str, str], deque[UUID]] = {}
        self._rotating: dict[tuple[str, str], set[UUID]] = {}
        self._filling: dict[tuple[str, str], tuple[Seat, int]] = {}
        """Whom tasks that came together go to next, and how many more."""
        self._builds: Counter[tuple[str, str, str]] = Counter()
        """How many attached workers serve a queue, a capability, and a build or any."""
        self.refusals = Refusals()

    def add(self, seat: Seat) -> None:
        """A newer attach of the same incarnation replaces the older one."""
        older = self._seats.get(seat.incarnation)
        if older is not None:
            self._builds -= _served(older.offer)
        self._seats[seat.incarnation] = seat
        self._builds += _served(seat.offer)
        self._rotate_in(seat)

    def remove(self, incarnation: UUID, attach_number: int) -> bool:
        """False where a newer attach has taken the seat."""
        seat = self._seats.get(incarnation)
        if seat is None or seat.attach_number != attach_number:
            return False
        del self._seats[incarnation]
        self._builds -= _served(seat.offer)
        for key in product(seat.offer.queues, seat.offer.capabilities):
            self._rotate_out(key, incarnation)
        return True

    def _rotate_out(self, key: tuple[str, str], incarnation: UUID) -> None:
        """Where nobody asks for a task of it nobody would find that it left."""
        if incarnation in self._rotating.get(key, ()):
            self._rotating[key].discard(incarnation)
            self._rotations[key].remove(incarnation)
            if not self._rotations[key]:
                del self._rotations[key], self._rotating[key]

    def give_back(self, incarnation: UUID, attach_number: int, count: int = 1) -> None:
        """Nothing where a newer attach has the seat: it came with all that is free."""
        seat = self._seats.get(incarnation)
        if seat is not None and seat.attach_number == attach_number:
            seat.free_slots = min(seat.free_slots + count, WORKER_SLOTS_MAX)
            self._rotate_in(seat)

    def drain(self, incarnation: UUID) -> None:
        seat = self._seats.get(incarnation)
        if seat is not None:
            seat.draining = True

    def fell_silent(self, incarnation: UUID) -> bool:
        """It gets nothing until it speaks. Whether that is news."""
        return self._set_deaf(incarnation, deaf=True)

    def spoke(self, incarnation: UUID) -> bool:
        """From now on it is as before its silence. Whether that is news."""
        return self._set_deaf(incarnation, deaf=False)

    def _set_deaf(self, incarnation: UUID, *, deaf: bool) -> bool:
        seat = self._seats.get(incarnation)
        if seat is None or seat.deaf is deaf:
            return False
        seat.deaf = deaf
        self._rotate_in(seat)
        return True

    def hold_back(self, seats: tuple[Seat, ...], *, drained: frozenset[UUID]) -> None:
        """Of these seats the drained ones get nothing, the others what they can take."""
        for seat in seats:
            seat.drained = seat.incarnation in drained
            if self._seats.get(seat.incarnation) is seat:
                self._rotate_in(seat)

    def pick(
        self,
        route: Route,
        prefer: UUID | None = None,
        *,
        among: int = 1,
        but: frozenset[UUID] = NOBODY,
    ) -> Seat | None:
        """Takes one credit of a worker that serves the route, the preferred one if it can.

        `among`: how many tasks came together. A frame each would cost the engine more than all
        else, so some of them share a worker. None of `but`.
        """
        if prefer is not None and prefer not in but:
            seat = self._seats.get(prefer)
            if seat is not None and _free(seat) and seat.offer.serves(route):
                seat.free_slots -= 1
                return seat
        key = (route.queue, route.capability)
        if among > 1 and (seat := self._fill(key, route)) is not None:
            return seat
        seat = self._next(key, route, but)
        if seat is None:
            return None
        self._rotations[key].rotate(-1)
        seat.free_slots -= 1
        if more := _company(seat, among):
            self._filling[key] = (seat, more)
        return seat

    def _fill(self, key: tuple[str, str], route: Route) -> Seat | None:
        seat, more = self._filling.pop(key, (None, 0))
        if seat is None or self._seats.get(seat.incarnation) is not seat:
            return None
        if not _free(seat) or not seat.offer.serves(route):
            return None
        seat.free_slots -= 1
        if more > 1:
            self._filling[key] = (seat, more - 1)
        return seat

    def borrow(self, route: Route) -> Seat | None:
        """Takes a credit that the worker may not have: what is over soon waits for nobody.

        The one that has most of them; None where no worker that is heard serves the route.
        """
        able = (
            seat
            for seat in self._seats.values()
            if not (seat.draining or seat.deaf) and seat.offer.serves(route)
        )
        seat = max(able, key=lambda one: one.free_slots, default=None)
        if seat is not None:
            seat.free_slots -= 1
        return seat

    def _next(
        self, key: tuple[str, str], route: Route, but: frozenset[UUID] = NOBODY
    ) -> Seat | None:
        """Whose turn it is to take a task of the route; without free slots it leaves the rota."""
        rotation = self._rotations.get(key, deque())
        for _ in range(len(rotation)):
            seat = self._seats.get(rotation[0])
            if seat is None or not _free(seat):
                self._rotating[key].discard(rotation.popleft())
            elif seat.offer.serves(route) and seat.incarnation not in but:
                return seat
            else:
                rotation.rotate(-1)
        return None

    def get(self, incarnation: UUID) -> Seat | None:
        return self._seats.get(incarnation)

    def all(self) -> tuple[Seat, ...]:
        return tuple(self._seats.values())

    def free(self) -> tuple[Seat, ...]:
        """The workers that could take something now."""
        return tuple(seat for seat in self._seats.values() if _free(seat))

    def serves(self, route: Route) -> bool:
        """Whether one of them could take a task of the route."""
        return self._next((route.queue, route.capability), route) is not None

    def refused(self, workflow_id: UUID, incarnation: UUID, route: Route) -> bool:
        """A worker's code does not fit it. Whether one that could take it at once has not said so.

        One whose slots are all in use is not waited for: meanwhile anybody would be asked again.
        """
        if not self.refusals.note(workflow_id, incarnation):
            return False
        others = self.refusals.of(workflow_id)
        return self._next((route.queue, route.capability), route, others) is not None

    def known(self, route: Route) -> bool:
        """Whether any worker that serves the route is attached, free or not."""
        return self._builds[route.queue, route.capability, route.build] > 0

    def _rotate_in(self, seat: Seat) -> None:
        if not _free(seat):
            return
        for queue in seat.offer.queues:
            for capability in seat.offer.capabilities:
                key = (queue, capability)
                known = self._rotating.setdefault(key, set())
                if seat.incarnation not in known:
                    known.add(seat.incarnation)
                    self._rotations.setdefault(key, deque()).append(seat.incarnation)


def _served(offer: Offer) -> Counter[tuple[str, str, str]]:
    return Counter(product(offer.queues, offer.capabilities, {"", offer.build}))


def _company(seat: Seat, among: int) -> int:
    """How many more of those that came together this worker gets.

    One with many slots waits more than it works, so some at once cost it no time; one with few
    gets them one by one, and no few workers get everything.
    """
    share = min(among // SHARERS_MIN, (seat.free_slots - ONE_BY_ONE_SLOTS) // 2)
    return max(0, min(COMPANY_MAX, share) - 1)


def _free(seat: Seat) -> bool:
    held_back = seat.draining or seat.drained or seat.deaf
    return seat.free_slots > 0 and not held_back
