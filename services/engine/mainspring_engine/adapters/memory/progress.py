"""The progress that steps report, over the tables."""

from contextlib import AbstractContextManager
from uuid import UUID

from mainspring_engine.adapters.memory.tables import ProgressRow, Tables
from mainspring_engine.domain.limits import PROGRESS_STEPS_MAX
from mainspring_engine.domain.rows import TaskState
from mainspring_engine.ports.progress import Report
from mainspring_schema.frames import StepProgress, Verdict


class MemoryProgress:
    """`lock` and `tables` are the store's own."""

    def __init__(self, tables: Tables, lock: AbstractContextManager[object]) -> None:
        self._tables = tables
        self._lock = lock

    async def keep(self, reports: tuple[Report, ...]) -> tuple[Verdict, ...]:
        with self._lock:
            fits = [self._fits(report) for report in reports]
            spoken = {
                report.progress.held.task_id
                for report, fit in zip(reports, fits, strict=True)
                if fit and report.progress.details
            }
            for task_id in spoken:
                self._tables.tasks[task_id].rev += 1
            for report, fit in zip(reports, fits, strict=True):
                if fit:
                    self._keep(report)
            return tuple(Verdict.COMMITTED if fit else Verdict.STALE for fit in fits)

    def _fits(self, report: Report) -> bool:
        held = report.progress.held
        task = self._tables.tasks.get(held.task_id)
        if task is None:
            return not report.progress.details
        mine = task.held == held and task.incarnation == report.incarnation
        return mine and task.state is TaskState.LEASED

    def _keep(self, report: Report) -> None:
        said, rows = report.progress, self._tables.progress
        key = (said.held.task_id, said.step)
        known = rows.get(key)
        if known is not None and (known.fence, known.counter) >= (said.held.fence, said.counter):
            return
        if said.details:
            rev = self._tables.tasks[said.held.task_id].rev
            rows[key] = ProgressRow(said.held.fence, said.counter, rev, said.details)
        else:
            rows.pop(key, None)

    async def forget(self, limit: int) -> int:
        with self._lock:
            over = [key for key in self._tables.progress if key[0] not in self._tables.tasks]
            for key in over[:limit]:
                del self._tables.progress[key]
            return len(over[:limit])


def progress_of(tables: Tables, task_id: UUID) -> tuple[StepProgress, ...]:
    """Of a claim."""
    said = [(step, row) for (of, step), row in tables.progress.items() if of == task_id]
    said.sort(key=lambda one: (-one[1].rev, one[0]))
    return tuple(StepProgress(step, row.details) for step, row in said[:PROGRESS_STEPS_MAX])
