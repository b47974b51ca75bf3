"""User workflows: what their worker records, what they wait for, and what their callers ask.

Values are JSON bytes as the user's code made them; nobody between worker and client reads them.
"""

import hashlib
import re
from typing import Final, Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_kernel.ids import Prefix, to_wire

PLACE: Final = re.compile(r"(?:[a-j][1-9][0-9]{0,8}~)?[1-9][0-9]{0,8}(?:/[1-9][0-9]{0,8}){0,19}")
"""Of a step, at most twenty branches deep: "3", or "2/1"; "a1~3" once its code started over."""
BEGUN_MARK: Final = "!"
"""Behind a place in a report: how many seconds old the task was when the step began."""
INPUT_STEP = "0"
"""The place of a workflow's input among its recorded steps; the code's own begin at 1."""
CANCEL_STEP: Final = "999999999/1"
"""Where code waits for its cancel that ends by itself: behind all places that a fork may name."""
CANCEL_NAME: Final = "(cancel)"
"""What that waits for, as a signal: by a name that none of people's has."""

StepKind = Literal["input", "step", "sleep", "signal", "report", "child", "detached"]
"""`child` is another workflow whose end is waited for, `detached` one that is only started."""
FOUND: Final = frozenset({"sleep", "signal", "child", "detached"})
"""Kinds whose results the engine finds, and not the worker."""
Status = Literal["running", "waiting", "held", "completed", "failed", "cancelled"]
"""`waiting` holds no worker; `held` waits for a worker whose code fits what is recorded."""


class Flaw(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a step or a workflow failed. `code` is stable; `type` is the user's exception."""

    code: str
    message: str
    type: str = ""


class StepRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A finished step. `step` is its place: "3", or "2/1" in the second place's parallel branch.

    Name and hash of the input are compared at replay. A failed step has a `flaw` and no result.
    `nth` orders those that workers made as they came to the code, and by itself those that the
    engine found; `after` has the places of such finds that came before it, and not before another.
    """

    step: str
    name: str
    kind: StepKind = "step"
    input_hash: bytes = b""
    result: bytes = b"null"
    flaw: Flaw | None = None
    attempts: int = 1
    duration_ms: int = 0
    nth: int = 0
    after: tuple[str, ...] = ()


read_record: Final = msgspec.msgpack.Decoder(StepRecord).decode
"""Of a step's kept body. Raises msgspec.MsgspecError."""


class ChildStart(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Another workflow that a workflow starts.

    The engine makes its id; with it the input is left out, for it is the child's.
    """

    type: str
    input: bytes = b""
    queue: str = "default"
    workflow_id: UUID | None = None
    keys: tuple[str, ...] = ()
    circuit: str = ""
    start_within_ms: int | None = None


class Wait(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a workflow waits for: a time, a signal by its name, or another workflow.

    `delay_ms` is the length of a sleep or the timeout of the other kinds; None waits for ever.
    `armed`: it was sent before, so if it waits no more it came to pass meanwhile. `seen` is how
    many steps of `FOUND` kinds the worker knew of: where the engine has found more, this may be one
    of them. `turn` counts who waited at this place before, and left: the timeout begins anew, and
    the record says whose it is by its `attempts`, one more.
    """

    step: str
    name: str
    kind: StepKind
    input_hash: bytes = b""
    delay_ms: int | None = None
    armed: bool = False
    child: ChildStart | None = None
    seen: int | None = None
    turn: int = 0

    @property
    def is_of_cancel(self) -> bool:
        """Whether code hears of its cancel by it, which is nothing that people wait for."""
        return self.kind == "signal" and self.name == CANCEL_NAME


def cancel_of(place: str) -> Wait:
    """What code waits for there that wants to hear of its cancel."""
    return Wait(step=place, name=CANCEL_NAME, kind="signal")


class Mismatch(Struct, frozen=True, kw_only=True):
    """The first step at which the code differs from what is recorded."""

    step: str
    recorded: str
    found: str


# ── what callers ask ────────────────────────────────────────────────────────────────────────────


class Parent(Struct, frozen=True, kw_only=True):
    """Who started a workflow. `linked`: it waits for the end, and cancels with its own.

    `depth` is how many stand above the child.
    """

    workflow_id: UUID
    linked: bool
    depth: int


class Fork(Struct, frozen=True, kw_only=True):
    """What a new workflow takes over: the steps of `source_id` that stand before `before`.

    None takes over all that is recorded of the generation, in which the new one begins. Of a
    declared one that ran on `declaration` (a hash) it takes over the steps `kept` and no others.
    `asked` is the hash of what its caller asked for, whatever its source has come to since.
    """

    source_id: UUID
    before: str | None = None
    generation: int = 0
    declaration: bytes = b""
    kept: tuple[int, ...] = ()
    asked: bytes = b""

    @property
    def bound(self) -> str:
        """The first place that is not taken over, or what all of the generation begin with."""
        return self.before or prefix_of(self.generation)


class StartWorkflow(Struct, frozen=True, kw_only=True):
    """Starts a workflow, or finds the one that was started with this key.

    The caller makes the id, so that asking again starts nothing twice. `key` is the organization's;
    None takes the id. `input` is the JSON array of the arguments. With a `declaration` (JSON, see
    `declarations`) the engine runs it; without one it is code, or what a worker declares.

    With a `build` only workers of that build take its tasks, and those of its children and steps on
    the same queue. A key finds its workflow whatever the build. `keys` and `circuit` are of each go
    at its code, as of a plain task: while it waits for something it holds nothing of them. Where no
    worker took it within `start_within_ms` it fails, also while no worker comes. What has not ended
    within `close_within_ms` is stopped as by a cancel, and fails.
    """

    org_id: UUID
    workflow_id: UUID
    type: str
    input: bytes
    key: str | None = None
    queue: str = "default"
    traceparent: str | None = None
    parent: Parent | None = None
    fork: Fork | None = None
    declaration: bytes | None = None
    build: str = ""
    keys: tuple[str, ...] = ()
    circuit: str = ""
    start_within_ms: int | None = None
    close_within_ms: int | None = None


class ForkWorkflow(Struct, frozen=True, kw_only=True):
    """Starts a workflow with what another one recorded before a step; the other is left as it is.

    `step` is a place that has its record, and the first that is done anew; None keeps all that is
    recorded. Of a declared one it is a number, and what had finished before it is kept; with a
    `declaration` the new one runs on that. `key`, `build` and `workflow_id` are as of a start, so
    the other one's pin is not its; `queue` None is the other one's.
    """

    org_id: UUID
    workflow_id: UUID
    source_id: UUID
    step: str | None = None
    key: str | None = None
    queue: str | None = None
    traceparent: str | None = None
    build: str = ""
    declaration: bytes | None = None


class Started(Struct, frozen=True, kw_only=True):
    """`duplicate`: the key was used before with the same type and input; the id is that one's.

    `started_ms` is there where it was started now.
    """

    workflow_id: UUID
    duplicate: bool = False
    started_ms: int | None = None


class SignalWorkflow(Struct, frozen=True, kw_only=True):
    """`signal_id` is made by the caller: with the same name it is delivered once."""

    org_id: UUID
    workflow_id: UUID
    signal_id: UUID
    name: str
    payload: bytes = b"null"


class Signalled(Struct, frozen=True, kw_only=True):
    duplicate: bool = False


class CancelWorkflow(Struct, frozen=True, kw_only=True):
    """`force`: also code that would hear of it, or has, is left where it stands."""

    org_id: UUID
    workflow_id: UUID
    reason: str | None = None
    force: bool = False


class WorkflowCancelReceipt(Struct, frozen=True, kw_only=True):
    """`no_op` where it had ended."""

    status: Literal["cancelled", "no_op"]


class GetWorkflow(Struct, frozen=True, kw_only=True):
    """`explain`: also why it does not move, which costs a look at its tasks."""

    org_id: UUID
    workflow_id: UUID
    explain: bool = True


class QueryWorkflow(Struct, frozen=True, kw_only=True):
    """Asks the workflow's code by a handler of its own. `arguments` is a JSON array or object."""

    org_id: UUID
    workflow_id: UUID
    name: str
    arguments: bytes = b"[]"


class ListWorkflows(Struct, frozen=True, kw_only=True):
    """Newest first. `before` is the `next` of the page before; of a `key` there is one at most."""

    org_id: UUID
    type: str | None = None
    status: Status | None = None
    before: UUID | None = None
    limit: int = 20
    key: str | None = None


class WorkflowView(Struct, frozen=True, kw_only=True):
    """A workflow as it is. `explanation` says why it does not move, where it does not.

    `version` is that of the declaration it runs on; "" where it is code.
    """

    workflow_id: UUID
    type: str
    key: str
    queue: str
    status: Status
    started_ms: int
    result: bytes | None = None
    flaw: Flaw | None = None
    waits: tuple[Wait, ...] = ()
    explanation: str = ""
    parent_id: UUID | None = None
    forked_from: UUID | None = None
    version: str = ""


class WorkflowPage(Struct, frozen=True, kw_only=True):
    """`next` is the `before` of the page that follows, where there is more.

    It may be behind what was looked at in vain.
    """

    workflows: tuple[WorkflowView, ...]
    more: bool = False
    next: UUID | None = None


WorkflowCommand = (
    StartWorkflow
    | ForkWorkflow
    | SignalWorkflow
    | CancelWorkflow
    | GetWorkflow
    | ListWorkflows
    | QueryWorkflow
)


def key_of(command: StartWorkflow | ForkWorkflow) -> str:
    """The key it is started by: one that nobody gave is the id, which nothing else bears."""
    return to_wire(Prefix.WORKFLOW, command.workflow_id) if command.key is None else command.key


def start_hash_of(
    type_: str, queue: str, input_: bytes, fork: Fork | None = None, onto: bytes | None = None
) -> bytes:
    """What a start is compared by when its key comes again. `onto`: the declaration of a fork."""
    told: tuple[object, ...] = (type_, queue, input_)
    if fork is not None:
        told += ({"source_id": fork.source_id, "before": fork.before},)
        told += (fork.generation,) if fork.generation else ()
        told += () if onto is None else (onto,)
    return hashlib.sha256(msgspec.msgpack.encode(told)).digest()


def fork_hash_of(command: ForkWorkflow) -> bytes:
    """What a repeat is known by: its source goes on meanwhile, and what a start is made of."""
    told = (command.source_id, command.step, command.queue, command.declaration)
    return hashlib.sha256(msgspec.msgpack.encode(told)).digest()


def order_of(place: str) -> tuple[int, ...]:
    """Places as they stand in the code: what a branch holds comes after the branch's own place."""
    return tuple(map(int, place.rpartition("~")[2].split("/")))


def prefix_of(generation: int) -> str:
    """What places begin with once the code has started over so often.

    As text all places of a generation stand behind its prefix, and those of older ones before it.
    """
    if not generation:
        return ""
    return f"{'abcdefghij'[len(str(generation)) - 1]}{generation}~"


def carried_of(generation: int, number: int) -> str:
    """Where a signal lies that nobody took before the code started over; they count from 1."""
    return f"{prefix_of(generation)}{INPUT_STEP}/{number}"


def is_carried(place: str) -> bool:
    """Whether it is one of those."""
    return place.rpartition("~")[2].startswith(f"{INPUT_STEP}/")


def generation_of(place: str) -> int:
    """How often the code had started over when this was recorded."""
    prefix, _, _ = place.rpartition("~")
    return int(prefix[1:] or 0)
