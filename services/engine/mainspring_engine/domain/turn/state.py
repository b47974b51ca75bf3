"""The state of a turn: ids and counters, never content."""

from enum import IntEnum
from typing import Final, cast
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from mainspring_engine.domain.limits import WORKFLOW_STATE_BYTES_MAX
from mainspring_engine.domain.rows import TaskKind, Workflow
from mainspring_kernel.errors import StateUnreadable
from mainspring_schema.events import Usage


class Phase(IntEnum):
    REASON = 1
    ACT = 2
    CLIENT = 3
    """Parked until people answer, or until the client brings the results of its tools."""
    CANCELLING = 4
    PAUSED = 5
    """A budget lets no model call begin, or none of the tool calls that are open."""


class Appeal(IntEnum):
    """Whether a call waits for a person, and for what."""

    NONE = 0
    APPROVAL = 1
    QUESTION = 2


FREE: Final = -1
"""Of a call that was behind others of its concurrency class, which have all ended, and of one that
a budget had no room for."""


class OpenCall(Struct, frozen=True, array_like=True):
    """A tool call without its result. `task_id` is None where a person or the client answers it.

    A turn in hand knows its `name`; where many are long, the kept state leaves them out. One of a
    tool that a worker has announced is looked at again `due_s` after the calls began, for
    nobody may be there to make it. `brought`: it has been made, and its outcome is being read.
    """

    index: int
    name: str
    task_id: UUID | None
    appeal: Appeal = Appeal.NONE
    child: bytes = b""
    """The id of a child's turn whose news it waits for without a worker."""
    due_s: int = 0
    brought: bool = False
    behind: int | None = None
    """The index of the call of its concurrency class that has to end before it begins; `FREE` once
    there is none."""

    @property
    def queued(self) -> bool:
        """Whether a call before it is open still."""
        return self.behind is not None and self.behind != FREE

    @property
    def is_due(self) -> bool:
        """Whether nothing but a budget can keep it from being begun."""
        return self.behind == FREE and self.task_id is None and not self.appeal


class Owed(Struct, frozen=True, array_like=True):
    """What was used beside model calls, and is charged with the next one that ends.

    Money is in millionths.
    """

    calls: int = 0
    tokens: int = 0
    ms: int = 0
    usd: int = 0

    def plus(self, other: "Owed") -> "Owed":
        return Owed(
            self.calls + other.calls,
            self.tokens + other.tokens,
            self.ms + other.ms,
            self.usd + other.usd,
        )


class TurnState(Struct, frozen=True, array_like=True, kw_only=True):
    """Format 1. Read one release before it is written; fields are only ever added at the end.

    `repairs` counts model answers in a row whose calls were all unusable. `attempts` counts
    failures of the present model call.
    """

    version: int = 1
    phase: Phase
    iteration: int
    input_message_id: UUID
    message_id: UUID
    reason_task: UUID | None
    calls: tuple[OpenCall, ...] = ()
    call_count: int = 0
    call_errors: int = 0
    act_started_ms: int = 0
    model_calls: int = 0
    tool_calls: int = 0
    repairs: int = 0
    usage: Usage = Usage()
    first_token_ms: int | None = None
    timer_id: UUID | None = None
    cancel_reason: str | None = None
    through_seq: int = 0
    parent: UUID | None = None
    """The session above, of a turn that has told it of its beginning."""

    tried: Usage = Usage()
    """What failed attempts of the present model call have used, which is not charged yet."""
    tried_ms: int = 0
    earlier: Usage = Usage()
    """Of the session's turns before this one."""
    owed: Owed = Owed()
    stopped: tuple[UUID, ...] = ()
    """The newest cancelled turns before this one: what they spawned may begin later still."""

    @property
    def joins(self) -> tuple[UUID, ...]:
        """The turns of children that calls wait for."""
        return tuple(UUID(bytes=call.child) for call in self.calls if call.child)

    def open_tasks(self) -> tuple[tuple[UUID, TaskKind], ...]:
        """The tasks that still owe a result."""
        tools = tuple((c.task_id, TaskKind.TOOL) for c in self.calls if c.task_id is not None)
        if self.reason_task is not None:
            return ((self.reason_task, TaskKind.REASON), *tools)
        return tools


def without(calls: tuple[OpenCall, ...], index: int) -> tuple[OpenCall, ...]:
    """The others, one having ended. What was behind it comes behind what it was behind itself."""
    gone = next((call for call in calls if call.index == index), None)
    if gone is None:
        return calls
    behind = FREE if gone.behind is None else gone.behind
    return tuple(
        structs.replace(call, behind=behind) if call.behind == index else call
        for call in calls
        if call.index != index
    )


CANCEL_REASON_BYTES_MAX: Final = 256
"""Of whoever cancelled: people read it. Everything else in a packed state is bounded already."""
_PACKED: Final = 2
"""The version of a packed state; once it is read it is 1 again."""
_USAGES: Final = tuple(
    TurnState.__struct_fields__.index(name) for name in ("usage", "tried", "earlier")
)
_COUNTS: Final = Usage.__struct_fields__
_ENCODER: Final = msgspec.msgpack.Encoder(uuid_format="bytes")
"""An id takes half the room that its digits take, and is read in either form."""
_DECODER: Final = msgspec.msgpack.Decoder(TurnState)
_ROW: Final = msgspec.msgpack.Decoder(list[object])


def encode(state: TurnState) -> bytes:
    """Fits the bound of a state, whatever the model asked for.

    Nearly every state fits as it is, and is read by engines of before. One that does not, of many
    calls with long names, is packed: first counts lose their names, then calls theirs, which stand
    in the kept answer of the model as well.
    """
    plain = _ENCODER.encode(state)
    if len(plain) <= WORKFLOW_STATE_BYTES_MAX:
        return plain
    packed = _packed(state)
    return packed if len(packed) <= WORKFLOW_STATE_BYTES_MAX else _packed(_nameless(state))


def decode(workflow: Workflow) -> TurnState:
    """Raises StateUnreadable."""
    return read(workflow.state)


def read(state: bytes) -> TurnState:
    """As `decode`, of the bytes alone. Names of calls may be empty."""
    try:
        return _DECODER.decode(state)
    except msgspec.MsgspecError:
        return _unpacked(state)


def _nameless(state: TurnState) -> TurnState:
    calls = tuple(structs.replace(call, name="") for call in state.calls)
    return structs.replace(state, calls=calls)


def _packed(state: TurnState) -> bytes:
    row = list(cast("tuple[object, ...]", structs.astuple(state)))
    for place in _USAGES:
        row[place] = structs.astuple(cast("Usage", row[place]))
    row[0] = _PACKED
    return _ENCODER.encode(row)


def _unpacked(state: bytes) -> TurnState:
    """Raises StateUnreadable for what was never packed."""
    try:
        row = _ROW.decode(state)
        for place in _USAGES:
            counts = row[place] if place < len(row) else None
            if isinstance(counts, list):
                row[place] = dict(zip(_COUNTS, cast("list[object]", counts), strict=False))
        row[:1] = [1]
        return _DECODER.decode(_ENCODER.encode(row))
    except msgspec.MsgspecError as error:
        what = "turn"
        raise StateUnreadable(what) from error
