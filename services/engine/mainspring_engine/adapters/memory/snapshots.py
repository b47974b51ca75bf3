"""A snapshot to explain from, put together from the other twins.

None of them yields to another asyncio task, so all they say is of one moment.
"""

from uuid import UUID

from mainspring_engine.adapters.memory.inspection import MemoryInspection
from mainspring_engine.adapters.memory.letters import MemoryLetters
from mainspring_engine.adapters.memory.registry import MemoryRegistry
from mainspring_engine.adapters.memory.store import MemoryStore
from mainspring_engine.domain.explain.snapshot import Snapshot, TaskFacts
from mainspring_engine.domain.explain.timers import timer_ids
from mainspring_engine.domain.limits import AHEAD_MAX, EXPLAINED_TASKS_MAX
from mainspring_engine.domain.rows import TaskState, View, WaitRow, Workflow
from mainspring_kernel.clock import Clock
from mainspring_schema.explaining import Subject
from mainspring_schema.operations import (
    LetterFilter,
    LetterView,
    ListTasks,
    TaskDetails,
    TaskView,
)


class MemorySnapshots:
    def __init__(
        self,
        store: MemoryStore,
        clock: Clock,
        *,
        registry: MemoryRegistry,
        inspection: MemoryInspection,
        letters: MemoryLetters,
    ) -> None:
        self._store = store
        self._tables = store.tables
        self._clock = clock
        self._registry = registry
        self._inspection = inspection
        self._letters = letters

    async def of(self, org_id: UUID, subject: Subject, id_: UUID) -> Snapshot | None:
        match subject:
            case "session":
                return await self._around(await self._view(org_id, id_), None)
            case "workflow":
                return await self._in(org_id, id_)
            case "task":
                details = await self._inspection.task(org_id, id_)
                if details is None:
                    return None
                ended = details if details.task.status == "closed" else None
                if details.task.workflow_id == id_:
                    return await self._plain(org_id, id_, ended)
                return await self._in(org_id, details.task.workflow_id, ended)

    async def _plain(self, org_id: UUID, task_id: UUID, ended: TaskDetails | None) -> Snapshot:
        """A plain task is its own workflow by id, and has no row of one."""
        return Snapshot(
            now_ms=self._clock.wall_ms(),
            head=None,
            workflow=None,
            tasks=await self._tasks(org_id, task_id),
            letter=await self._letter(org_id, task_id),
            closed=ended,
            seats=(await self._inspection.sample()).seats,
            sweeps_ms=await self._store.sweep_ages_ms(),
        )

    async def _view(self, org_id: UUID, session_id: UUID) -> View | None:
        view = (await self._store.load((session_id,))).get(session_id)
        head = None if view is None else view.head
        return None if head is None or head.closed or head.org_id != org_id else view

    async def _in(
        self, org_id: UUID, workflow_id: UUID, details: TaskDetails | None = None
    ) -> Snapshot | None:
        workflow = self._tables.workflows.get(workflow_id)
        if workflow is None or workflow.org_id != org_id:
            return None
        return await self._around(await self._view(org_id, workflow.session_id), workflow, details)

    async def _around(
        self, view: View | None, asked: Workflow | None, details: TaskDetails | None = None
    ) -> Snapshot | None:
        if view is None or view.head is None:
            return None
        now_ms, workflow = self._clock.wall_ms(), asked or view.workflow
        if workflow is None:
            messages = len(view.inbox)
            return Snapshot(now_ms=now_ms, head=view.head, workflow=None, messages=messages)
        found = self._tables.waits.get(workflow.id, {})
        waits = tuple(found[step] for step in sorted(found))
        return Snapshot(
            now_ms=now_ms,
            head=view.head,
            workflow=workflow,
            messages=len(view.inbox),
            tasks=await self._tasks(workflow.org_id, workflow.id),
            timers=self._timers(workflow, waits),
            waits=waits,
            letter=await self._letter(workflow.org_id, workflow.id),
            closed=details,
            seats=(await self._inspection.sample()).seats,
            sweeps_ms=await self._store.sweep_ages_ms(),
        )

    async def _tasks(self, org_id: UUID, workflow_id: UUID) -> tuple[TaskFacts, ...]:
        asked = ListTasks(org_id=org_id, workflow_id=workflow_id, limit=EXPLAINED_TASKS_MAX - 1)
        return tuple([await self._facts(task) for task in await self._inspection.tasks(asked)])

    async def _facts(self, task: TaskView) -> TaskFacts:
        attempts = self._inspection.attempts(task.id)
        worker_id = task.worker_id
        return TaskFacts(
            task=task,
            last=attempts[-1] if attempts else None,
            holder=None if worker_id is None else await self._registry.worker(worker_id),
            ahead=self._ahead(task) if task.status == "ready" else 0,
        )

    def _ahead(self, task: TaskView) -> int:
        route = self._tables.tasks[task.id].route
        before = sum(
            row.state is TaskState.READY
            and row.route == route
            and (-row.priority, row.id.int) < (-task.priority, task.id.int)
            for row in self._tables.tasks.values()
        )
        return min(before, AHEAD_MAX)

    def _timers(self, workflow: Workflow, waits: tuple[WaitRow, ...]) -> dict[UUID, int]:
        timers = self._tables.timers
        ids = timer_ids(workflow, waits)
        return {id_: timers[id_].due_ms for id_ in ids if id_ in timers}

    async def _letter(self, org_id: UUID, workflow_id: UUID) -> LetterView | None:
        wanted = LetterFilter(workflow_id=workflow_id)
        found = await self._letters.page(org_id, wanted, after=None, limit=1)
        return found[0] if found else None
