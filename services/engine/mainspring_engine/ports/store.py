"""The engine's memory: a dozen batch operations, each one transaction, each safe to repeat.

The Postgres adapter and the memory twin pass the same contract suite and return the same statuses.
Every operation raises `Unavailable` where the store cannot be reached; whether it was done is then
unknown, and repeating it settles that.
"""

from collections.abc import Collection
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from mainspring_engine.domain.backlog import Group, ReadyGroup
from mainspring_engine.domain.changes import Changes
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import Closing, OpenTask, Outcome, View
from mainspring_engine.ports.budgets import BudgetRows
from mainspring_engine.ports.inbox import InboxRows, Known
from mainspring_engine.ports.plain import PlainRows
from mainspring_engine.ports.progress import ProgressRows
from mainspring_engine.ports.retention import RetentionRows
from mainspring_engine.ports.workflows import KnownStart, WorkflowRows
from mainspring_schema.frames import Held, StepProgress, Verdict


class Closed(Struct, frozen=True, kw_only=True):
    """The verdict on one `CloseTask`, with what a span of the attempt needs."""

    held: Held
    verdict: Verdict
    claimed_ms: int = 0
    incarnation: UUID | None = None


class Committed(Struct, frozen=True, kw_only=True):
    """The answer to one `Changes`, in the order of the flight.

    COMMITTED: everything was written; `deltas_before` belongs to the first event.
    STALE or DUPLICATE: nothing was written because of the entries of `closes`, `marks`, `accepts`
    or `emits` that carry that verdict; decide again without them.
    CONFLICT: head or workflow have moved; decide again from `view`, which is the present.
    INVALID: the item broke a rule of the tables; it alone was left out.
    `closes`, `marks` and `emits` follow the order of the item; `known` maps the refused accepts.
    Entries that were fit by themselves in an item that was not written carry CONFLICT. `unclaimed`
    are tasks that were to be claimed for a stream that is not its worker's newest: they are ready.
    `started` comes with DUPLICATE for a start whose key is known.
    """

    verdict: Verdict
    now_ms: int
    deltas_before: int = 0
    closes: tuple[Closed, ...] = ()
    marks: tuple[Verdict, ...] = ()
    emits: tuple[Verdict, ...] = ()
    unclaimed: tuple[UUID, ...] = ()
    known: dict[UUID, Known] = {}
    view: View | None = None
    problem: str = ""
    started: KnownStart | None = None


class Claimed(Struct, frozen=True, kw_only=True):
    """A task that a claim gave to an incarnation. `failures` counts its failed attempts.

    `started`: an earlier attempt started the effect and left no outcome. Only a call whose tool has
    a probe is claimed again then; the worker asks the probe. `progress` is what earlier attempts
    said last, of at most PROGRESS_STEPS_MAX steps.
    """

    held: Held
    route: Route
    session_id: UUID
    workflow_id: UUID
    org_id: UUID
    payload: bytes
    config_hash: bytes
    traceparent: str
    failures: int
    incarnation: UUID
    started: bool = False
    priority: int = 0
    progress: tuple[StepProgress, ...] = ()


class Want(Struct, frozen=True, kw_only=True):
    """Free slots of one worker for one route."""

    route: Route
    incarnation: UUID
    attach_number: int
    limit: int


class ClaimShare(Struct, frozen=True, kw_only=True):
    """An organization that is ahead of its share, or weighs other than 1."""

    org_id: UUID
    lead: float
    weight: float


class ClaimLimit(Struct, frozen=True, kw_only=True):
    """At most `at_once` tasks under this key run, over all its routes."""

    route: Route
    key: str
    at_once: int


class ClaimRequest(Struct, frozen=True, kw_only=True):
    """Whom to give tasks, and which groups to choose from, each from its mark on.

    Within a step of priority the organization goes first that is least ahead; PRIORITY_AGING_S of
    waiting lift a task by one step.
    """

    wants: tuple[Want, ...]
    groups: tuple[ReadyGroup, ...]
    shares: tuple[ClaimShare, ...] = ()
    limits: tuple[ClaimLimit, ...] = ()


class ReadyPage(Struct, frozen=True, kw_only=True):
    """Groups with ready tasks in the order of the index; `board` is the version of all gates."""

    board: int
    groups: tuple[ReadyGroup, ...]


class Renewal(Struct, frozen=True, kw_only=True):
    """A task that a worker says it holds."""

    held: Held
    incarnation: UUID


class Handed(Struct, frozen=True, kw_only=True):
    """An attempt whose task went out on this stream, which then broke or fell silent."""

    held: Held
    incarnation: UUID
    attach_number: int


class Renewed(Struct, frozen=True, kw_only=True):
    """`lost`: this fence holds no more. `cancelling`: the mark is set, tell the worker."""

    held: Held
    lost: bool
    cancelling: bool


class AttachRow(Struct, frozen=True, kw_only=True):
    incarnation: UUID
    attach_number: int
    name: str
    build: str
    held: tuple[Held, ...] = ()


class AttachReply(Struct, frozen=True, kw_only=True):
    """`refused` where a higher attach number is known. `lost` lists what is not this worker's.

    `released` counts claims of this incarnation that it does not list: closed as undelivered.
    """

    refused: bool
    lost: tuple[Held, ...] = ()
    cancelling: tuple[Held, ...] = ()
    released: int = 0


class ExpiredTask(Struct, frozen=True, kw_only=True):
    """A task whose lease ran out, or whose worker's stream is gone, read without a lock.

    `claimed_ms` and `traceparent` are for the span of the attempt that ends.
    """

    task: OpenTask
    session_id: UUID
    workflow_id: UUID
    org_id: UUID
    acknowledged: bool
    claimed_ms: int = 0
    traceparent: str = ""


class Release(Struct, frozen=True, kw_only=True):
    """Makes a leased task ready again and closes its attempt.

    Compared under the lock: the fence, that it has not started where `unstarted_only`, that its
    lease has run out where `expired_only`, and the attach number where one is given; a task that
    is marked as cancelling stays. `counts_death` counts only where the attempt was acknowledged.
    """

    held: Held
    closing: Closing
    counts_death: bool = False
    expired_only: bool = False
    unstarted_only: bool = True
    incarnation: UUID | None = None
    attach_number: int | None = None


class DueTimer(Struct, frozen=True, kw_only=True):
    id: UUID
    workflow_id: UUID
    session_id: UUID
    org_id: UUID
    kind: str


class Ended(Struct, frozen=True, kw_only=True):
    """A closed attempt with its workflow, for spans that are recorded again."""

    task_id: UUID
    fence: int
    closing: Closing
    claimed_ms: int
    ended_ms: int
    workflow_id: UUID
    session_id: UUID
    org_id: UUID
    outcome: Outcome
    config_hash: bytes
    traceparent: str
    started_ms: int


class Step(Struct, frozen=True, kw_only=True):
    workflow_id: UUID
    step: str


class Store(Protocol):
    """See the module. Batches are bounded by the callers with the bounds of `limits`."""

    @property
    def workflows(self) -> WorkflowRows:
        """What is read of users' workflows."""
        ...

    @property
    def budgets(self) -> BudgetRows:
        """Budgets and their ledger."""
        ...

    @property
    def inbox(self) -> InboxRows:
        """Accepted messages by their ids."""
        ...

    @property
    def plain(self) -> PlainRows:
        """Plain tasks, where they differ from others."""
        ...

    @property
    def progress(self) -> ProgressRows:
        """How far handlers said they are."""
        ...

    @property
    def retention(self) -> RetentionRows:
        """Records that nobody is promised any more."""
        ...

    async def commit(self, flight: tuple[Changes, ...]) -> tuple[Committed, ...]:
        """Writes each item wholly or not at all, in one transaction; at most one item per session.

        On an unexpected error the flight is bisected until the single culprit is INVALID.
        """
        ...

    async def load(self, sessions: tuple[UUID, ...]) -> dict[UUID, View]:
        """The present of sessions; unknown ones are absent."""
        ...

    async def open_tasks(self, workflows: tuple[UUID, ...]) -> dict[UUID, tuple[OpenTask, ...]]:
        """The open tasks of workflows, read without a lock."""
        ...

    async def steps(self, wanted: tuple[Step, ...]) -> dict[tuple[UUID, str], bytes]:
        """Kept step results; missing ones are absent."""
        ...

    async def configs(self, hashes: tuple[bytes, ...]) -> dict[bytes, bytes]:
        """Folded agents by hash; missing ones are absent."""
        ...

    async def ready_groups(self, after: Group | None, limit: int) -> ReadyPage:
        """One loose pass over the ready index, behind the given group; at most `limit` groups."""
        ...

    async def depths(self, groups: tuple[ReadyGroup, ...]) -> tuple[int, ...]:
        """How many tasks of each group are ready from its mark on; counted up to its `depth`."""
        ...

    async def claim(self, request: ClaimRequest) -> tuple[Claimed, ...]:
        """Takes ready tasks for workers: SKIP LOCKED, by step of priority, then by shares."""
        ...

    async def renew(self, renewals: tuple[Renewal, ...]) -> tuple[Renewed, ...]:
        """Renews leases older than LEASE_RENEW_AFTER_S; the first renewal acknowledges a task."""
        ...

    async def acknowledge(self, handed: tuple[Handed, ...]) -> None:
        """Marks attempts as acknowledged in place of workers that cannot; renews no lease.

        Compares fence, incarnation and attach number: a worker that came back speaks for itself.
        """
        ...

    async def start(self, starts: tuple[Renewal, ...]) -> tuple[Verdict, ...]:
        """Marks effects as started. The same fence again is DUPLICATE.

        STALE is a cancelled task, and an effect that another fence has started.
        """
        ...

    async def attach(self, attach_rows: tuple[AttachRow, ...]) -> tuple[AttachReply, ...]:
        """Writes the one row per incarnation, releases what it does not list."""
        ...

    async def expired(self, limit: int, *, but: Collection[UUID] = ()) -> tuple[ExpiredTask, ...]:
        """Leases that ran out, none within POSTGRES_SETTLE_S of the database's own start.

        Without the tasks of `but`.
        """
        ...

    async def held_by(self, incarnation: UUID) -> tuple[ExpiredTask, ...]:
        """Everything an incarnation holds, for the grace of a broken stream."""
        ...

    async def lapse(self, handed: tuple[Handed, ...]) -> tuple[Verdict, ...]:
        """Ends leases before their time, so that `expired` has them; compares as `acknowledge`."""
        ...

    async def release(self, releases: tuple[Release, ...]) -> tuple[Verdict, ...]:
        """COMMITTED or STALE, one each."""
        ...

    async def ready_retries(self, limit: int) -> tuple[Route, ...]:
        """Makes due delayed tasks ready; returns their routes, one per task.

        Of the suspects of a queue one at a time: what died twice is tried alone.
        """
        ...

    async def due_timers(self, limit: int, *, but: Collection[UUID] = ()) -> tuple[DueTimer, ...]:
        """Timers that are due, read without a lock; they fire through the commit lane.

        Without those of `but`.
        """
        ...

    async def ended_lately(self, *, within_ms: int, limit: int) -> tuple[Ended, ...]:
        """Attempts that closed so long ago at most, newest first."""
        ...

    async def sweep_ages_ms(self) -> dict[str, int]:
        """How long ago `expired`, `ready_retries` and `due_timers` were asked last, by any engine.

        Keys are `leases`, `retries` and `timers`; one never asked is absent.
        """
        ...

    async def make_partitions(self) -> int:
        """Makes the wide tables' partitions a week ahead; returns how many were missing."""
        ...

    async def forget_keys(self, *, older_than_ms: int, limit: int) -> int:
        """Removes idempotency keys of accepted messages, oldest first; how many.

        A message that comes with a forgotten key is a new one.
        """
        ...

    async def epoch(self) -> int:
        """The log's epoch, read at start.

        An operator raises it after a restore, with all stopped.
        """
        ...

    async def ping(self) -> None:
        """Raises Unavailable where the store does not answer."""
        ...
