"""Which delayed tasks are to be tried now, as in `ready_retries` of the SQL."""

from collections.abc import Iterable

from mainspring_engine.adapters.memory.tables import Tables, TaskRow
from mainspring_engine.domain.limits import SUSPECT_TRIAL_MS
from mainspring_engine.domain.rows import TaskState


def due_retries(tables: Tables, now_ms: int, limit: int) -> list[TaskRow]:
    """Oldest first; of the suspects the eldest of each queue where none is tried."""
    _put_back(tables, now_ms)
    waiting = [task for task in tables.tasks.values() if _is_due(task, now_ms)]
    waiting.sort(key=lambda task: (task.ready_ms, task.id.int))
    others = [task for task in waiting if not task.is_suspect]
    return others[:limit] + _trials(tables, waiting, now_ms)


def _trials(tables: Tables, waiting: Iterable[TaskRow], now_ms: int) -> list[TaskRow]:
    busy = {task.route.queue for task in tables.tasks.values() if _is_on_trial(task, now_ms)}
    trials: list[TaskRow] = []
    for task in waiting:
        if task.is_suspect and task.route.queue not in busy:
            busy.add(task.route.queue)
            task.ready_ms = now_ms  # its trial begins
            trials.append(task)
    return trials


def _put_back(tables: Tables, now_ms: int) -> None:
    """Nobody took it while it was its turn: else all that wait so would be given to who comes."""
    suspects = [task for task in tables.tasks.values() if task.is_suspect]
    waiting = {task.route.queue for task in suspects if task.state is TaskState.DELAYED}
    for task in suspects:
        late = task.state is TaskState.READY and not _is_on_trial(task, now_ms)
        if late and task.route.queue in waiting:
            task.state, task.ready_ms = TaskState.DELAYED, now_ms
            task.rev += 1


def _is_due(task: TaskRow, now_ms: int) -> bool:
    return task.state is TaskState.DELAYED and task.ready_ms <= now_ms and not task.cancelling


def _is_on_trial(task: TaskRow, now_ms: int) -> bool:
    if not task.is_suspect or task.state not in (TaskState.READY, TaskState.LEASED):
        return False
    return max(task.ready_ms, task.claimed_ms) > now_ms - SUSPECT_TRIAL_MS
