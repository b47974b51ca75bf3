"""What an operator asks of the engine: questions read, orders change. Each names its answer.

Carried as MessagePack inside the control proto. Times are milliseconds of the database's clock. A
list is cut by its `limit`; `next` of a page goes into `after` of the question for the page behind.
"""

from typing import Final, Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_schema.asking import Order, Question
from mainspring_schema.budgets import BudgetOrder, BudgetQuestion
from mainspring_schema.configs import GetConfigs
from mainspring_schema.delivery import DeliveryOrder, DeliveryQuestion
from mainspring_schema.explaining import Explanation, Subject
from mainspring_schema.open_work import FindOpen
from mainspring_schema.plain import CancelPlainTask, RequeuePlainTask
from mainspring_schema.toolsets import ListToolsets

OpenStatus = Literal["ready", "leased", "delayed", "waiting"]
TaskStatus = Literal[OpenStatus, "closed"]
TaskWord = Literal["reason", "tool", "workflow", "task", "step"]
WorkerStatus = Literal["active", "silent", "draining", "stopped"]
"""`silent`: attached, but nothing was heard from it for two beats. `stopped`: not attached."""


# ── tasks ───────────────────────────────────────────────────────────────────────────────────────


class TaskView(Struct, frozen=True, kw_only=True):
    """A task. Of a closed one only its attempts are left: where it went is known of plain ones.

    `due_ms` is since when it may be claimed; in `delayed` it lies ahead. `closing` is how a closed
    one ended: the closing of its last attempt, or `cancelled` where it was cancelled between two.
    """

    id: UUID
    workflow_id: UUID
    session_id: UUID
    step: str
    kind: TaskWord
    status: TaskStatus
    effect: str | None = None
    queue: str | None = None
    capability: str | None = None
    build: str | None = None
    model: str | None = None
    keys: tuple[str, ...] = ()
    priority: int = 0
    fence: int = 0
    due_ms: int | None = None
    claimed_ms: int | None = None
    lease_until_ms: int | None = None
    worker_id: UUID | None = None
    worker_name: str | None = None
    acknowledged: bool = False
    cancelling: bool = False
    started: bool = False
    deaths: int = 0
    failures: int = 0
    uncounted: int = 0
    closing: str | None = None


class AttemptView(Struct, frozen=True, kw_only=True):
    """A closed attempt. `closing` is why it closed; `started`: its effect may have happened."""

    fence: int
    worker_id: UUID
    worker_name: str | None
    worker_build: str | None
    claimed_ms: int
    closed_ms: int
    acknowledged: bool
    started: bool
    closing: str
    error_code: str
    error_message: str = ""
    """What its worker told of a failure, as much as is kept."""


class TaskDetails(Struct, frozen=True, kw_only=True):
    """`payload` is the MessagePack of a `TaskPayload`, as the worker got it."""

    task: TaskView
    attempts: tuple[AttemptView, ...]
    payload: bytes


class TaskPage(Struct, frozen=True, kw_only=True):
    tasks: tuple[TaskView, ...]
    next: UUID | None


class ListTasks(Question[TaskPage], frozen=True, kw_only=True, tag="list_tasks"):
    """Open tasks, oldest first. All given conditions hold together.

    With `closed` the plain tasks that ended, newest first: `queue` is the only other condition, and
    a page may be short, or empty, and have a next one.
    """

    org_id: UUID
    status: TaskStatus | None = None
    kind: TaskWord | None = None
    queue: str | None = None
    session_id: UUID | None = None
    workflow_id: UUID | None = None
    worker_id: UUID | None = None
    after: UUID | None = None
    limit: int


class GetTask(Question[TaskDetails], frozen=True, kw_only=True, tag="get_task"):
    """Raises NotFound."""

    org_id: UUID
    task_id: UUID


# ── workers ─────────────────────────────────────────────────────────────────────────────────────


class WorkerView(Struct, frozen=True, kw_only=True):
    """One start of a worker process, which serves every organization.

    `drained_ms`: since when an operator holds tasks back from it; `leaving`: it does so by itself,
    on its way out. `held` counts the tasks it holds.
    """

    id: UUID
    name: str
    build: str
    status: WorkerStatus
    queues: tuple[str, ...]
    capabilities: tuple[str, ...]
    slots: int
    held: int
    attached_ms: int
    silent_ms: int | None
    drained_ms: int | None
    left_ms: int | None
    leaving: bool


class WorkerPage(Struct, frozen=True, kw_only=True):
    workers: tuple[WorkerView, ...]
    next: UUID | None


class ListWorkers(Question[WorkerPage], frozen=True, kw_only=True, tag="list_workers"):
    """Newest first. Without a status those that have stopped are left out."""

    status: WorkerStatus | None = None
    queue: str | None = None
    after: UUID | None = None
    limit: int


class GetWorker(Question[WorkerView], frozen=True, kw_only=True, tag="get_worker"):
    """Raises NotFound."""

    worker_id: UUID


class DrainWorker(Order[WorkerView], frozen=True, kw_only=True, tag="drain_worker"):
    """It gets no new task and finishes what it holds, also attached elsewhere. Raises NotFound."""

    worker_id: UUID


class ResumeWorker(Order[WorkerView], frozen=True, kw_only=True, tag="resume_worker"):
    """Takes a drain back. Raises NotFound."""

    worker_id: UUID


# ── dead letters ────────────────────────────────────────────────────────────────────────────────

LetterStatus = Literal["open", "requeueing", "requeued", "refused", "discarded"]
"""`requeueing`: ordered, and not due yet. `refused`: nobody can take it up, see `refusal`."""
Refusal = Literal["superseded", "session_gone"]
"""The conversation has gone on since, or its session was deleted."""
LetterAction = Literal["requeue", "discard"]


class LetterFilter(Struct, frozen=True, kw_only=True):
    """All given conditions hold together. `from_ms` is inclusive, `until_ms` exclusive."""

    status: LetterStatus | None = None
    reason: str | None = None
    kind: TaskWord | None = None
    session_id: UUID | None = None
    workflow_id: UUID | None = None
    from_ms: int | None = None
    until_ms: int | None = None


class LetterView(Struct, frozen=True, kw_only=True):
    """A task that was set aside, and what an operator decided about it.

    `requeued_as` is the turn that takes it up, or took it up.
    """

    task_id: UUID
    workflow_id: UUID
    session_id: UUID
    step: str
    kind: TaskWord
    reason: str
    detail: str
    died_ms: int
    status: LetterStatus
    requeued_as: UUID | None = None
    refusal: Refusal | None = None
    due_ms: int | None = None
    resolved_ms: int | None = None


class LetterPage(Struct, frozen=True, kw_only=True):
    letters: tuple[LetterView, ...]
    next: UUID | None


class LetterDetails(Struct, frozen=True, kw_only=True):
    """With every attempt of the task, and what it was made with.

    `arguments` is the JSON that a workflow's code began with, which its task does not carry; None
    of other tasks, and where its records were removed.
    """

    letter: LetterView
    attempts: tuple[AttemptView, ...]
    payload: bytes
    arguments: bytes | None = None


class ListLetters(Question[LetterPage], frozen=True, kw_only=True, tag="list_letters"):
    """Newest task first."""

    org_id: UUID
    wanted: LetterFilter
    after: UUID | None = None
    limit: int


class GetLetter(Question[LetterDetails], frozen=True, kw_only=True, tag="get_letter"):
    """Raises NotFound."""

    org_id: UUID
    task_id: UUID


class ResolveLetter(Order[LetterView], frozen=True, kw_only=True, tag="resolve_letter"):
    """Discards a dead letter, or has a new turn take it up: then that turn has begun.

    Raises NotFound, and Conflict where it was dealt with before or cannot be taken up.
    """

    org_id: UUID
    task_id: UUID
    action: LetterAction


class Resolved(Struct, frozen=True, kw_only=True):
    """`matched` dead letters were open and fit; of them `taken` were dealt with.

    `more`: the bound was reached and others fit as well. `last_due_ms` is when the last requeue is
    due. `task_ids` are at most the first OPERATOR_ROWS_MAX of those that were, or would be, taken.
    """

    matched: int
    taken: int
    more: bool
    last_due_ms: int | None
    task_ids: tuple[UUID, ...]


class ResolveLetters(Order[Resolved], frozen=True, kw_only=True, tag="resolve_letters"):
    """The same for all open ones that fit, newest first, at most `limit`.

    Requeues are spread over time at `rate_per_s`. `rehearsal` tells what would be done.
    """

    org_id: UUID
    action: LetterAction
    wanted: LetterFilter
    limit: int
    rate_per_s: float
    rehearsal: bool


# ── health ──────────────────────────────────────────────────────────────────────────────────────


class QueueHealth(Struct, frozen=True, kw_only=True):
    """One route with open tasks. `slots` are those of the workers that serve it and take tasks.

    `oldest_ms` is how long its oldest ready task waits; `expected_wait_ms` None where nothing tells
    when a task that comes now would start: nobody serves the route.
    """

    queue: str
    capability: str
    build: str
    model: str
    ready: int
    leased: int
    delayed: int
    waiting: int
    oldest_ms: int
    slots: int
    expected_wait_ms: int | None


class WorkerCounts(Struct, frozen=True, kw_only=True):
    """Workers by status, those that stopped left out; slots and held tasks of the active ones."""

    active: int
    silent: int
    draining: int
    slots: int
    held: int


class Health(Struct, frozen=True, kw_only=True):
    """The engine as a whole, over all organizations, as it was at `at_ms`.

    `cut`: more tasks are open than one pass counts, so the counts are lower bounds. `replicas` are
    the engine processes that were heard of lately. `sweeps_ms`: how long ago each sweep was made.
    `problems` say what an operator should look at, in words; empty where all is well.
    """

    at_ms: int
    queues: tuple[QueueHealth, ...]
    workers: WorkerCounts
    replicas: int
    sweeps_ms: dict[str, int]
    dead_letters: int
    cut: bool
    problems: tuple[str, ...]


class GetHealth(Question[Health], frozen=True, kw_only=True, tag="get_health"):
    """`age_ms_max`: how old the answer may be. Many who ask share one look at the tables."""

    age_ms_max: int = 0


# ── explanations ────────────────────────────────────────────────────────────────────────────────


class Explain(Question[Explanation], frozen=True, kw_only=True, tag="explain"):
    """Raises NotFound, also for what belongs to a deleted session."""

    org_id: UUID
    subject: Subject
    id: UUID


AnyQuestion = (
    (ListTasks | GetTask | ListWorkers | GetWorker | ListLetters | GetLetter | GetHealth | Explain)
    | BudgetQuestion
    | DeliveryQuestion
    | (GetConfigs | ListToolsets | FindOpen)
)
PlainOrder = CancelPlainTask | RequeuePlainTask
AnyOrder = (
    (DrainWorker | ResumeWorker | ResolveLetter | ResolveLetters | PlainOrder)
    | BudgetOrder
    | DeliveryOrder
)

_QUESTION: Final[msgspec.msgpack.Decoder[AnyQuestion]] = msgspec.msgpack.Decoder(AnyQuestion)
_ORDER: Final[msgspec.msgpack.Decoder[AnyOrder]] = msgspec.msgpack.Decoder(AnyOrder)


def read_question(data: bytes) -> AnyQuestion:
    """Raises msgspec.DecodeError, also for one that a later version asks."""
    return _QUESTION.decode(data)


def read_order(data: bytes) -> AnyOrder:
    """Raises msgspec.DecodeError, also for one that a later version gives."""
    return _ORDER.decode(data)
