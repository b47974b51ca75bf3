"""A snapshot to explain from: some statements in one read-only transaction."""

from typing import Final, cast
from uuid import UUID

from mainspring_engine.adapters.postgres.inspection import INSPECTION, attempt_view, seat_sample
from mainspring_engine.adapters.postgres.letters import LETTERS
from mainspring_engine.adapters.postgres.registry import REGISTRY, SILENT_MS
from mainspring_engine.adapters.postgres.replies import views, workflow_of
from mainspring_engine.adapters.postgres.store import COMMIT, SWEEPS
from mainspring_engine.adapters.postgres.workflows import WORKFLOWS, wait_row
from mainspring_engine.domain import closed
from mainspring_engine.domain.explain.snapshot import Snapshot, TaskFacts
from mainspring_engine.domain.explain.timers import timer_ids
from mainspring_engine.domain.limits import AHEAD_MAX, EXPLAINED_TASKS_MAX
from mainspring_engine.domain.rows import View, WaitRow, Workflow
from mainspring_engine.domain.samples import SeatSample
from mainspring_postgres import Database, load_queries
from mainspring_postgres.transaction import Transaction
from mainspring_schema.explaining import Subject
from mainspring_schema.operations import LetterView, TaskDetails, TaskView, WorkerView

SNAPSHOTS: Final = load_queries("mainspring_engine.adapters.postgres", "snapshots.sql")


class PostgresSnapshots:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, org_id: UUID, subject: Subject, id_: UUID) -> Snapshot | None:
        async with self._database.snapshot() as tx:
            return await _Look(tx, org_id).at(subject, id_)


class _Look:
    """One look. All of its statements see the same moment."""

    def __init__(self, tx: Transaction, org_id: UUID) -> None:
        self._tx = tx
        self._org_id = org_id

    async def at(self, subject: Subject, id_: UUID) -> Snapshot | None:
        match subject:
            case "session":
                return await self._around(await self._view(id_), None)
            case "workflow":
                workflow = await self._workflow(id_)
                return None if workflow is None else await self._in(workflow)
            case "task":
                return await self._task(id_)

    async def _task(self, task_id: UUID) -> Snapshot | None:
        rows = await self._tx.fetch(SNAPSHOTS["workflow_of_task"], task_id, self._org_id)
        details = None if rows else await self._closed(task_id)
        if not rows and details is None:
            return None
        owner = cast(UUID, rows[0]["workflow_id"]) if details is None else details.task.workflow_id
        if owner == task_id:
            return await self._plain(task_id, details)
        workflow = await self._workflow(owner)
        return None if workflow is None else await self._in(workflow, details)

    async def _plain(self, task_id: UUID, details: TaskDetails | None) -> Snapshot:
        """A plain task is its own workflow by id, and has no row of one."""
        (now,) = await self._tx.fetch(SNAPSHOTS["now"])
        return Snapshot(
            now_ms=cast(int, now["now_ms"]),
            head=None,
            workflow=None,
            tasks=await self._tasks(task_id),
            letter=await self._letter(task_id),
            closed=details,
            seats=await self._seats(),
            sweeps_ms=await self._sweeps_ms(),
        )

    async def _workflow(self, workflow_id: UUID) -> Workflow | None:
        rows = await self._tx.fetch(SNAPSHOTS["workflow_row"], workflow_id, self._org_id)
        return workflow_of(rows[0]) if rows else None

    async def _view(self, session_id: UUID) -> View | None:
        (row,) = await self._tx.fetch(COMMIT["load"], [session_id])
        view = views(row).get(session_id)
        head = None if view is None else view.head
        foreign = head is None or head.closed or head.org_id != self._org_id
        return None if foreign else view

    async def _in(self, workflow: Workflow, details: TaskDetails | None = None) -> Snapshot | None:
        view = await self._view(workflow.session_id)
        return await self._around(view, workflow, details)

    async def _around(
        self, view: View | None, asked: Workflow | None, details: TaskDetails | None = None
    ) -> Snapshot | None:
        if view is None or view.head is None:
            return None
        workflow = asked or view.workflow
        (now,) = await self._tx.fetch(SNAPSHOTS["now"])
        if workflow is None:
            return Snapshot(
                now_ms=cast(int, now["now_ms"]), head=view.head, workflow=None,
                messages=len(view.inbox),
            )  # fmt: skip
        waits = await self._waits(workflow)
        return Snapshot(
            now_ms=cast(int, now["now_ms"]),
            head=view.head,
            workflow=workflow,
            messages=len(view.inbox),
            tasks=await self._tasks(workflow.id),
            timers=await self._timers(workflow, waits),
            waits=waits,
            letter=await self._letter(workflow.id),
            closed=details,
            seats=await self._seats(),
            sweeps_ms=await self._sweeps_ms(),
        )

    async def _seats(self) -> tuple[SeatSample, ...]:
        rows = await self._tx.fetch(INSPECTION["sample_seats"], SILENT_MS)
        return tuple(seat_sample(row) for row in rows)

    async def _sweeps_ms(self) -> dict[str, int]:
        rows = await self._tx.fetch(SWEEPS["sweep_ages"])
        return {cast(str, row["kind"]): cast(int, row["age_ms"]) for row in rows}

    async def _closed(self, task_id: UUID) -> TaskDetails | None:
        made = await self._tx.fetch(INSPECTION["payload"], task_id, self._org_id)
        if not made:
            return None
        payload, step = cast(bytes, made[0]["payload"]), cast(str, made[0]["step"])
        rows = await self._tx.fetch(INSPECTION["attempts_of"], [task_id])
        attempts = tuple(attempt_view(row) for row in rows)
        task = closed.read(payload)
        # Its session is told by its workflow, which is read next.
        view = closed.view(task_id, closed.owner(task_id, task), step, task, attempts)
        return TaskDetails(task=view, attempts=attempts, payload=payload)

    async def _tasks(self, workflow_id: UUID) -> tuple[TaskFacts, ...]:
        narrowed = (None,) * 5
        tasks = await self._tx.fetch_as(
            TaskView, INSPECTION["tasks"], self._org_id, *narrowed, workflow_id, None, None,
            EXPLAINED_TASKS_MAX,
        )  # fmt: skip
        ids = [task.id for task in tasks]
        holders = [task.worker_id for task in tasks if task.worker_id is not None]
        lasts = await self._tx.fetch(SNAPSHOTS["newest_attempts"], ids)
        ahead = await self._tx.fetch(SNAPSHOTS["ahead"], ids, AHEAD_MAX)
        workers = await self._tx.fetch_as(
            WorkerView, REGISTRY["workers"], holders, None, None, None, SILENT_MS, len(holders)
        )
        last_of = {cast(UUID, row["task_id"]): attempt_view(row) for row in lasts}
        ahead_of = {cast(UUID, row["task_id"]): cast(int, row["ahead"]) for row in ahead}
        holder_of = {worker.id: worker for worker in workers}
        return tuple(
            TaskFacts(
                task=task,
                last=last_of.get(task.id),
                holder=None if task.worker_id is None else holder_of.get(task.worker_id),
                ahead=ahead_of.get(task.id, 0),
            )
            for task in tasks
        )

    async def _waits(self, workflow: Workflow) -> tuple[WaitRow, ...]:
        if workflow.is_turn:
            return ()
        rows = await self._tx.fetch(WORKFLOWS["waits"], [workflow.id])
        return tuple(wait_row(row) for row in rows)

    async def _timers(self, workflow: Workflow, waits: tuple[WaitRow, ...]) -> dict[UUID, int]:
        rows = await self._tx.fetch(SNAPSHOTS["timers"], list(timer_ids(workflow, waits)))
        return {cast(UUID, row["id"]): cast(int, row["due_ms"]) for row in rows}

    async def _letter(self, workflow_id: UUID) -> LetterView | None:
        narrowed = (None,) * 5
        found = await self._tx.fetch_as(
            LetterView, LETTERS["letters"], self._org_id, *narrowed, workflow_id, None, None, None,
            1, [],
        )  # fmt: skip
        return found[0] if found else None
