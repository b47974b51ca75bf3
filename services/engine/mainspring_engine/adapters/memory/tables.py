"""The rows of schema `engine` as structs, and the dictionaries that hold them."""

from typing import NamedTuple
from uuid import UUID

from msgspec import Struct

from mainspring_engine.domain.changes import DeadLetter, Start
from mainspring_engine.domain.limits import SUSPECT_DEATHS
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import (
    Closing,
    Effect,
    InboxRow,
    OpenTask,
    SignalRow,
    TaskKind,
    TaskState,
    WaitRow,
    Workflow,
)
from mainspring_engine.ports.store import Ended, ExpiredTask
from mainspring_schema.delivery import DeliveryMode
from mainspring_schema.frames import Held
from mainspring_schema.messages import Controls
from mainspring_schema.operations import Refusal


class TaskRow(Struct, kw_only=True):
    """Mutable: the hot row. Times in milliseconds of the store's clock."""

    id: UUID
    workflow_id: UUID
    session_id: UUID
    org_id: UUID
    route: Route
    priority: int
    kind: TaskKind
    effect: Effect
    step: str
    ready_ms: int
    state: TaskState = TaskState.READY
    fence: int = 0
    rev: int = 1
    claim_rev: int = 0
    claimed_ms: int = 0
    stamped_ms: int = 0
    lease_until_ms: int = 0
    incarnation: UUID | None = None
    attach_number: int | None = None
    acknowledged: bool = False
    cancelling: bool = False
    started_fence: int = 0
    emit_counter: int = 0
    deaths: int = 0
    failures: int = 0
    uncounted: int = 0
    died: set[int] = set()
    counted: bool = False

    @property
    def held(self) -> Held:
        return Held(self.id, self.fence)

    def lease(self, incarnation: UUID, attach_number: int, *, now_ms: int, lease_ms: int) -> None:
        self.state = TaskState.LEASED
        self.counted = False
        self.fence += 1
        self.emit_counter = 0
        self.claim_rev = self.rev
        self.claimed_ms = now_ms
        self.incarnation, self.attach_number = incarnation, attach_number
        self.acknowledged = False
        self.stamp(now_ms, lease_ms)

    def stamp(self, now_ms: int, lease_ms: int) -> None:
        self.stamped_ms = now_ms
        self.lease_until_ms = now_ms + lease_ms

    def lapse(self, now_ms: int) -> None:
        """Dates the lease back: it is over, not only about to be."""
        early_ms = max(0, self.lease_until_ms - now_ms + 1)
        self.stamped_ms -= early_ms
        self.lease_until_ms -= early_ms
        self.rev += 1

    def let_go(self, state: TaskState, ready_ms: int) -> None:
        self.state, self.ready_ms = state, ready_ms
        self.incarnation = self.attach_number = None
        self.lease_until_ms = 0
        self.acknowledged = False

    @property
    def is_suspect(self) -> bool:
        return self.deaths >= SUSPECT_DEATHS

    def die(self) -> None:
        self.deaths += 1
        self.died.add(self.fence)

    def open(self) -> OpenTask:
        return OpenTask(
            id=self.id,
            kind=self.kind,
            state=self.state,
            fence=self.fence,
            effect=self.effect,
            started=self.started_fence > 0,
            cancelling=self.cancelling,
            deaths=self.deaths,
            failures=self.failures,
            uncounted=self.uncounted,
            incarnation=self.incarnation,
        )

    def expired(self, workflow: Workflow | None) -> ExpiredTask:
        """A plain task has no workflow."""
        return ExpiredTask(
            task=self.open(),
            session_id=self.session_id,
            workflow_id=self.workflow_id,
            org_id=self.org_id,
            acknowledged=self.acknowledged,
            claimed_ms=self.claimed_ms,
            traceparent="" if workflow is None else workflow.traceparent,
        )


class AttemptRow(Struct, frozen=True, kw_only=True):
    """Inserted when the attempt closes."""

    task_id: UUID
    fence: int
    workflow_id: UUID
    incarnation: UUID
    claim_rev: int
    close_rev: int
    claimed_ms: int
    closed_ms: int
    stamped_ms: int
    lease_until_ms: int
    acknowledged: bool
    started: bool
    closing: Closing
    result_hash: bytes = b""
    error_code: str = ""
    error_message: str = ""

    def ended(self, workflow: Workflow) -> Ended:
        return Ended(
            task_id=self.task_id,
            fence=self.fence,
            closing=self.closing,
            claimed_ms=self.claimed_ms,
            ended_ms=self.closed_ms,
            workflow_id=workflow.id,
            session_id=workflow.session_id,
            org_id=workflow.org_id,
            outcome=workflow.outcome,
            config_hash=workflow.config_hash,
            traceparent=workflow.traceparent,
            started_ms=workflow.started_ms,
        )


class InboxEntry(Struct, kw_only=True):
    session_id: UUID
    message_id: UUID
    seq: int
    ts_ms: int
    config_hash: bytes
    turn_id: UUID
    controls: Controls | None
    workflow_id: UUID | None
    body_hash: bytes
    mode: DeliveryMode = "steer"
    place: int | None = None

    def stands(self) -> int:
        return self.seq if self.place is None else self.place

    def waiting(self) -> InboxRow:
        return InboxRow(
            message_id=self.message_id,
            seq=self.seq,
            config_hash=self.config_hash,
            controls=self.controls,
            mode=self.mode,
        )


class KeyRow(Struct, frozen=True, kw_only=True):
    message_id: UUID
    body_hash: bytes
    created_ms: int


class Payload(Struct, frozen=True, kw_only=True):
    org_id: UUID
    step: str
    payload: bytes
    input_hash: bytes


class StepRow(Struct, frozen=True, kw_only=True):
    task_id: UUID
    fence: int
    rev: int
    input_hash: bytes
    body: bytes
    hash: bytes
    checkpoint: bool = False


class EffectRow(Struct, kw_only=True):
    """`state`: 1 intended, 2 started, 3 done, 4 failed, 5 unknown, 6 closed unstarted."""

    task_id: UUID
    effect: Effect
    state: int = 1
    fence: int = 0
    rev: int = 1


class TimerRow(Struct, frozen=True, kw_only=True):
    id: UUID
    workflow_id: UUID
    session_id: UUID
    org_id: UUID
    kind: str
    due_ms: int


class LetterRow(Struct, frozen=True, kw_only=True):
    letter: DeadLetter
    session_id: UUID
    org_id: UUID
    died_ms: int


class ResolutionRow(Struct, kw_only=True):
    """`workflow_id` None: discarded. Times in milliseconds of the store's clock."""

    workflow_id: UUID | None
    ordered_ms: int
    due_ms: int
    tried_ms: int | None = None
    settled_ms: int | None = None
    refusal: Refusal | None = None


class WorkerRow(Struct, kw_only=True):
    """One start of a worker process; the columns of its stream beside those of its attach."""

    incarnation: UUID
    attach_number: int
    name: str
    build: str
    attached_ms: int
    replica: UUID | None = None
    queues: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    slots: int = 0
    drained_ms: int | None = None
    leaving: bool = False
    silent_ms: int | None = None
    left_ms: int | None = None


class SignalEntry(Struct, kw_only=True):
    """`came_ms` by the store's clock."""

    row: SignalRow
    taken: bool
    org_id: UUID
    came_ms: int
    tries: int = 0
    tried_ms: int | None = None


class RegistryTables:
    """Who is attached where. `replicas` holds when each was seen last, `toolsets` who said what."""

    def __init__(self) -> None:
        self.workers: dict[UUID, WorkerRow] = {}
        self.replicas: dict[UUID, int] = {}
        self.toolsets: dict[str, tuple[UUID, bytes]] = {}


class ProgressRow(NamedTuple):
    """What a handler said last. `rev` is the task's by it."""

    fence: int
    counter: int
    rev: int
    details: bytes


class Tables:
    """What schema `engine` holds; read and written under the store's lock only."""

    board: int = 1
    """The version of all gates."""

    def __init__(self) -> None:  # noqa: PLR0915 - one line per table
        self.workflows: dict[UUID, Workflow] = {}
        self.ordinals: set[tuple[UUID, int]] = set()
        self.newest: dict[UUID, UUID] = {}
        """Session → its newest workflow."""
        self.tasks: dict[UUID, TaskRow] = {}
        self.payloads: dict[UUID, Payload] = {}
        self.plain_cancels: dict[UUID, str] = {}
        """Plain task → why it was cancelled."""
        self.attempts: dict[Held, AttemptRow] = {}
        self.steps: dict[tuple[UUID, str], StepRow] = {}
        self.effects: dict[tuple[UUID, str], EffectRow] = {}
        self.inbox: dict[UUID, dict[UUID, InboxEntry]] = {}
        """Session → message → row."""
        self.keys: dict[tuple[UUID, str], KeyRow] = {}
        """Session and idempotency key → row, oldest first."""
        self.timers: dict[UUID, TimerRow] = {}
        self.start_bounds: dict[UUID, TimerRow] = {}
        """Of plain tasks that are to be taken within a time."""
        self.dead_letters: dict[UUID, LetterRow] = {}
        self.progress: dict[tuple[UUID, str], ProgressRow] = {}
        """Task and step → what its handler said last."""
        self.resolutions: dict[UUID, ResolutionRow] = {}
        """Dead letter → what an operator decided about it."""
        self.configs: dict[bytes, bytes] = {}
        self.routes: dict[Route, int] = {}
        """Numbered as they come, which is the order of the ready index."""
        self.workers: dict[UUID, int] = {}
        """Incarnation → its attach number."""
        self.registry = RegistryTables()
        self.sweeps: dict[str, int] = {}
        self.starts: dict[UUID, Start] = {}
        self.start_keys: dict[tuple[UUID, str], UUID] = {}
        self.waits: dict[UUID, dict[str, WaitRow]] = {}
        """Workflow → step → row."""
        self.signals: dict[UUID, dict[tuple[UUID, str], SignalEntry]] = {}
        """Session → source and kind → row, in the order they came."""

    def close_attempt(
        self,
        task: TaskRow,
        closing: Closing,
        *,
        now_ms: int,
        result_hash: bytes = b"",
        error_code: str = "",
        error_message: str = "",
    ) -> None:
        """The attempt row of a leased task, before the task changes; raises the task's rev."""
        assert task.incarnation is not None  # noqa: S101 - a leased task has its holder
        task.rev += 1
        self.attempts[task.held] = AttemptRow(
            task_id=task.id,
            fence=task.fence,
            workflow_id=task.workflow_id,
            incarnation=task.incarnation,
            claim_rev=task.claim_rev,
            close_rev=task.rev,
            claimed_ms=task.claimed_ms,
            closed_ms=now_ms,
            stamped_ms=task.stamped_ms,
            lease_until_ms=task.lease_until_ms,
            acknowledged=task.acknowledged,
            started=task.started_fence == task.fence,
            closing=closing,
            result_hash=result_hash,
            error_code=error_code,
            error_message=error_message,
        )
