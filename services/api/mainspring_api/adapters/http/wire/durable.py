"""Tasks and workers on the wire."""

from typing import Annotated, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from mainspring_api.domain import limits as bounds
from mainspring_kernel import limits
from mainspring_kernel.errors import InvalidParameter
from mainspring_kernel.ids import Prefix, from_wire, to_wire
from mainspring_kernel.times import rfc3339
from mainspring_schema.keys import wire_key
from mainspring_schema.messages import Json
from mainspring_schema.operations import (
    AttemptView,
    TaskDetails,
    TaskStatus,
    TaskView,
    TaskWord,
    WorkerStatus,
    WorkerView,
)
from mainspring_schema.tasks import PlainTask, StepTask, TaskPayload, ToolTask, WorkflowTask

T = TypeVar("T")
Limit = Annotated[int, Meta(ge=1, le=limits.OPERATOR_ROWS_MAX)]
Cursor = Annotated[str, Meta(max_length=bounds.NAME_CHARS_MAX)]
Queue = Annotated[str, Meta(min_length=1, max_length=bounds.NAME_CHARS_MAX)]


def time_of(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)


def optional_id(prefix: str, text: str | None) -> UUID | None:
    """Raises InvalidId."""
    return None if text is None else from_wire(prefix, text)


def task_id_of(text: str) -> UUID:
    """Events name a task by `exec_…`, lists by `task_…`. Raises InvalidId."""
    prefix = Prefix.EXEC if text.startswith(f"{Prefix.EXEC}_") else Prefix.TASK
    return from_wire(prefix, text)


def same(names: str, first: T | None, second: T | None) -> T | None:
    """One of two names of a thing. Raises InvalidParameter where both are given and differ."""
    if first and second and first != second:
        detail = f"{names} are one thing; give one"
        raise InvalidParameter(detail)
    return first or second


def owner_id(workflow_id: UUID, kind: TaskWord) -> str | None:
    """A turn's or a user's workflow's, by what its task is; a plain one belongs to itself."""
    if kind == "task":
        return None
    of_workflow = kind in ("workflow", "step")
    return to_wire(Prefix.WORKFLOW if of_workflow else Prefix.TURN, workflow_id)


def session_id(id_: UUID, kind: TaskWord) -> str | None:
    return None if kind == "task" else to_wire(Prefix.SESSION, id_)


def optional_owner(text: str | None) -> UUID | None:
    """Either's id. Raises InvalidId."""
    if text is None or not text.startswith(f"{Prefix.WORKFLOW}_"):
        return optional_id(Prefix.TURN, text)
    return from_wire(Prefix.WORKFLOW, text)


# ── tasks ───────────────────────────────────────────────────────────────────────────────────────


class TasksQuery(Struct, frozen=True, kw_only=True):
    """`activity_type` is another word for `kind`, as existing clients have it."""

    status: TaskStatus | None = None
    kind: TaskWord | None = None
    activity_type: TaskWord | None = None
    queue: Queue | None = None
    session_id: str | None = None
    workflow_id: str | None = None
    worker_id: str | None = None
    after: Cursor | None = None
    limit: Limit = bounds.LIST_ROWS_DEFAULT


def check_closed(query: TasksQuery) -> None:
    """Of ended tasks only plain ones are listed. Raises InvalidParameter for what narrows others.

    What became of a turn's or a workflow's tasks stands in its events.
    """
    kind = same("kind and activity_type", query.kind, query.activity_type)
    if query.status == "closed" and (
        kind not in (None, "task") or query.session_id or query.workflow_id or query.worker_id
    ):
        detail = "closed tasks are listed by queue alone, and only those of kind task"
        raise InvalidParameter(detail)


class TaskOut(Struct, frozen=True, kw_only=True):
    """`due_at`: since when it may be claimed, or from when on. `attempt` counts from 1.

    `closing`: how a closed task ended. A plain task has neither workflow nor session.
    """

    id: str
    workflow_id: str | None
    session_id: str | None
    step: str
    kind: TaskWord
    status: TaskStatus
    effect_class: str | None
    queue: str | None
    capability: str | None
    build: str | None
    model: str | None
    keys: tuple[str, ...]
    priority: int
    attempt: int
    due_at: str | None
    claimed_at: str | None
    lease_until: str | None
    worker_id: str | None
    worker_name: str | None
    acknowledged: bool
    cancelling: bool
    started: bool
    failures: int
    deaths: int
    uncounted_losses: int
    closing: str | None


def task_out(task: TaskView) -> TaskOut:
    return TaskOut(
        id=to_wire(Prefix.TASK, task.id),
        workflow_id=owner_id(task.workflow_id, task.kind),
        session_id=session_id(task.session_id, task.kind),
        step=task.step,
        kind=task.kind,
        status=task.status,
        effect_class=task.effect,
        queue=task.queue,
        capability=task.capability,
        build=task.build,
        model=task.model,
        keys=tuple(map(wire_key, task.keys)),
        priority=task.priority,
        attempt=task.fence,
        due_at=time_of(task.due_ms),
        claimed_at=time_of(task.claimed_ms),
        lease_until=time_of(task.lease_until_ms),
        worker_id=None if task.worker_id is None else to_wire(Prefix.WORKER, task.worker_id),
        worker_name=task.worker_name,
        acknowledged=task.acknowledged,
        cancelling=task.cancelling,
        started=task.started,
        failures=task.failures,
        deaths=task.deaths,
        uncounted_losses=task.uncounted,
        closing=task.closing,
    )


class TaskList(Struct, frozen=True, kw_only=True):
    """`next` is the `after` of the page behind; null on the last."""

    data: tuple[TaskOut, ...]
    next: str | None


class AttemptOut(Struct, frozen=True, kw_only=True):
    """A closed attempt. `started`: its effect may have happened. `error`: what its worker told."""

    attempt: int
    worker_id: str
    worker_name: str | None
    worker_build: str | None
    claimed_at: str
    closed_at: str
    acknowledged: bool
    started: bool
    closing: str
    error_code: str | None
    error: str | None


def attempt_out(attempt: AttemptView) -> AttemptOut:
    return AttemptOut(
        attempt=attempt.fence,
        worker_id=to_wire(Prefix.WORKER, attempt.worker_id),
        worker_name=attempt.worker_name,
        worker_build=attempt.worker_build,
        claimed_at=rfc3339(attempt.claimed_ms),
        closed_at=rfc3339(attempt.closed_ms),
        acknowledged=attempt.acknowledged,
        started=attempt.started,
        closing=attempt.closing,
        error_code=attempt.error_code or None,
        error=attempt.error_message or None,
    )


_PAYLOAD: msgspec.msgpack.Decoder[TaskPayload] = msgspec.msgpack.Decoder(TaskPayload)


def input_out(payload: bytes) -> Json | None:
    """None where this version cannot read it. A model call's prompt is the conversation."""
    try:
        made = _PAYLOAD.decode(payload)
    except msgspec.MsgspecError:
        return None  # who asks is told all else
    if isinstance(made, ToolTask):
        return {"tool": made.name, "arguments": made.arguments, "tool_call_id": made.call_id}
    if isinstance(made, WorkflowTask):
        return {"workflow_type": made.workflow_type, "key": made.key}
    if isinstance(made, PlainTask | StepTask):
        return {"type": made.task_type, "arguments": msgspec.Raw(made.input)}
    return {
        "iteration": made.iteration,
        "message_id": to_wire(Prefix.MESSAGE, made.message_id),
        "through_sequence": made.through_seq,
    }


class TaskDetailsOut(Struct, frozen=True, kw_only=True):
    task: TaskOut
    input: Json | None
    attempts: tuple[AttemptOut, ...]


def details_out(details: TaskDetails) -> TaskDetailsOut:
    return TaskDetailsOut(
        task=task_out(details.task),
        input=input_out(details.payload),
        attempts=tuple(attempt_out(attempt) for attempt in details.attempts),
    )


# ── workers ─────────────────────────────────────────────────────────────────────────────────────


class WorkersQuery(Struct, frozen=True, kw_only=True):
    """`worker_group` is another word for `queue`, as existing clients have it."""

    status: WorkerStatus | None = None
    queue: Queue | None = None
    worker_group: Queue | None = None
    after: Cursor | None = None
    limit: Limit = bounds.LIST_ROWS_DEFAULT


class WorkerOut(Struct, frozen=True, kw_only=True):
    """One start of a worker process. Workers serve every organization.

    `draining`: an operator holds new tasks back from it (`drained_at`), or it is on its way out by
    itself (`leaving`). With `current_load` 0 it can be stopped and nothing is handed over.
    """

    id: str
    name: str
    build: str
    status: WorkerStatus
    accepting_tasks: bool
    queues: tuple[str, ...]
    capabilities: tuple[str, ...]
    max_concurrency: int
    current_load: int
    attached_at: str
    silent_since: str | None
    drained_at: str | None
    stopped_at: str | None
    leaving: bool


def worker_out(worker: WorkerView) -> WorkerOut:
    return WorkerOut(
        id=to_wire(Prefix.WORKER, worker.id),
        name=worker.name,
        build=worker.build,
        status=worker.status,
        accepting_tasks=worker.status == "active",
        queues=worker.queues,
        capabilities=tuple(name for name in worker.capabilities if name),
        max_concurrency=worker.slots,
        current_load=worker.held,
        attached_at=rfc3339(worker.attached_ms),
        silent_since=time_of(worker.silent_ms),
        drained_at=time_of(worker.drained_ms),
        stopped_at=time_of(worker.left_ms),
        leaving=worker.leaving,
    )


class WorkerList(Struct, frozen=True, kw_only=True):
    """`next` is the `after` of the page behind; null on the last."""

    data: tuple[WorkerOut, ...]
    next: str | None
