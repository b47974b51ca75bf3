"""Rows as the decisions see them. The store's adapters fill them; nothing here reads or writes."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final
from uuid import UUID

from msgspec import Struct, convert, structs

from mainspring_schema.budgets import BudgetView
from mainspring_schema.delivery import DeliveryMode
from mainspring_schema.grants import SessionStatus
from mainspring_schema.messages import Controls
from mainspring_schema.workflows import Status, Wait


class Outcome(IntEnum):
    """How a workflow ended; 0 while it goes on."""

    RUNNING = 0
    COMPLETED = 1
    FAILED = 2
    CANCELLED = 3
    SEALED = 4


OUTCOMES: Final[Mapping[Status, tuple[Outcome, ...]]] = {
    "running": (Outcome.RUNNING,),
    "waiting": (Outcome.RUNNING,),
    "held": (Outcome.RUNNING,),
    "completed": (Outcome.COMPLETED,),
    "failed": (Outcome.FAILED, Outcome.SEALED),
    "cancelled": (Outcome.CANCELLED,),
}
"""By the status that people see: what a workflow that goes on does is in its state alone."""


class TaskState(IntEnum):
    """Where a task is. A closed task has no row: its attempts are what is left of it."""

    READY = 1
    LEASED = 2
    DELAYED = 3
    WAITING = 4


class TaskKind(IntEnum):
    REASON = 1
    TOOL = 2
    WORKFLOW = 3
    """One go at a user's workflow."""
    PLAIN = 4
    """One call of a step without a workflow."""
    STEP = 5
    """One step of a declared workflow."""


class Effect(IntEnum):
    """What a crash may do to a call; the order is that of caution."""

    PURE = 1
    IDEMPOTENT = 2
    AT_MOST_ONCE = 3
    VERIFIABLE = 4

    @property
    def needs_start(self) -> bool:
        """Whether a worker must have Start acknowledged before it calls."""
        return self in (Effect.AT_MOST_ONCE, Effect.VERIFIABLE)


EFFECTS: Final = {
    "pure": Effect.PURE,
    "idempotent": Effect.IDEMPOTENT,
    "at_most_once": Effect.AT_MOST_ONCE,
    "verifiable": Effect.VERIFIABLE,
}


class Closing(IntEnum):
    """Why an attempt closed."""

    RESULT = 1
    FAILED = 2
    RETRIED = 3
    EXPIRED = 4
    UNDELIVERED = 5
    RETURNED = 6
    CANCELLED = 7
    QUARANTINED = 8
    UNKNOWN = 9
    SUSPENDED = 10
    """A workflow waits without a worker, and what it waits for makes its next task; or another
    worker has the next one at once, for the code of this one did not fit."""


class Head(Struct, frozen=True, kw_only=True):
    """The one row per session where everything is serialized; the event store owns it."""

    session_id: UUID
    org_id: UUID
    last_seq: int
    hash: bytes
    ts_ms: int
    status: SessionStatus
    paused: bool = False
    active_turn: UUID | None = None
    turn_first_seq: int = 0
    closed: bool = False


class Workflow(Struct, frozen=True, kw_only=True):
    """`state` is the encoded state of its machine; `ordinal` counts the session's turns from 1.

    A turn has the hash of its configuration, a user's workflow has none: it is its own session.
    """

    id: UUID
    session_id: UUID
    org_id: UUID
    ordinal: int
    rev: int
    outcome: Outcome
    state: bytes
    config_hash: bytes
    traceparent: str
    started_ms: int

    @property
    def is_turn(self) -> bool:
        return bool(self.config_hash)


NOBODY: Final = UUID(int=0)
"""Who consumes a message that its sender has withdrawn, and had the task that no worker took."""


class InboxRow(Struct, frozen=True, kw_only=True):
    """A message that was accepted and not consumed yet. `seq` is that of its event.

    Rows come in the order in which turns take them.
    """

    message_id: UUID
    seq: int
    config_hash: bytes
    controls: Controls | None = None
    mode: DeliveryMode = "steer"


class OpenTask(Struct, frozen=True, kw_only=True):
    """The live attempt of a task, or its wait for one."""

    id: UUID
    kind: TaskKind
    state: TaskState
    fence: int
    effect: Effect
    started: bool
    cancelling: bool
    deaths: int
    failures: int
    uncounted: int
    incarnation: UUID | None = None


class Standing(BudgetView, frozen=True, kw_only=True):
    """A budget as a session finds it: `reserved` is what others hold, `own` what its tasks do."""

    own: Mapping[UUID, int] = {}

    @classmethod
    def of(cls, budget: BudgetView, *, reserved: int, own: Mapping[UUID, int]) -> "Standing":
        fields = structs.asdict(budget) | {"reserved": reserved, "own": own}
        return convert(fields, cls)


class View(Struct, frozen=True, kw_only=True):
    """What a decision about one session starts from. `workflow` is the newest, running or ended."""

    head: Head | None
    workflow: Workflow | None
    inbox: tuple[InboxRow, ...] = ()


class WaitRow(Struct, frozen=True, kw_only=True):
    """What a workflow waits for. `timer_id` is of a sleep's end, or of the timeout."""

    workflow_id: UUID
    wait: Wait
    timer_id: UUID | None = None


class SignalRow(Struct, frozen=True, kw_only=True):
    """A signal that came and was not taken yet, oldest first.

    `body` is None where it is longer than what is read with all others; it has `unread_bytes` then.
    """

    source: UUID
    kind: str
    body: bytes | None
    unread_bytes: int = 0

    @property
    def size(self) -> int:
        return self.unread_bytes if self.body is None else len(self.body)


class Waiting(Struct, frozen=True, kw_only=True):
    """All that a workflow waits for, and what came before it was waited for."""

    waits: tuple[WaitRow, ...] = ()
    signals: tuple[SignalRow, ...] = ()
