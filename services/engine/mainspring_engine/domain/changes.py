"""What a decision wants written: row changes with the preconditions they depend on.

One `Changes` is one item of a commit flight and belongs to one session. The store applies all of it
or nothing. It compares the head, the workflow's rev, and each closed task's fence and state under
their locks; if anything differs, it returns a verdict and the engine decides again. The store never
decides.
"""

from uuid import UUID

from msgspec import Struct

from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import Closing, Effect, Head, Outcome, TaskKind, TaskState
from mainspring_schema.delivery import DeliveryMode
from mainspring_schema.messages import Controls


class NewEvent(Struct, frozen=True, kw_only=True):
    seq: int
    type: str
    ts_ms: int
    turn_id: UUID | None
    payload: bytes
    hash: bytes


class Anchor(Struct, frozen=True, kw_only=True):
    """Opens a stream for an attempt's deltas, raises its attempt, or closes it (attempt None)."""

    anchor: str
    attempt: int | None


class WorkflowChange(Struct, frozen=True, kw_only=True):
    """`expected_rev` 0 inserts; otherwise the row is compared with it and gets the next rev."""

    id: UUID
    expected_rev: int
    ordinal: int
    outcome: Outcome
    state: bytes
    config_hash: bytes
    traceparent: str
    started_ms: int


class CloseTask(Struct, frozen=True, kw_only=True):
    """The end of a task's attempt, and of the task unless `delay_ms` is given.

    With `delay_ms` the attempt closes and the task waits that long (by the database clock) for its
    next one. `expected` is the state compared beside the fence; a task that was never claimed has
    no attempt to close.
    """

    task_id: UUID
    fence: int
    expected: TaskState
    closing: Closing
    result_hash: bytes = b""
    error_code: str = ""
    error_message: str = ""
    """What people read of an attempt that failed, cut by `texts.error`."""
    error_class: str = ""
    """Why it is tried again, for those who count; nobody keeps it."""
    delay_ms: int | None = None
    counts_failure: bool = False
    counts_death: bool = False


class MarkTask(Struct, frozen=True, kw_only=True):
    """Asks the holder of this attempt to stop; compared with the fence like a close."""

    task_id: UUID
    fence: int


class StepResult(Struct, frozen=True, kw_only=True):
    """Insert-only: (workflow, step) once.

    The store adds the hash of the task's payload as its input's.
    """

    workflow_id: UUID
    step: str
    task_id: UUID
    fence: int
    body: bytes
    hash: bytes


class Claim(Struct, frozen=True, kw_only=True):
    """For whom a new task is inserted already claimed; its lease begins after `taken_s`."""

    incarnation: UUID
    attach_number: int
    taken_s: float


class NewTask(Struct, frozen=True, kw_only=True):
    id: UUID
    workflow_id: UUID
    kind: TaskKind
    route: Route
    priority: int
    effect: Effect
    step: str
    payload: bytes
    claim: Claim | None = None


class Accept(Struct, frozen=True, kw_only=True):
    """A message taken in. `consumed_by` is set where a turn starts with it at once.

    The store refuses what it knows: the same message id, or the same key (with the body hash it was
    used with).
    """

    message_id: UUID
    seq: int
    ts_ms: int
    config_hash: bytes
    turn_id: UUID
    mode: DeliveryMode = "steer"
    controls: Controls | None = None
    consumed_by: UUID | None = None
    idempotency_key: str | None = None
    body_hash: bytes = b""


class Consume(Struct, frozen=True, kw_only=True):
    """`workflow_id` is NOBODY for a message that is withdrawn."""

    message_id: UUID
    workflow_id: UUID


class Place(Struct, frozen=True, kw_only=True):
    """Where a waiting message stands: as if it had been accepted at `seq`."""

    message_id: UUID
    seq: int


class Timer(Struct, frozen=True, kw_only=True):
    """Due `delay_ms` after the commit by the database clock."""

    id: UUID
    workflow_id: UUID
    kind: str
    delay_ms: int


class DeadLetter(Struct, frozen=True, kw_only=True):
    task_id: UUID
    workflow_id: UUID
    reason: str
    detail: str


class EmitCounter(Struct, frozen=True, kw_only=True):
    """Raises the counter of an attempt's mid-attempt events.

    A lower or equal one is a duplicate.
    """

    task_id: UUID
    fence: int
    counter: int


class Config(Struct, frozen=True, kw_only=True):
    """Insert-only by hash."""

    hash: bytes
    org_id: UUID
    body: bytes


class CopySteps(Struct, frozen=True, kw_only=True):
    """Records of another workflow up to a bound, which is that of a `Fork`.

    Without its input, which the new one has of its own. Of a declared one what its steps came to,
    at these `places` and no others.
    """

    source_id: UUID
    bound: str
    places: tuple[str, ...] | None = None


class Start(Struct, frozen=True, kw_only=True):
    """A workflow of its own session begins: the store opens the head that the item expects.

    Unique by organization and key; one that is known comes back as DUPLICATE with its `hash`.
    """

    workflow_id: UUID
    type: str
    key: str
    queue: str
    hash: bytes
    copied: CopySteps | None = None
    """What it takes over where it is a fork."""


class RecordStep(Struct, frozen=True, kw_only=True):
    """Insert-only: (workflow, step) once, in the middle of an attempt or by the engine itself.

    `fence` is the attempt's; 0 where the engine found the result: a time came, a signal arrived.
    """

    workflow_id: UUID
    step: str
    task_id: UUID
    fence: int
    input_hash: bytes
    body: bytes


class NewWait(Struct, frozen=True, kw_only=True):
    """`body` is the packed `Wait`. Its timer, if it has one, is among the item's timers."""

    workflow_id: UUID
    step: str
    timer_id: UUID | None
    body: bytes


class EndWait(Struct, frozen=True, kw_only=True):
    """Its timer, if it had one, is among the item's dropped timers."""

    workflow_id: UUID
    step: str


class NewSignal(Struct, frozen=True, kw_only=True):
    """A signal to a session. One with a known (source, kind) makes its item a DUPLICATE.

    `to` is another session, whose own lane takes it; None is the item's.
    """

    source: UUID
    kind: str
    body: bytes
    taken: bool
    to: UUID | None = None


class TakeSignal(Struct, frozen=True, kw_only=True):
    source: UUID
    kind: str


class Hold(Struct, frozen=True, kw_only=True):
    """A part of a budget for an open task. `warns`: people are told that it is nearly used up."""

    task_id: UUID
    budget_id: UUID
    amount: int
    warns: bool = False


class Charge(Struct, frozen=True, kw_only=True):
    """What an ended task has used, in one currency, of whatever was held for it."""

    task_id: UUID
    currency: str
    amount: int


class Spending(Struct, frozen=True, kw_only=True):
    """What an item means for budgets; what `ended` tasks held is given back and charged.

    A hold that does not fit makes its item a CONFLICT: the budgets are read anew.
    """

    holds: tuple[Hold, ...] = ()
    ended: tuple[UUID, ...] = ()
    charges: tuple[Charge, ...] = ()


class Changes(Struct, frozen=True, kw_only=True):
    """All of one item. `expected` and `after` are the head before and after it."""

    expected: Head
    after: Head
    events: tuple[NewEvent, ...] = ()
    anchors: tuple[Anchor, ...] = ()
    close_anchors: bool = False
    workflows: tuple[WorkflowChange, ...] = ()
    closes: tuple[CloseTask, ...] = ()
    marks: tuple[MarkTask, ...] = ()
    results: tuple[StepResult, ...] = ()
    tasks: tuple[NewTask, ...] = ()
    accepts: tuple[Accept, ...] = ()
    consumes: tuple[Consume, ...] = ()
    places: tuple[Place, ...] = ()
    timers: tuple[Timer, ...] = ()
    dropped_timers: tuple[UUID, ...] = ()
    dead_letters: tuple[DeadLetter, ...] = ()
    emits: tuple[EmitCounter, ...] = ()
    configs: tuple[Config, ...] = ()
    start: Start | None = None
    steps: tuple[RecordStep, ...] = ()
    waits: tuple[NewWait, ...] = ()
    ended_waits: tuple[EndWait, ...] = ()
    signals: tuple[NewSignal, ...] = ()
    taken_signals: tuple[TakeSignal, ...] = ()
    spending: Spending | None = None
    """Only where the organization has budgets, or the session's pause changes."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write; whatever is not asked here comes with one of these."""
        return self.expected == self.after and not (
            self.workflows
            or self.closes
            or self.marks
            or self.emits
            or self.dropped_timers
            or self.tasks
        )

    @property
    def moves_head(self) -> bool:
        """Others write the rest: `close_v1` what is closed, the log itself what is paused."""
        before, after = self.expected, self.after
        return bool(self.events or self.anchors or self.close_anchors) or (
            (before.status, before.active_turn, before.turn_first_seq)
            != (after.status, after.active_turn, after.turn_first_seq)
        )
