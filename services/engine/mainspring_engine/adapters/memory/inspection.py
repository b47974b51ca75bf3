"""What operators look at, over the tables."""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import AbstractContextManager
from itertools import chain, islice
from typing import Final
from uuid import UUID

from mainspring_engine.adapters.memory.registry import MemoryRegistry
from mainspring_engine.adapters.memory.tables import AttemptRow, Tables, TaskRow
from mainspring_engine.domain import closed
from mainspring_engine.domain.limits import CLOSED_WINDOW_MAX, REPLICA_SILENT_S, SAMPLE_TASKS_MAX
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import Effect, Outcome, TaskState
from mainspring_engine.domain.samples import RouteSample, Sample, SeatSample, Vitals
from mainspring_engine.ports.inspection import ClosedPage
from mainspring_kernel.clock import Clock
from mainspring_schema.operations import (
    AttemptView,
    ListTasks,
    OpenStatus,
    TaskDetails,
    TaskView,
    WorkerView,
)

_SILENT_MS = round(REPLICA_SILENT_S * 1000)


class MemoryInspection:
    """`lock` and `tables` are the store's own."""

    def __init__(
        self,
        lock: AbstractContextManager[object],
        tables: Tables,
        clock: Clock,
        registry: MemoryRegistry,
    ) -> None:
        self._lock = lock
        self._tables = tables
        self._clock = clock
        self._registry = registry

    # ── tasks ───────────────────────────────────────────────────────────────────────────────────

    async def tasks(self, asked: ListTasks) -> tuple[TaskView, ...]:
        with self._lock:
            rows = sorted(self._tables.tasks.values(), key=lambda row: row.id.int)
            found = (self._view(row) for row in rows if _is_asked_for(row, asked))
            return tuple(islice(found, asked.limit + 1))

    async def still_open(
        self, ids: tuple[UUID, ...], org_id: UUID | None = None
    ) -> tuple[UUID, ...]:
        with self._lock:
            tasks = (self._tables.tasks.get(id_) for id_ in ids)
            workflows = (self._tables.workflows.get(id_) for id_ in ids)
            running = (row for row in workflows if row and row.outcome is Outcome.RUNNING)
            found = (row for row in chain(tasks, running) if row is not None)
            return tuple(row.id for row in found if org_id in (None, row.org_id))

    async def closed(self, org_id: UUID, before: UUID | None, limit: int) -> ClosedPage:
        with self._lock:
            older = sorted(
                (id_ for id_ in self._tables.payloads if before is None or id_.int < before.int),
                key=lambda id_: id_.int,
                reverse=True,
            )
            window = older[:CLOSED_WINDOW_MAX]
            ended = [id_ for id_ in window if self._has_ended(org_id, id_)]
            page = ended[:limit]
            bottom = window[-1] if len(window) == CLOSED_WINDOW_MAX else None
            return ClosedPage(
                tasks=tuple(self._closed(id_) for id_ in page),
                next=page[-1] if len(ended) > limit else bottom,
            )

    def _has_ended(self, org_id: UUID, task_id: UUID) -> bool:
        made = self._tables.payloads[task_id]
        plain = made.org_id == org_id and made.step.startswith("task:")
        return plain and task_id not in self._tables.tasks

    def _closed(self, task_id: UUID) -> TaskView:
        made = self._tables.payloads[task_id]
        attempts = self.attempts(task_id)
        return closed.view(task_id, task_id, made.step, closed.read(made.payload), attempts)

    async def task(self, org_id: UUID, task_id: UUID) -> TaskDetails | None:
        with self._lock:
            made = self._tables.payloads.get(task_id)
            if made is None or made.org_id != org_id:
                return None
            attempts = self.attempts(task_id)
            row = self._tables.tasks.get(task_id)
            if row is not None:
                task = self._view(row)
            else:
                payload = closed.read(made.payload)
                owner = closed.owner(task_id, payload)
                session_id = owner
                if owner != task_id:
                    session_id = self._tables.workflows[owner].session_id
                task = closed.view(task_id, session_id, made.step, payload, attempts)
            return TaskDetails(task=task, attempts=attempts, payload=made.payload)

    def attempts(self, task_id: UUID) -> tuple[AttemptView, ...]:
        """Those of a task that closed, by fence. Under the lock."""
        rows = [row for row in self._tables.attempts.values() if row.task_id == task_id]
        return tuple(self._attempt(row) for row in sorted(rows, key=lambda row: row.fence))

    def _attempt(self, row: AttemptRow) -> AttemptView:
        worker = self._tables.registry.workers.get(row.incarnation)
        return AttemptView(
            fence=row.fence,
            worker_id=row.incarnation,
            worker_name=None if worker is None else worker.name,
            worker_build=None if worker is None else worker.build,
            claimed_ms=row.claimed_ms,
            closed_ms=row.closed_ms,
            acknowledged=row.acknowledged,
            started=row.started,
            closing=row.closing.name.lower(),
            error_code=row.error_code,
            error_message=row.error_message,
        )

    def _view(self, row: TaskRow) -> TaskView:
        leased = row.state is TaskState.LEASED
        holder = (
            None if row.incarnation is None else self._tables.registry.workers.get(row.incarnation)
        )
        return TaskView(
            id=row.id,
            workflow_id=row.workflow_id,
            session_id=row.session_id,
            step=row.step,
            kind=closed.KINDS[row.kind],
            status=_STATUSES[row.state],
            effect=Effect(row.effect).name.lower(),
            queue=row.route.queue,
            capability=row.route.capability,
            build=row.route.build,
            model=row.route.model,
            keys=row.route.keys,
            priority=row.priority,
            fence=row.fence,
            due_ms=row.ready_ms,
            claimed_ms=row.claimed_ms if leased else None,
            lease_until_ms=row.lease_until_ms if leased else None,
            worker_id=row.incarnation,
            worker_name=None if holder is None else holder.name,
            acknowledged=row.acknowledged,
            cancelling=row.cancelling,
            started=row.started_fence > 0,
            deaths=row.deaths,
            failures=row.failures,
            uncounted=row.uncounted,
        )

    # ── everything that is open ─────────────────────────────────────────────────────────────────

    async def sample(self) -> Sample:
        with self._lock:
            now_ms = self._clock.wall_ms()
            tasks = list(islice(self._tables.tasks.values(), SAMPLE_TASKS_MAX))
            return Sample(
                at_ms=now_ms,
                routes=_routes(tasks, now_ms),
                seats=_seats(self._registry.attached()),
                replicas=sum(
                    seen >= now_ms - _SILENT_MS for seen in self._tables.registry.replicas.values()
                ),
                dead_letters=self._open_letters(),
                cut=len(tasks) >= SAMPLE_TASKS_MAX,
            )

    async def vitals(self) -> Vitals:
        """Dictionaries keep nothing dead, and no snapshot."""
        return Vitals(dead_rows=dict.fromkeys(_TABLES, 0), horizon_s=0.0, horizon_behind=0)

    def _open_letters(self) -> int:
        resolved = self._tables.resolutions
        return sum(
            task_id not in resolved or resolved[task_id].refusal is not None
            for task_id in self._tables.dead_letters
        )


_TABLES: Final = ("engine.inbox", "engine.task", "engine.timer", "engine.workflow", "log.head")
_STATUSES: Final[dict[TaskState, OpenStatus]] = {
    TaskState.READY: "ready",
    TaskState.LEASED: "leased",
    TaskState.DELAYED: "delayed",
    TaskState.WAITING: "waiting",
}


def _is_asked_for(row: TaskRow, asked: ListTasks) -> bool:
    wanted = (
        (asked.status, _STATUSES[row.state]),
        (asked.kind, closed.KINDS[row.kind]),
        (asked.queue, row.route.queue),
        (asked.session_id, row.session_id),
        (asked.workflow_id, row.workflow_id),
        (asked.worker_id, row.incarnation),
    )
    return (
        row.org_id == asked.org_id
        and (asked.after is None or row.id.int > asked.after.int)
        and all(want is None or want == value for want, value in wanted)
    )


def _routes(tasks: Iterable[TaskRow], now_ms: int) -> tuple[RouteSample, ...]:
    by_route: dict[Route, list[TaskRow]] = defaultdict(list)
    for task in tasks:
        by_route[task.route].append(task)
    return tuple(_route(route, rows, now_ms) for route, rows in sorted(by_route.items(), key=_name))


def _name(item: tuple[Route, list[TaskRow]]) -> tuple[str, str, str, str]:
    return item[0].names


def _route(route: Route, rows: list[TaskRow], now_ms: int) -> RouteSample:
    states = [row.state for row in rows]
    since = [row.ready_ms for row in rows if row.state is TaskState.READY]
    return RouteSample(
        route=route,
        ready=states.count(TaskState.READY),
        leased=states.count(TaskState.LEASED),
        delayed=states.count(TaskState.DELAYED),
        waiting=states.count(TaskState.WAITING),
        oldest_ms=max(0, now_ms - min(since)) if since else 0,
    )


def _seats(workers: Iterable[WorkerView]) -> tuple[SeatSample, ...]:
    alike: dict[tuple[frozenset[str], frozenset[str], str], list[WorkerView]] = defaultdict(list)
    for worker in workers:
        offer = (frozenset(worker.queues), frozenset(worker.capabilities), worker.build)
        alike[offer].append(worker)
    return tuple(_seat(offer, some) for offer, some in alike.items())


def _seat(
    offer: tuple[frozenset[str], frozenset[str], str], workers: list[WorkerView]
) -> SeatSample:
    active = [worker for worker in workers if worker.status == "active"]
    return SeatSample(
        queues=offer[0],
        capabilities=offer[1],
        build=offer[2],
        active=len(active),
        silent=sum(worker.status == "silent" for worker in workers),
        draining=sum(worker.status == "draining" for worker in workers),
        slots=sum(worker.slots for worker in active),
        held=sum(worker.held for worker in active),
    )
