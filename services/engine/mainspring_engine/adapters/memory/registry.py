"""Workers and replicas over the tables."""

from collections import Counter
from contextlib import AbstractContextManager
from uuid import UUID

from mainspring_engine.adapters.memory.tables import Tables, WorkerRow
from mainspring_engine.domain.limits import (
    REPLICA_HEARD_S,
    REPLICA_SILENT_S,
    SWEEP_BATCH_ROWS_MAX,
    WORKER_KEPT_S,
)
from mainspring_engine.domain.rows import TaskState
from mainspring_engine.domain.workflow.state import VERSION_CONFLICT
from mainspring_engine.ports.registry import Presence, Registration
from mainspring_kernel.clock import Clock
from mainspring_schema.operations import ListWorkers, WorkerStatus, WorkerView


class MemoryRegistry:
    """`lock` and `tables` are the store's own."""

    def __init__(self, lock: AbstractContextManager[object], tables: Tables, clock: Clock) -> None:
        self._lock = lock
        self._tables = tables
        self._clock = clock

    async def register(self, registration: Registration) -> bool:
        with self._lock:
            self._tables.registry.replicas.setdefault(registration.replica, self._clock.wall_ms())
            row = self._row(registration.incarnation, registration.attach_number)
            if row is None:
                return False
            row.replica = registration.replica
            row.queues, row.capabilities = registration.queues, registration.capabilities
            row.slots = registration.slots
            row.leaving, row.silent_ms, row.left_ms = False, None, None
            return row.drained_ms is not None

    async def try_misfits(
        self, queues: tuple[str, ...], capabilities: tuple[str, ...], *, looks: int
    ) -> int:
        with self._lock:
            delayed = [it for it in self._tables.tasks.values() if it.state is TaskState.DELAYED]
            delayed.sort(key=lambda task: task.ready_ms, reverse=True)
            found = [
                task
                for task in delayed[:looks]
                if task.route.queue in queues
                and task.route.capability in capabilities
                and not task.cancelling
                and task.held in self._tables.attempts
                and self._tables.attempts[task.held].error_code == VERSION_CONFLICT
            ]
            for task in found:
                task.rev += 1
                if task.is_suspect:
                    task.ready_ms = self._clock.wall_ms()  # it waits for its turn
                else:
                    task.state = TaskState.READY
            return len(found)

    async def tell(self, presences: tuple[Presence, ...]) -> None:
        with self._lock:
            now_ms = self._clock.wall_ms()
            for presence in presences:
                row = self._row(presence.incarnation, presence.attach_number)
                if row is not None:
                    row.leaving = presence.leaving
                    row.silent_ms = (row.silent_ms or now_ms) if presence.silent else None
                    row.left_ms = None if presence.attached else (row.left_ms or now_ms)

    def _row(self, incarnation: UUID, attach_number: int) -> WorkerRow | None:
        row = self._tables.registry.workers.get(incarnation)
        return row if row is not None and row.attach_number == attach_number else None

    async def beat(self, replica: UUID) -> frozenset[UUID]:
        with self._lock:
            self._tables.registry.replicas[replica] = self._clock.wall_ms()
            return frozenset(
                row.incarnation
                for row in self._tables.registry.workers.values()
                if row.replica == replica and row.drained_ms is not None and row.left_ms is None
            )

    async def unknown(self, attached: tuple[tuple[UUID, int], ...]) -> frozenset[UUID]:
        with self._lock:
            rows = self._tables.registry.workers
            return frozenset(
                incarnation
                for incarnation, number in attached
                if incarnation not in rows or rows[incarnation].attach_number < number
            )

    async def drain(self, incarnation: UUID, *, drained: bool) -> bool:
        with self._lock:
            row = self._tables.registry.workers.get(incarnation)
            if row is not None:
                row.drained_ms = (row.drained_ms or self._clock.wall_ms()) if drained else None
            return row is not None

    async def workers(self, asked: ListWorkers) -> tuple[WorkerView, ...]:
        with self._lock:
            views = [self._view(row) for row in self._tables.registry.workers.values()]
            found = [view for view in views if _is_asked_for(view, asked)]
            found.sort(key=lambda view: view.id.int, reverse=True)
            return tuple(found[: asked.limit + 1])

    async def replicas_of(
        self, queue: str, capability: str, *, build: str = "", limit: int
    ) -> tuple[UUID, ...]:
        with self._lock:
            tables = self._tables.registry
            able = {
                row.replica
                for row in tables.workers.values()
                if queue in row.queues
                and capability in row.capabilities
                and build in ("", row.build)
                and self._status(row) == "active"
            }
            found = sorted(
                (-seen_ms, id_.int, id_) for id_, seen_ms in tables.replicas.items() if id_ in able
            )
            return tuple(id_ for _, _, id_ in found[:limit])

    async def shares(self) -> dict[UUID, int]:
        with self._lock:
            tables, bound_ms = self._tables.registry, self._ago_ms(REPLICA_HEARD_S)
            held = Counter(row.replica for row in tables.workers.values() if row.left_ms is None)
            return {id_: held[id_] for id_, at_ms in tables.replicas.items() if at_ms >= bound_ms}

    async def worker(self, incarnation: UUID) -> WorkerView | None:
        with self._lock:
            row = self._tables.registry.workers.get(incarnation)
            return None if row is None else self._view(row)

    def attached(self) -> tuple[WorkerView, ...]:
        """Those that have not stopped. Under the lock."""
        views = (self._view(row) for row in self._tables.registry.workers.values())
        return tuple(view for view in views if view.status != "stopped")

    def _view(self, row: WorkerRow) -> WorkerView:
        return WorkerView(
            id=row.incarnation,
            name=row.name,
            build=row.build,
            status=self._status(row),
            queues=row.queues,
            capabilities=row.capabilities,
            slots=row.slots,
            held=sum(
                task.state is TaskState.LEASED and task.incarnation == row.incarnation
                for task in self._tables.tasks.values()
            ),
            attached_ms=row.attached_ms,
            silent_ms=row.silent_ms,
            drained_ms=row.drained_ms,
            left_ms=row.left_ms,
            leaving=row.leaving,
        )

    def _status(self, row: WorkerRow) -> WorkerStatus:
        seen_ms = None if row.replica is None else self._tables.registry.replicas.get(row.replica)
        if row.left_ms is not None or seen_ms is None or seen_ms < self._ago_ms(REPLICA_SILENT_S):
            return "stopped"
        if row.silent_ms is not None:
            return "silent"
        return "draining" if row.leaving or row.drained_ms is not None else "active"

    def _ago_ms(self, seconds: float) -> int:
        return self._clock.wall_ms() - round(seconds * 1000)

    async def announce(self, incarnation: UUID, name: str, body: bytes) -> None:
        with self._lock:
            known = self._tables.registry.toolsets.get(name)
            if known is None or known[0].int < incarnation.int:
                self._tables.registry.toolsets[name] = (incarnation, body)

    async def toolsets(self, names: tuple[str, ...], *, limit: int) -> tuple[bytes, ...]:
        with self._lock:
            announced = sorted(self._tables.registry.toolsets.items())
            found = [body for name, (_, body) in announced if not names or name in names]
            return tuple(found[:limit])

    async def forget(self) -> int:
        with self._lock:
            bound_ms, tables = self._ago_ms(WORKER_KEPT_S), self._tables
            holding = {task.incarnation for task in tables.tasks.values()}
            gone = [
                row.incarnation
                for row in tables.registry.workers.values()
                if row.attached_ms < bound_ms
                and row.incarnation not in holding
                and self._left_before(row, bound_ms)
            ][:SWEEP_BATCH_ROWS_MAX]
            dead = [id_ for id_, seen_ms in tables.registry.replicas.items() if seen_ms < bound_ms]
            for incarnation in gone:
                del tables.registry.workers[incarnation]
                del tables.workers[incarnation]
            for replica in dead:
                del tables.registry.replicas[replica]
            return len(gone) + len(dead)

    def _left_before(self, row: WorkerRow, bound_ms: int) -> bool:
        if row.left_ms is not None and row.left_ms < bound_ms:
            return True
        seen_ms = None if row.replica is None else self._tables.registry.replicas.get(row.replica)
        return seen_ms is None or seen_ms < bound_ms


def _is_asked_for(view: WorkerView, asked: ListWorkers) -> bool:
    return (
        (asked.after is None or view.id.int < asked.after.int)
        and (asked.queue is None or asked.queue in view.queues)
        and (view.status == asked.status if asked.status else view.status != "stopped")
    )
