"""Whose step an attempt is, in words that its effects can carry."""

from msgspec import Struct

from mainspring_kernel.ids import Prefix, to_wire
from mainspring_schema.tasks import PlainTask, StepTask, WorkflowTask
from mainspring_workstream.attempt import Attempt


class StepInfo(Struct, frozen=True, kw_only=True):
    """The same in every attempt at a step, wherever it is made.

    `idempotency_key` is of no other step: hand it to whatever the step changes. In a fork, which
    does what it does for itself, it is another one, and so for a task that is requeued.
    `workflow_id` is None for a task without a workflow, and that of its own for a step with a
    queue; `task_id` is None for a step of a workflow.
    """

    idempotency_key: str
    workflow_id: str | None = None
    task_id: str | None = None


def info_of(attempt: Attempt, step: str) -> StepInfo | None:
    """`step` is a place; "" of a task that is one call."""
    match attempt.payload:
        case WorkflowTask(workflow_id=workflow_id):
            return _of_workflow(to_wire(Prefix.WORKFLOW, workflow_id), step)
        case StepTask(workflow_id=workflow_id, step=place):
            return _of_workflow(to_wire(Prefix.WORKFLOW, workflow_id), place)
        case PlainTask():
            id_ = to_wire(Prefix.TASK, attempt.held.task_id)
            return StepInfo(idempotency_key=id_, task_id=id_)
        case _:
            return None


def _of_workflow(id_: str, place: str) -> StepInfo:
    return StepInfo(idempotency_key=f"{id_}:{place}", workflow_id=id_)
