"""Where ready tasks are believed to wait, and from which row on a claim must look. Pure.

A mark is the lowest id of a group that may be ready. Below it lie rows that were claimed; while
some snapshot may still see them they stay in the index, and reading them is what marks spare. Marks
are hints: what becomes ready lowers its mark, and a pass over the index sets them all anew.
"""

from collections.abc import Iterable
from uuid import UUID

from msgspec import Struct

from mainspring_engine.domain.routes import Route
from mainspring_kernel.limits import BACKLOG_GROUPS_MAX


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


class Backlog:
    """Of one engine. A group is known from when a task of it waits until a claim found none."""

    def __init__(self, groups_max: int = BACKLOG_GROUPS_MAX) -> None:
        self._groups_max = groups_max
        self._count = 0
        self._marks: dict[Route, dict[Group, UUID]] = {}
        self._short: set[Route] = set()
        self._passed: set[Group] | None = None

    def ready(self, group: Group, task_id: UUID) -> None:
        """A task waits that may be the lowest of its group."""
        if self._passed is not None:
            self._passed.add(group)
        known = self._marks.get(group.route, {}).get(group)
        if known is None:
            if self._count >= self._groups_max:
                return  # a later pass finds it
            self._count += 1
        if known is None or task_id < known:
            self._marks.setdefault(group.route, {})[group] = task_id

    def routes(self) -> tuple[Route, ...]:
        return tuple(self._marks)

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
        self._count -= len(marks)
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
        if whole:
            self._short.intersection_update(self._marks)
