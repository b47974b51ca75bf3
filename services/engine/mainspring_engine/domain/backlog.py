"""Where ready tasks are believed to wait, and from which row on a claim must look. Pure.

A mark is the lowest id of a group that may be ready. Below it lie rows that were claimed. While
some snapshot may still see them they stay in the index, and marks spare reading them. Marks are
hints: what becomes ready lowers its mark, and a pass over the index sets them all anew.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from uuid import UUID

from msgspec import Struct

from mainspring_engine.domain.limits import BACKLOG_GROUPS_MAX
from mainspring_engine.domain.routes import Route


class Group(Struct, frozen=True, array_like=True):
    """What a claim chooses between: tasks of one organization and one priority."""

    route: Route
    org_id: UUID
    priority: int


class ReadyGroup(Struct, frozen=True, kw_only=True):
    """A group with its mark. `depth` bounds how many of it one claim looks at."""

    group: Group
    from_id: UUID
    depth: int = 0


class _Line:
    """Routes that differ in their keys alone: whoever serves one of them serves all."""

    __slots__ = ("groups", "routes")

    def __init__(self) -> None:
        self.routes: dict[Route, int] = {}
        """In the order in which they came, of all lines together."""
        self.groups = 0


class Backlog:
    """Of one engine. A group is known from when a task of it waits until a claim found none.

    `known` tells whether a worker that serves a route is attached.
    """

    def __init__(
        self,
        groups_max: int = BACKLOG_GROUPS_MAX,
        *,
        known: Callable[[Route], bool] = lambda _: True,
    ) -> None:
        self._groups_max = groups_max
        self._known = known
        self._count = 0
        self._came = 0
        self._marks: dict[Route, dict[Group, UUID]] = {}
        self._lines: dict[Route, _Line] = {}
        self._new: list[Route] = []
        self._short: set[Route] = set()
        self._passed: set[Group] | None = None

    def ready(self, group: Group, task_id: UUID) -> None:
        """A task waits that may be the lowest of its group."""
        if self._passed is not None:
            self._passed.add(group)
        mark = self._marks.get(group.route, {}).get(group)
        if mark is None:
            if self._count >= self._groups_max and not self._makes_room(group.route.without_keys):
                return  # a later pass finds it
            self._line_of(group.route).groups += 1
            self._count += 1
        if mark is None or task_id < mark:
            self._marks.setdefault(group.route, {})[group] = task_id

    def _line_of(self, route: Route) -> _Line:
        line = self._lines.setdefault(route.without_keys, _Line())
        if route not in line.routes:
            self._came += 1
            line.routes[route] = self._came
            self._new.append(route)
        return line

    def _makes_room(self, asking: Route) -> bool:
        """What nobody serves goes first, then half of the longest line: later passes find them.

        Else what waits for nobody, or is held back, would keep all others out for ever.
        """
        if not self._known(asking):
            return False
        for unknown in [one for one in self._lines if not self._known(one)]:
            self._forget(tuple(self._lines[unknown].routes))
        if self._count < self._groups_max:
            return True
        longest = max(self._lines, key=lambda one: self._lines[one].groups)
        routes = tuple(self._lines[longest].routes)
        self._forget(() if longest == asking else routes[len(routes) // 2 :])
        return self._count < self._groups_max

    def _forget(self, routes: Iterable[Route]) -> None:
        for route in routes:
            self.take(route)

    def routes(self) -> tuple[Route, ...]:
        return tuple(self._marks)

    def __bool__(self) -> bool:
        return bool(self._marks)

    def waiting(self, serves: Callable[[Route], bool]) -> Iterator[Route]:
        """Routes that somebody serves, in the order in which they came.

        Of a line one is asked for: tasks for nobody, however many, cost a claim next to nothing.
        """
        served = (line.routes.items() for one, line in self._lines.items() if serves(one))
        return (route for route, _ in heapq.merge(*served, key=itemgetter(1)))

    def new(self) -> tuple[Route, ...]:
        """Those that came since this was asked, and are here."""
        came, self._new = self._new, []
        return tuple(route for route in came if route in self._marks)

    def short(self, route: Route) -> bool:
        """Whether tasks of the route wait for credits: then nothing may overtake them."""
        return route in self._short

    @property
    def any_short(self) -> bool:
        return bool(self._short)

    def lacks_credits(self, route: Route) -> None:
        self._short.add(route)

    # ── a claim ─────────────────────────────────────────────────────────────────────────────────

    def take(self, route: Route) -> dict[Group, UUID]:
        """The groups of a claim that is about to be sent; what comes meanwhile is kept apart."""
        marks = self._marks.pop(route, {})
        if marks:
            line = self._lines[route.without_keys]
            del line.routes[route]
            line.groups -= len(marks)
            self._count -= len(marks)
            if not line.routes:
                del self._lines[route.without_keys]
        return marks

    def put_back(self, marks: dict[Group, UUID]) -> None:
        """The claim did not happen, or these groups may have more."""
        for group, from_id in marks.items():
            self.ready(group, from_id)

    def enough(self, route: Route) -> None:
        """A claim got less than it had credits for."""
        self._short.discard(route)

    # ── a pass over the index ───────────────────────────────────────────────────────────────────

    def begin_pass(self) -> None:
        self._passed = set()

    def end_pass(self, found: Iterable[ReadyGroup], *, whole: bool) -> None:
        """Marks as they are in the index.

        A whole pass forgets what it did not find; what came while it was read stays.
        """
        kept, self._passed = self._passed or set(), None
        if whole:
            for route in tuple(self._marks):
                marks = self.take(route)
                self.put_back({group: mark for group, mark in marks.items() if group in kept})
        for ready in found:
            self.ready(ready.group, ready.from_id)
        self._short.intersection_update(self._marks)
