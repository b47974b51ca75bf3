"""Workflows as clients send and see them."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta, Struct, field

from mainspring_api.domain import limits as bounds
from mainspring_kernel import declaration_limits, limits, plain_limits
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_kernel.limits import QUERY_ARGUMENTS_BYTES_MAX
from mainspring_kernel.times import rfc3339
from mainspring_schema.keys import KEY_PATTERN
from mainspring_schema.workflows import Flaw, Status, Wait, WorkflowView

Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=limits.WORKFLOW_TYPE_CHARS_MAX,
        pattern=r"^[A-Za-z0-9_.:/-]+$",
    ),
]
Key = Annotated[
    str, Meta(min_length=1, max_length=limits.WORKFLOW_KEY_CHARS_MAX, pattern=r"^[ -~]+$")
]


GateKey = Annotated[
    str, Meta(min_length=1, max_length=limits.KEY_CHARS_MAX, pattern=f"^{KEY_PATTERN}$")
]


Seconds = Annotated[float, Meta(ge=0.001, le=plain_limits.START_WITHIN_MS_MAX / 1000)]
LongSeconds = Annotated[float, Meta(ge=0.001, le=declaration_limits.WAIT_MS_MAX / 1000)]


def milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _no_arguments() -> msgspec.Raw:
    return msgspec.Raw(b"[]")


def _nothing() -> msgspec.Raw:
    return msgspec.Raw(b"null")


class StartBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`input` is an array of arguments, or an object of named ones.

    The same `key` with the same type, queue and input finds the workflow that it started, for as
    long as there is that workflow; an Idempotency-Key is taken where there is none. With a
    `declaration` of steps the engine runs those, each as a task; without one a worker has the code.
    With a `build` only workers of that build work on it. `keys` put each go at its code under the
    limits of `key:…`, `circuit` under the circuit breaker `circuit:…`.
    One that no worker took within `start_within_seconds` fails with `timeout.schedule_to_start`;
    one that has not ended within `close_within_seconds` is stopped as by a cancel, and fails with
    `timeout.schedule_to_close`.
    """

    type: Name
    input: msgspec.Raw = field(default_factory=_no_arguments)
    key: Key | None = None
    queue: Name = "default"
    declaration: msgspec.Raw = field(default_factory=_nothing)
    build: Key | None = None
    keys: Annotated[tuple[GateKey, ...], Meta(max_length=limits.TASK_KEYS_MAX)] = ()
    circuit: GateKey | None = None
    start_within_seconds: Seconds | None = None
    close_within_seconds: LongSeconds | None = None


class SignalBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`id` tells a repeat of the same name; one is made where it is left out.

    Under another name it is another signal, with another payload it is refused.
    """

    name: Name
    payload: msgspec.Raw = field(default_factory=_nothing)
    id: str | None = None


class WorkflowForkBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`step` is the place of the first step that is done anew; without it all records are kept.

    The same `key` with the same source and step finds the fork that it started; an Idempotency-Key
    is taken where there is none. `queue` is the source's where it is left out. With a `build` only
    workers of that build work on it; a pin of the source is not taken over. One whose steps are
    declared runs on the `declaration`, or on the source's; its `step` is a number.
    """

    step: Annotated[str, Meta(max_length=bounds.STEP_PLACE_CHARS_MAX)] | None = None
    key: Key | None = None
    queue: Name | None = None
    build: Key | None = None
    declaration: msgspec.Raw = field(default_factory=_nothing)


class CancelBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`force` leaves code where it stands that would compensate first."""

    reason: Annotated[str, Meta(max_length=limits.DISPLAY_NAME_CHARS_MAX)] | None = None
    force: bool = False


class ListQuery(Struct, frozen=True, kw_only=True):
    """`key` finds the one that was started with it. `before` is the last id of the page before.

    `workflow_type` is an older word for `type`.
    """

    type: str | None = None
    workflow_type: str | None = None
    key: str | None = None
    status: Status | None = None
    before: str | None = None
    limit: Annotated[int, Meta(ge=1)] = bounds.LIST_ROWS_DEFAULT


class ResultQuery(Struct, frozen=True, kw_only=True):
    """How long to wait for the end."""

    wait_s: Annotated[float, Meta(ge=0, le=bounds.RESULT_WAIT_S_MAX)] = 0.0


class QueryQuery(Struct, frozen=True, kw_only=True):
    """JSON of the handler's arguments: an array, or an object of named ones."""

    args: Annotated[str, Meta(max_length=QUERY_ARGUMENTS_BYTES_MAX)] = "[]"


class FlawView(Struct, frozen=True, kw_only=True):
    code: str
    message: str
    type: str


class WaitView(Struct, frozen=True, kw_only=True):
    """`workflow_id` is the child that is waited for."""

    step: str
    name: str
    kind: str
    workflow_id: str | None


class WorkflowJson(Struct, frozen=True, kw_only=True):
    """`result` once it completed, `error` once it failed. `parent_id` is of who started it.

    `forked_from` is the workflow whose records it began with. `version` is that of the declaration
    it runs on, and "" where it is code.
    """

    id: str
    type: str
    key: str
    queue: str
    status: Status
    created_at: str
    result: msgspec.Raw | None
    error: FlawView | None
    waits: tuple[WaitView, ...]
    explanation: str
    parent_id: str | None
    forked_from: str | None
    version: str


class ListedWorkflow(Struct, frozen=True, kw_only=True):
    """One of a list, without what only `GET …/{workflow_id}` reads: its result and its waits.

    `explanation` is there where it is held.
    """

    id: str
    type: str
    key: str
    queue: str
    status: Status
    created_at: str
    error: FlawView | None
    explanation: str | msgspec.UnsetType = msgspec.UNSET
    parent_id: str | None
    forked_from: str | None
    version: str


class WorkflowList(Struct, frozen=True, kw_only=True):
    """`next` is the `before` of the page that follows. A page may be short, or empty, and have it:
    where few run among many that wait, one page looks at so many and no more."""

    data: tuple[ListedWorkflow, ...]
    has_more: bool
    next: str | None


class StateAnswer(Struct, frozen=True, kw_only=True):
    """`reported_at` is null before the first report."""

    state: object
    reported_at: str | None


class QueryAnswer(Struct, frozen=True, kw_only=True):
    """`result` is what the workflow's handler returned."""

    result: msgspec.Raw


class SignalAnswer(Struct, frozen=True, kw_only=True):
    id: str
    duplicate: bool


class CancelAnswer(Struct, frozen=True, kw_only=True):
    status: str


def workflow_json(view: WorkflowView) -> WorkflowJson:
    return WorkflowJson(
        id=to_wire(Prefix.WORKFLOW, view.workflow_id),
        type=view.type,
        key=view.key,
        queue=view.queue,
        status=view.status,
        created_at=rfc3339(view.started_ms),
        result=None if view.result is None else msgspec.Raw(view.result),
        error=None if view.flaw is None else flaw_view(view.flaw),
        waits=tuple(wait_view(wait) for wait in view.waits),
        explanation=view.explanation,
        parent_id=_id_of(view.parent_id),
        forked_from=_id_of(view.forked_from),
        version=view.version,
    )


def listed(view: WorkflowView) -> ListedWorkflow:
    return ListedWorkflow(
        id=to_wire(Prefix.WORKFLOW, view.workflow_id),
        type=view.type,
        key=view.key,
        queue=view.queue,
        status=view.status,
        created_at=rfc3339(view.started_ms),
        error=None if view.flaw is None else flaw_view(view.flaw),
        explanation=view.explanation or msgspec.UNSET,
        parent_id=_id_of(view.parent_id),
        forked_from=_id_of(view.forked_from),
        version=view.version,
    )


def _id_of(id_: UUID | None) -> str | None:
    return None if id_ is None else to_wire(Prefix.WORKFLOW, id_)


def flaw_view(flaw: Flaw) -> FlawView:
    return FlawView(code=flaw.code, message=flaw.message, type=flaw.type)


def wait_view(wait: Wait) -> WaitView:
    child_id = None if wait.child is None else wait.child.workflow_id
    return WaitView(step=wait.step, name=wait.name, kind=wait.kind, workflow_id=_id_of(child_id))
