"""Claims and attaches over the tables."""

from collections import defaultdict
from collections.abc import Iterator
from uuid import UUID

from mainspring_engine.adapters.memory.tables import Tables, TaskRow, WorkerRow
from mainspring_engine.adapters.memory.writing import LEASE_MS
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import Closing, TaskState
from mainspring_engine.ports.store import Attachment, AttachReply, Claimed, Want
from mainspring_schema.frames import Held

_NOBODY = UUID(int=0)


class Dispatch:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._served: dict[Route, UUID] = {}

    def claim(self, wants: tuple[Want, ...], now_ms: int) -> tuple[Claimed, ...]:
        claimed: list[Claimed] = []
        for route, seats in _seats(self._tables, wants).items():
            for task, want in zip(self._ready(route), seats, strict=False):
                task.rev += 1
                task.lease(want.incarnation, want.attach_number, now_ms=now_ms, lease_ms=LEASE_MS)
                self._served[route] = task.org_id
                claimed.append(self._claimed(task, want.incarnation))
        return tuple(claimed)

    def _ready(self, route: Route) -> list[TaskRow]:
        """Highest priority first, in one the organizations in turn, behind the last served."""
        after = self._served.get(route, _NOBODY)
        rounds: dict[tuple[UUID, int], int] = defaultdict(int)
        ranked: list[tuple[tuple[int, int, bool, int], TaskRow]] = []
        for task in sorted(self._tables.tasks.values(), key=lambda t: t.id.int):
            if task.route != route or task.state is not TaskState.READY or task.cancelling:
                continue
            place = rounds[task.org_id, task.priority]
            rounds[task.org_id, task.priority] += 1
            behind = task.org_id.int <= after.int
            ranked.append(((-task.priority, place, behind, task.org_id.int), task))
        return [task for _, task in sorted(ranked, key=lambda pair: pair[0])]

    def _claimed(self, task: TaskRow, incarnation: UUID) -> Claimed:
        workflow = self._tables.workflows[task.workflow_id]
        return Claimed(
            held=task.held,
            route=task.route,
            session_id=task.session_id,
            workflow_id=task.workflow_id,
            org_id=task.org_id,
            payload=self._tables.payloads[task.id].payload,
            config_hash=workflow.config_hash,
            traceparent=workflow.traceparent,
            failures=task.failures,
            incarnation=incarnation,
            started=task.started_fence > 0,
        )

    def attach(self, attachment: Attachment, now_ms: int) -> AttachReply:
        tables, worker = self._tables, attachment.incarnation
        if tables.workers.get(worker, -1) > attachment.attach_number:
            return AttachReply(refused=True)
        tables.workers[worker] = attachment.attach_number
        _keep_worker(tables, attachment, now_ms)
        lost: list[Held] = []
        cancelling: list[Held] = []
        for held in attachment.held:
            task = tables.tasks.get(held.task_id)
            if task is None or task.held != held or task.incarnation != worker:
                lost.append(held)
                self._take_death_back(held, worker)
                continue
            task.attach_number = attachment.attach_number
            task.acknowledged = True
            task.rev += 1
            task.stamp(now_ms, LEASE_MS)
            if task.cancelling:
                cancelling.append(held)
        released = self._release_unlisted(attachment, now_ms)
        return AttachReply(
            refused=False, lost=tuple(lost), cancelling=tuple(cancelling), released=released
        )

    def _take_death_back(self, held: Held, worker: UUID) -> None:
        task = self._tables.tasks.get(held.task_id)
        attempt = self._tables.attempts.get(held)
        if task is None or attempt is None or held.fence not in task.died:
            return
        if attempt.incarnation == worker:
            task.died.discard(held.fence)
            task.deaths -= 1
            task.rev += 1

    def _release_unlisted(self, attachment: Attachment, now_ms: int) -> int:
        listed = set(attachment.held)
        gone = [
            task
            for task in self._tables.tasks.values()
            if task.incarnation == attachment.incarnation
            and task.held not in listed
            and not task.cancelling
            and not (task.effect.needs_start and task.started_fence > 0)
        ]
        for task in gone:
            self._tables.close_attempt(task, Closing.UNDELIVERED, now_ms=now_ms)
            task.let_go(TaskState.READY, now_ms)
            task.uncounted += 1
        return len(gone)


def _keep_worker(tables: Tables, attachment: Attachment, now_ms: int) -> None:
    row = tables.registry.workers.get(attachment.incarnation)
    if row is None:
        row = WorkerRow(
            incarnation=attachment.incarnation,
            attach_number=attachment.attach_number,
            name=attachment.name,
            build=attachment.build,
            attached_ms=now_ms,
        )
        tables.registry.workers[attachment.incarnation] = row
    row.attach_number, row.attached_ms = attachment.attach_number, now_ms
    row.name, row.build = attachment.name, attachment.build


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
