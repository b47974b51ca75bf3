"""Claims and attaches over the tables."""

import math
from collections import defaultdict
from collections.abc import Iterator
from uuid import UUID

from mainspring_engine.adapters.memory.progress import progress_of
from mainspring_engine.adapters.memory.tables import Tables, TaskRow, WorkerRow
from mainspring_engine.adapters.memory.writing import LEASE_MS
from mainspring_engine.domain.backlog import Group, ReadyGroup
from mainspring_engine.domain.limit import is_family, keys_of, stem_of
from mainspring_engine.domain.limits import DEATHS_FORGIVEN_MAX, PRIORITY_AGING_S
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import Closing, TaskState
from mainspring_engine.ports.store import (
    AttachReply,
    AttachRow,
    Claimed,
    ClaimLimit,
    ClaimRequest,
    ReadyPage,
    Release,
    Want,
)
from mainspring_kernel.limits import PRIORITY_MAX
from mainspring_schema.frames import Held


class Dispatch:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def ready_groups(self, after: Group | None, limit: int) -> ReadyPage:
        lowest: dict[Group, UUID] = {}
        for task in self._tables.tasks.values():
            if task.state is TaskState.READY:
                group = Group(task.route, task.org_id, task.priority)
                lowest[group] = min(task.id, lowest.get(group, task.id))
        ordered = sorted(lowest, key=self._place)
        if after is not None:
            ordered = [group for group in ordered if self._place(group) > self._place(after)]
        return ReadyPage(
            board=self._tables.board,
            groups=tuple(ReadyGroup(group=g, from_id=lowest[g]) for g in ordered[:limit]),
        )

    def _place(self, group: Group) -> tuple[int, int, int]:
        return self._tables.routes.get(group.route, 0), group.org_id.int, -group.priority

    def claim(self, request: ClaimRequest, now_ms: int) -> tuple[Claimed, ...]:
        claimed: list[Claimed] = []
        for route, seats in _seats(self._tables, request.wants).items():
            limits = [limit for limit in request.limits if limit.route == route]
            ready = self._ready(request, route, now_ms)
            if limits:
                ready = ready[: self._headroom(limits)]
            for task, want in zip(ready, seats, strict=False):
                task.rev += 1
                task.lease(want.incarnation, want.attach_number, now_ms=now_ms, lease_ms=LEASE_MS)
                task.counted = bool(limits)
                claimed.append(self._claimed(task, want.incarnation))
        return tuple(claimed)

    def _headroom(self, limits: list[ClaimLimit]) -> int:
        return max(0, min(limit.at_once - running(self._tables, limit.key) for limit in limits))

    def _ready(self, request: ClaimRequest, route: Route, now_ms: int) -> list[TaskRow]:
        """By step of priority, then by shares, then in the order the groups were given."""
        found = [
            (n, nth, task)
            for n, ready in enumerate(request.groups)
            if ready.group.route == route
            for nth, task in enumerate(self._of(ready))
        ]
        steps = _steps([task for _, _, task in found], now_ms)
        shares = {share.org_id: share for share in request.shares}
        rounds: dict[tuple[UUID, int], int] = defaultdict(int)
        ranked: list[tuple[tuple[int, float, int, int], TaskRow]] = []
        # Priorities of one organization that have come to the same step take turns.
        for n, _, task in sorted(found, key=lambda one: (one[1], -one[2].priority)):
            step = steps[task.priority]
            share = shares.get(task.org_id)
            lead, weight = (0.0, 1.0) if share is None else (share.lead, share.weight)
            place = lead + rounds[task.org_id, step] / weight
            rounds[task.org_id, step] += 1
            ranked.append(((-step, place, n, task.id.int), task))
        return [task for _, task in sorted(ranked, key=lambda pair: pair[0])]

    def _of(self, ready: ReadyGroup) -> list[TaskRow]:
        return [task for task in self._looked_at(ready) if not task.cancelling]

    def depth(self, ready: ReadyGroup) -> int:
        return len(self._looked_at(ready))

    def _looked_at(self, ready: ReadyGroup) -> list[TaskRow]:
        tasks = [
            task
            for task in self._tables.tasks.values()
            if task.state is TaskState.READY
            and Group(task.route, task.org_id, task.priority) == ready.group
            and task.id >= ready.from_id
        ]
        return sorted(tasks, key=lambda task: task.id.int)[: ready.depth]

    def _claimed(self, task: TaskRow, incarnation: UUID) -> Claimed:
        workflow = self._tables.workflows.get(task.workflow_id)
        return Claimed(
            held=task.held,
            route=task.route,
            session_id=task.session_id,
            workflow_id=task.workflow_id,
            org_id=task.org_id,
            payload=self._tables.payloads[task.id].payload,
            config_hash=b"" if workflow is None else workflow.config_hash,
            traceparent="" if workflow is None else workflow.traceparent,
            failures=task.failures,
            incarnation=incarnation,
            started=task.started_fence > 0,
            priority=task.priority,
            progress=progress_of(self._tables, task.id),
        )

    def attach(self, attach_row: AttachRow, now_ms: int) -> AttachReply:
        tables, worker = self._tables, attach_row.incarnation
        if tables.workers.get(worker, -1) > attach_row.attach_number:
            return AttachReply(refused=True)
        tables.workers[worker] = attach_row.attach_number
        _keep_worker(tables, attach_row, now_ms)
        lost: list[Held] = []
        cancelling: list[Held] = []
        for held in attach_row.held:
            task = tables.tasks.get(held.task_id)
            if task is None or task.held != held or task.incarnation != worker:
                lost.append(held)
                self._take_death_back(held, worker)
                continue
            task.attach_number = attach_row.attach_number
            task.acknowledged = True
            task.rev += 1
            task.stamp(now_ms, LEASE_MS)
            if task.cancelling:
                cancelling.append(held)
        released = self._release_unlisted(attach_row, now_ms)
        return AttachReply(
            refused=False, lost=tuple(lost), cancelling=tuple(cancelling), released=released
        )

    def _take_death_back(self, held: Held, worker: UUID) -> None:
        task = self._tables.tasks.get(held.task_id)
        attempt = self._tables.attempts.get(held)
        if task is None or attempt is None or held.fence not in task.died:
            return
        if attempt.incarnation == worker and task.uncounted < DEATHS_FORGIVEN_MAX:
            task.died.discard(held.fence)
            task.deaths -= 1
            task.uncounted += 1
            task.rev += 1

    def _release_unlisted(self, attach_row: AttachRow, now_ms: int) -> int:
        listed = set(attach_row.held)
        gone = [
            task
            for task in self._tables.tasks.values()
            if task.incarnation == attach_row.incarnation
            and task.held not in listed
            and not task.cancelling
            and not (task.effect.needs_start and task.started_fence > 0)
        ]
        for task in gone:
            self._tables.close_attempt(task, Closing.UNDELIVERED, now_ms=now_ms)
            task.let_go(TaskState.READY, now_ms)
            task.uncounted += 1
        return len(gone)


def _keep_worker(tables: Tables, attach_row: AttachRow, now_ms: int) -> None:
    row = tables.registry.workers.get(attach_row.incarnation)
    if row is None:
        row = WorkerRow(
            incarnation=attach_row.incarnation,
            attach_number=attach_row.attach_number,
            name=attach_row.name,
            build=attach_row.build,
            attached_ms=now_ms,
        )
        tables.registry.workers[attach_row.incarnation] = row
    row.attach_number, row.attached_ms = attach_row.attach_number, now_ms
    row.name, row.build = attach_row.name, attach_row.build


def may_release(task: TaskRow, release: Release, now_ms: int) -> bool:
    return (
        task.state is TaskState.LEASED
        and task.held == release.held
        and not task.cancelling
        and not (release.unstarted_only and task.started_fence == task.fence)
        and not (release.expired_only and task.lease_until_ms >= now_ms)
        and release.incarnation in (None, task.incarnation)
        and release.attach_number in (None, task.attach_number)
    )


def running(tables: Tables, key: str) -> int:
    """How many counted tasks run under a limit's key; of a family under all of its keys."""
    return sum(
        task.state is TaskState.LEASED and task.counted and _is_under(task.route, key)
        for task in tables.tasks.values()
    )


def _is_under(route: Route, key: str) -> bool:
    keys = keys_of(route)
    return any(k.startswith(stem_of(key)) for k in keys) if is_family(key) else key in keys


def _steps(tasks: list[TaskRow], now_ms: int) -> dict[int, int]:
    """A priority rises as a whole, by its oldest task, but over nobody who stands above all steps.

    So a backlog of one organization lifts nobody over the others' fresh tasks of its priority.
    """
    oldest_ms: dict[int, int] = {}
    for task in tasks:
        made_ms = task.id.int >> 80
        oldest_ms[task.priority] = min(made_ms, oldest_ms.get(task.priority, made_ms))
    aging_ms = PRIORITY_AGING_S * 1000
    return {
        # An id may be made by a clock that is ahead.
        priority: min(
            max(PRIORITY_MAX, priority),
            priority + max(0, math.floor((now_ms - made_ms) / aging_ms)),
        )
        for priority, made_ms in oldest_ms.items()
    }


def _seats(tables: Tables, wants: tuple[Want, ...]) -> dict[Route, Iterator[Want]]:
    """The free slots of each route, workers in turn; old streams are passed over."""
    by_route: dict[Route, list[Want]] = {}
    for want in wants:
        if tables.workers.get(want.incarnation) == want.attach_number:
            by_route.setdefault(want.route, []).append(want)
    return {route: iter(_in_turn(some)) for route, some in by_route.items()}


def _in_turn(wants: list[Want]) -> list[Want]:
    most = max(want.limit for want in wants)
    return [want for turn in range(most) for want in wants if turn < want.limit]
