"""What passes between a worker and an engine. Each frame is a batch; the proto twin is `worker.v1`.

Both services speak these structs; only the gRPC adapters know the proto. Those that come by
thousands are kept from the garbage collector (`gc=False`): frozen, they can be in no cycle.
"""

from enum import IntEnum
from typing import Annotated, Final
from uuid import UUID

from msgspec import Meta, Struct

from mainspring_schema.events import StoredEvent
from mainspring_schema.tasks import EmitEvent
from mainspring_schema.workflows import StepRecord, Wait

COUNT_MAX: Final = 2**31 - 1
"""Of fences and counters: what their columns keep. A frame with more is malformed."""
Count = Annotated[int, Meta(ge=0, le=COUNT_MAX)]


class Verdict(IntEnum):
    """How a commit ended for one item.

    The numbers are those of the proto and of the SQL functions.
    """

    COMMITTED = 1
    DUPLICATE = 2
    STALE = 3
    INVALID = 4
    CONFLICT = 5
    """Decide again with the view in the reply. Never leaves the engine."""


class Held(Struct, frozen=True, array_like=True, cache_hash=True, gc=False):
    """Ownership of a task: nothing else proves it."""

    task_id: UUID
    fence: Count


class Attach(Struct, frozen=True, kw_only=True):
    """`capabilities` holds "" for plain work.

    `attach_number` rises with every attach of this incarnation. `toolset` is the MessagePack of the
    `Toolset` that the worker announces; empty for none.
    """

    incarnation: UUID
    attach_number: int
    name: str
    build: str
    queues: tuple[str, ...]
    capabilities: tuple[str, ...]
    slots: int
    held: tuple[Held, ...] = ()
    toolset: bytes = b""


class Beat(Struct, frozen=True, kw_only=True):
    held: tuple[Held, ...]
    loop_lag_ms: int = 0


class Result(Struct, frozen=True, kw_only=True, gc=False):
    """`body` is the MessagePack of a `TaskResult`, `hash` its SHA-256."""

    held: Held
    hash: bytes
    body: bytes


class Emit(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an attempt makes durable in its middle: events of a turn, steps and waits of a workflow.

    All of it is committed at once, or nothing.
    """

    held: Held
    counter: Count
    events: tuple[EmitEvent, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    waits: tuple[Wait, ...] = ()

    @property
    def size(self) -> int:
        """About how many bytes its steps and waits take: what users made, without envelopes."""
        started = sum(len(wait.child.input) for wait in self.waits if wait.child)
        return started + sum(len(step.result) for step in self.steps)


class HistoryWanted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Asks for the recorded steps behind `after`, in the order of their places as text.

    With `places` for those at them alone, whatever `after` is: the worker knows the others.
    """

    held: Held
    after: str = ""
    places: tuple[str, ...] = ()


class History(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Recorded steps of a workflow in hand.

    `after` is that of the question, `more` says that it is to be asked on. With `after` None it is
    news: the engine recorded these steps meanwhile. `at_places`: these are the ones at the places
    that were asked for; an engine of a version before knows no places, and answers with the first.
    """

    held: Held
    steps: tuple[StepRecord, ...]
    after: str | None = None
    more: bool = False
    at_places: bool = False


class StepProgress(Struct, frozen=True, array_like=True):
    """How far a step's handler said it was. `details` is JSON; a plain task has the step ""."""

    step: str
    details: bytes


class Progress(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a handler says of how far it is, for its next attempt. Of a step only the newest counts.

    `counter` rises with every report of an attempt. Without `details` the step is over, and what it
    said is not needed any more.
    """

    held: Held
    counter: Count
    step: str
    details: bytes = b""


class FromWorker(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`credits` counts free slots gained since the last frame."""

    attach: Attach | None = None
    credits: int = 0
    results: tuple[Result, ...] = ()
    starts: tuple[Held, ...] = ()
    emits: tuple[Emit, ...] = ()
    beat: Beat | None = None
    configs_wanted: tuple[bytes, ...] = ()
    draining: bool = False
    returned: tuple[Held, ...] = ()
    histories_wanted: tuple[HistoryWanted, ...] = ()
    progress: tuple[Progress, ...] = ()


class Config(Struct, frozen=True, kw_only=True):
    """`body` is empty where the engine does not know the hash."""

    hash: bytes
    body: bytes


class Task(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """`payload` is the MessagePack of a `TaskPayload`.

    `tail` the newest events the worker may not know. `recorded` is the whole history of a workflow
    where the engine has it at hand; None has the worker ask. `started`: an earlier attempt started
    the effect and was lost, so it is not called again: the tool's probe is asked. `failures` counts
    the attempts that failed. `progress` is what the handlers of earlier attempts said last. Its
    lease began `age_ms` before it was sent, at the earliest; 0 where that is not worth telling.
    """

    held: Held
    session_id: UUID
    org_id: UUID
    traceparent: str
    payload: bytes
    config: Config | None = None
    tail: tuple[StoredEvent, ...] = ()
    recorded: tuple[StepRecord, ...] | None = None
    started: bool = False
    failures: int = 0
    progress: tuple[StepProgress, ...] = ()
    age_ms: int = 0


class Acknowledgement(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    held: Held
    verdict: Verdict
    counter: int = 0


class Attached(Struct, frozen=True, kw_only=True):
    """`answers_beats`: also a beat that names nothing is answered, if only by an empty frame.

    `answers_drains`: a worker that drains is told when nothing more is on its way to it.
    """

    lease_ms: int
    lost: tuple[Held, ...] = ()
    answers_beats: bool = False
    answers_drains: bool = False


class ToWorker(Struct, frozen=True, kw_only=True, omit_defaults=True):
    attached: Attached | None = None
    tasks: tuple[Task, ...] = ()
    results: tuple[Acknowledgement, ...] = ()
    starts: tuple[Acknowledgement, ...] = ()
    emits: tuple[Acknowledgement, ...] = ()
    lost: tuple[Held, ...] = ()
    cancelled: tuple[Held, ...] = ()
    configs: tuple[Config, ...] = ()
    renewed: tuple[Held, ...] = ()
    leaving: bool = False
    histories: tuple[History, ...] = ()
    progress: tuple[Acknowledgement, ...] = ()
    drained: bool = False
