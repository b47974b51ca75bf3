"""The state of a user's workflow: ids and counters, never content."""

from enum import IntEnum
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_engine.domain.rows import Workflow
from mainspring_kernel.errors import StateUnreadable

VERSION_CONFLICT: Final = "version_conflict"
"""With this an attempt ends whose code does not fit what is recorded."""


class Phase(IntEnum):
    RUNNING = 1
    """It has a task: at a worker, or ready for one."""
    WAITING = 2
    """It holds no worker; one of its waits wakes it."""
    CANCELLING = 3
    HELD = 4
    """Its task waits for a worker whose code fits what is recorded."""


FOUND_BY_FORKS: Final = -(2**31)
"""What a fork took over is not counted, so a worker's count never equals the engine's."""


class Course(Struct, frozen=True, array_like=True, kw_only=True):
    """How far a declared workflow is: a bit for each finished step, of the first one the lowest.

    `open` has number and task of each step that is under way.
    """

    declaration: bytes
    """The hash of what it runs on."""
    done: bytes = b""
    open: tuple[tuple[int, bytes], ...] = ()
    waits: tuple[int, ...] = ()
    """Steps that wait for a time or a signal."""

    @property
    def finished(self) -> int:
        return int.from_bytes(self.done, "little")


class WorkflowState(Struct, frozen=True, array_like=True, kw_only=True):
    """Format 1. Read one release before it is written; fields are only ever added at the end.

    `waits` and `signals` count the rows, so that they are read only where there are some.
    """

    version: int = 1
    phase: Phase = Phase.RUNNING
    type: str
    key: str
    queue: str
    task_id: UUID | None = None
    goes: int = 0
    waits: int = 0
    signals: int = 0
    holds: int = 0
    timer_id: UUID | None = None
    cancel_reason: str | None = None
    problem: str = ""
    """Of a held one: where the code differs. Of a failed one: its code and message."""
    parent: UUID | None = None
    linked: bool = False
    """The parent waits for its end."""
    depth: int = 0
    """How many parents stand above it."""
    found: int = 0
    """Steps whose results the engine found. Of a fork it begins at `FOUND_BY_FORKS`."""
    source: UUID | None = None
    """The workflow that it was forked from."""
    generation: int = 0
    """How often its code started over."""
    course: Course | None = None
    """Of one that is declared: no task of its own, but one for each step under way."""
    build: str = ""
    """Of the workers that it is pinned to; "" for any."""
    idle: int = 0
    """Goes in a row that recorded nothing and were to be followed at once."""
    rested: int = 0
    """The fence of the attempt that left it at rest, until its next go begins."""
    keys: tuple[str, ...] = ()
    """Of each go, as its route bears them."""
    ended_ms: int = 0
    """When it ended; 0 also where it did so under a version before."""
    start_timer: UUID | None = None
    """Until when a worker is to take it."""
    close_timer: UUID | None = None
    """Until when it is to have ended."""
    overdue: bool = False
    """That time is over: its cancel ends it as failed."""
    asked: bytes = b""
    """Of a fork: by what its caller finds it again."""

    def build_on(self, queue: str) -> str:
        """Which build does its work on a queue: the pin ends where its own queue ends."""
        return self.build if queue == self.queue else ""

    def number_of(self, task_id: UUID) -> int | None:
        """Which declared step is under way as this task."""
        if self.course is None:
            return None
        return next((n for n, task in self.course.open if task == task_id.bytes), None)

    def tasks(self) -> frozenset[UUID]:
        """The tasks it waits for."""
        of_steps = () if self.course is None else self.course.open
        found = frozenset(UUID(bytes=task) for _, task in of_steps)
        return found if self.task_id is None else found | {self.task_id}


_DECODER: Final = msgspec.msgpack.Decoder(WorkflowState)


def encode(state: WorkflowState) -> bytes:
    return msgspec.msgpack.encode(state)


def decode(workflow: Workflow) -> WorkflowState:
    """Raises StateUnreadable."""
    return decode_state(workflow.state)


def decode_state(state: bytes) -> WorkflowState:
    """Raises StateUnreadable."""
    try:
        return _DECODER.decode(state)
    except msgspec.MsgspecError as error:
        what = "workflow"
        raise StateUnreadable(what) from error
