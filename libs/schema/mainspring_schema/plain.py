"""Plain tasks: one call of a step, without a workflow around it. What their callers ask.

Values are JSON bytes as the user's code made them; nobody between worker and client reads them.
"""

from typing import Literal
from uuid import UUID

from msgspec import Struct

from mainspring_schema.asking import Order
from mainspring_schema.workflows import Flaw

PlainStatus = Literal["waiting", "running", "completed", "failed", "cancelled"]
"""`waiting` for a worker, or for its next attempt."""


class SubmitTask(Struct, frozen=True, kw_only=True):
    """The caller makes the id, so that asking again submits nothing twice.

    `input` is the JSON of the arguments: an array, or an object of named ones. `source` is the task
    that this one takes up again. `traceparent` names the span that its attempts hang under; asking
    again with another is asking for the same. With a `build` only workers of that build take it.
    `keys` are what it needs that others need as well: it is under their limits. `circuit` holds it
    back while too many of those that name it fail. One that no worker took within `start_within_ms`
    fails, also while no worker comes.
    """

    org_id: UUID
    task_id: UUID
    type: str
    input: bytes = b"[]"
    queue: str = "default"
    priority: int = 0
    source: UUID | None = None
    traceparent: str | None = None
    build: str = ""
    keys: tuple[str, ...] = ()
    circuit: str = ""
    start_within_ms: int | None = None


class SubmitTasks(Struct, frozen=True, kw_only=True):
    """Many at once; each is committed, or refused, by itself."""

    tasks: tuple[SubmitTask, ...]


class TaskRefusal(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why one of many was not taken. `code` is that of the error it would have been alone."""

    code: str
    message: str = ""
    retry_after_ms: int | None = None


class TaskReceipt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`duplicate`: the same task was submitted before."""

    task_id: UUID
    duplicate: bool = False
    refusal: TaskRefusal | None = None


class TaskReceipts(Struct, frozen=True, kw_only=True):
    """In the order of the tasks."""

    receipts: tuple[TaskReceipt, ...]


class GetPlainTask(Struct, frozen=True, kw_only=True):
    org_id: UUID
    task_id: UUID


class PlainTaskView(Struct, frozen=True, kw_only=True):
    """A plain task as it is. `result` once it completed, `flaw` once it failed or was cancelled.

    `failures` counts the attempts that failed and were, or will be, followed by another.
    """

    task_id: UUID
    type: str
    status: PlainStatus
    failures: int = 0
    result: bytes | None = None
    flaw: Flaw | None = None


class CancelPlainTask(Order[PlainTaskView], frozen=True, kw_only=True, tag="cancel_task"):
    """Ends it at once, whoever is at work on it. Nothing where it has ended. Raises NotFound."""

    org_id: UUID
    task_id: UUID
    reason: str = ""


class RequeuePlainTask(Order[TaskReceipt], frozen=True, kw_only=True, tag="requeue_task"):
    """A new task `new_id` with the input of one that failed or was cancelled.

    Raises NotFound; Conflict where the other one is open, has a result, or left a dead letter;
    ValidationFailed and TaskIdMismatch where no new task can be `new_id`.
    """

    org_id: UUID
    task_id: UUID
    new_id: UUID
