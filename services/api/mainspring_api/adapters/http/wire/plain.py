"""Plain tasks as clients send and see them."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

from mainspring_api.adapters.http.wire.workflows import (
    FlawView,
    GateKey,
    Key,
    Name,
    Seconds,
    flaw_view,
)
from mainspring_kernel import limits, plain_limits
from mainspring_kernel.ids import Prefix, to_wire, uuid7_ms
from mainspring_kernel.times import rfc3339
from mainspring_schema.plain import PlainStatus, PlainTaskView, TaskReceipt, TaskRefusal


def _no_arguments() -> msgspec.Raw:
    return msgspec.Raw(b"[]")


class TaskBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`input` is an array of arguments, or an object of named ones.

    `id` (task_ and the hex digits of a new UUIDv7) tells a repeat; one is made where it is left
    out. A higher `priority` goes first. With a `build` only workers of that build take it.
    `keys` put it under the limits of `key:…`, `circuit` under the circuit breaker `circuit:…`.
    One that no worker took within `start_within_seconds` fails with `timeout.schedule_to_start`.
    """

    type: Name
    input: msgspec.Raw = field(default_factory=_no_arguments)
    queue: Name = "default"
    priority: Annotated[int, Meta(ge=0, le=limits.PRIORITY_MAX)] = 0
    id: str | None = None
    build: Key | None = None
    keys: Annotated[tuple[GateKey, ...], Meta(max_length=limits.TASK_KEYS_MAX)] = ()
    circuit: GateKey | None = None
    start_within_seconds: Seconds | None = None


class TasksBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Each is submitted, or refused, by itself."""

    tasks: Annotated[
        tuple[TaskBody, ...], Meta(min_length=1, max_length=plain_limits.PLAIN_TASKS_PER_CALL_MAX)
    ]


class CancelTaskBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why; whoever looks at the task reads it."""

    reason: Annotated[str, Meta(max_length=limits.DISPLAY_NAME_CHARS_MAX)] = ""


class RequeueTaskBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`id` is the new task's, as in a submit."""

    id: str | None = None


class TaskError(Struct, frozen=True, kw_only=True):
    """`retry_after_ms` where the same task may be taken later."""

    code: str
    message: str
    retry_after_ms: int | None


class ReceiptJson(Struct, frozen=True, kw_only=True):
    """`duplicate`: the same task was submitted before. `error`: why it was not taken."""

    id: str
    duplicate: bool
    error: TaskError | None


class ReceiptList(Struct, frozen=True, kw_only=True):
    """In the order of the tasks."""

    data: tuple[ReceiptJson, ...]


class PlainTaskJson(Struct, frozen=True, kw_only=True):
    """`result` once it completed, `error` once it failed or was cancelled."""

    id: str
    type: str
    status: PlainStatus
    created_at: str
    failures: int
    result: msgspec.Raw | None
    error: FlawView | None


def receipt_json(receipt: TaskReceipt) -> ReceiptJson:
    return ReceiptJson(
        id=to_wire(Prefix.TASK, receipt.task_id),
        duplicate=receipt.duplicate,
        error=None if receipt.refusal is None else _error(receipt.refusal),
    )


def _error(refusal: TaskRefusal) -> TaskError:
    return TaskError(
        code=refusal.code, message=refusal.message, retry_after_ms=refusal.retry_after_ms
    )


def plain_task_json(view: PlainTaskView) -> PlainTaskJson:
    return PlainTaskJson(
        id=to_wire(Prefix.TASK, view.task_id),
        type=view.type,
        status=view.status,
        created_at=rfc3339(uuid7_ms(view.task_id)),
        failures=view.failures,
        result=None if view.result is None else msgspec.Raw(view.result),
        error=None if view.flaw is None else flaw_view(view.flaw),
    )
