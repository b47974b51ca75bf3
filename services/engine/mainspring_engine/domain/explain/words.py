"""The parts of which explanations of open tasks are made."""

from typing import assert_never

from mainspring_engine.domain.explain.snapshot import TaskFacts
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_schema.explaining import Reason
from mainspring_schema.operations import TaskView


def reason(  # noqa: PLR0913 - one per member of a reason
    facts: TaskFacts,
    code: str,
    text: str,
    *,
    advice: str = "",
    moving: bool = False,
    since_ms: int | None = None,
    until_ms: int | None = None,
) -> Reason:
    return Reason(
        code=code,
        text=text,
        advice=advice,
        moving=moving,
        task_id=facts.task.id,
        worker_id=facts.task.worker_id,
        since_ms=since_ms,
        until_ms=until_ms,
    )


def named(task: TaskView) -> str:
    match task.kind:
        case "reason":
            return f"the model call {task.step}"
        case "tool":
            return f"the tool call {task.step}"
        case "workflow":
            return "the workflow's code"
        case "task":
            return f"the task {task.step}"
        case "step":
            return f"the step {task.step}"
        case _:
            assert_never(task.kind)


def queue_of(task: TaskView) -> str:
    capability = f", capability {task.capability}" if task.capability else ""
    return f"queue {task.queue}{capability}"


def holder(facts: TaskFacts) -> str:
    worker_id = facts.task.worker_id
    if worker_id is None:
        return "a worker"
    name = facts.task.worker_name
    id_ = to_wire(Prefix.WORKER, worker_id)
    return f"worker {name} ({id_})" if name else f"worker {id_}"
