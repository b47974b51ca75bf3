"""What the engine tells others, and how it reaches workers. None of it may slow a commit."""

from typing import Protocol
from uuid import UUID

from msgspec import Struct

from mainspring_engine.domain.backlog import ReadyGroup
from mainspring_engine.domain.changes import Changes
from mainspring_engine.domain.rows import Closing, Outcome
from mainspring_engine.ports.store import Closed
from mainspring_schema.frames import Acknowledgement, Config, Held, History, Task
from mainspring_schema.stream import LogBatch
from mainspring_schema.wake import WorkflowEnded


class Announcer(Protocol):
    """Hints and copies on the bus. Losing any of them costs latency only."""

    def committed(self, org_id: UUID, session_id: UUID, batch: LogBatch) -> None: ...

    def ready(self, groups: tuple[ReadyGroup, ...]) -> None:
        """Groups with ready tasks, and the lowest id of each. None: look everywhere."""
        ...

    def cancel_marked(self, held: tuple[Held, ...]) -> None: ...

    def gates_moved(self) -> None: ...
    def workers_drained(self) -> None:
        """Some worker was drained or resumed: every engine reads which."""
        ...

    def ended(self, task_ids: tuple[UUID, ...]) -> None:
        """These plain tasks have their outcome: whoever waits for one looks."""
        ...

    def workflow_ended(self, workflow_id: UUID, end: WorkflowEnded) -> None:
        """Who waits for a workflow is answered by it."""
        ...

    def recorded(self, workflow_id: UUID, task_id: UUID) -> None:
        """The engine recorded steps of a workflow that this task is at work on, elsewhere."""
        ...


class Outbox(Protocol):
    """The way to one worker: bounded, with a writer of its own. Never waits."""

    def task(self, task: Task) -> None: ...

    def result(self, acknowledgement: Acknowledgement) -> None: ...

    def start(self, acknowledgement: Acknowledgement) -> None: ...

    def emit(self, acknowledgement: Acknowledgement) -> None: ...

    def progress(self, acknowledgement: Acknowledgement) -> None: ...

    def lost(self, held: Held) -> None: ...

    def cancelled(self, held: Held) -> None: ...

    def renewed(self, held: Held) -> None: ...
    def heard(self) -> None: ...
    def drained(self) -> None: ...

    def config(self, config: Config) -> None: ...

    def unwritten(self) -> frozenset[Held]:
        """Tasks that were put and are in no frame yet.

        One in a frame that is still being written may have arrived: a tool that kills its worker
        is quicker than the news that the frame is gone.
        """
        ...

    def history(self, history: History) -> None: ...

    def leave(self) -> None:
        """Tells the worker to attach elsewhere."""
        ...

    def pages_unread(self) -> int:
        """Histories that were put and are in no frame yet."""
        ...


class AttemptEnd(Struct, frozen=True, kw_only=True):
    """An attempt that closed, with what its span needs. `claimed_ms` 0: it was never claimed."""

    held: Held
    session_id: UUID
    workflow_id: UUID
    traceparent: str
    closing: Closing
    claimed_ms: int
    ended_ms: int


class TurnEnd(Struct, frozen=True, kw_only=True):
    """A turn or a workflow that has its outcome, with what its span needs.

    `workflow_type` is that of a workflow, where it is known.
    """

    org_id: UUID
    session_id: UUID
    workflow_id: UUID
    outcome: Outcome
    config_hash: bytes
    traceparent: str
    started_ms: int
    ended_ms: int
    workflow_type: str = ""


class Witness(Protocol):
    """Telemetry of what was committed: spans that survive a crash, log lines, and the listeners."""

    def attempt_ended(self, end: AttemptEnd) -> None:
        """Outside a commit lane: a lease ran out, or a worker went away."""
        ...

    def attempt_again(self, end: AttemptEnd) -> None:
        """What a killed engine may have told: the same span, no line, for it is no news."""
        ...

    def turn_again(self, end: TurnEnd) -> None: ...

    def committed(self, changes: Changes, closed: tuple[Closed, ...], now_ms: int) -> None: ...
