"""Session events: their types, their data, and the bytes that are stored and hashed.

A stored payload is the JSON object of the members that do not follow from the row: `context`,
`data` and, where given, `metadata` and `tags`. `frame` adds id, type, time, session and sequence in
front without decoding it again, so a fork can read inherited rows under its own ids and the hash
covers exactly what was written.
"""

from typing import Final
from uuid import UUID

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from mainspring_schema.codec import write_foreign
from mainspring_schema.messages import ContentPart, Json, Message

EVENT_TYPES: Final[tuple[str, ...]] = (
    "input.message",
    "message.consumed",
    "message.edited",
    "message.reordered",
    "message.withdrawn",
    "output.message.started",
    "output.message.delta",
    "output.message.completed",
    "output.message.replaced",
    "turn.started",
    "turn.completed",
    "turn.failed",
    "turn.cancelled",
    "turn.sealed",
    "reason.started",
    "reason.completed",
    "reason.recovered",
    "reason.thinking.started",
    "reason.thinking.delta",
    "reason.thinking.completed",
    "reason.item",
    "act.started",
    "act.completed",
    "tool.started",
    "tool.completed",
    "tool.progress",
    "tool.output.started",
    "tool.output.delta",
    "tool.call_requested",
    "tool.call_repaired",
    "tool.hosted_call",
    "approval.requested",
    "approval.resolved",
    "question.asked",
    "question.answered",
    "transcript.repaired",
    "llm.generation",
    "capability.usage",
    "session.forked",
    "mcp.server.refused",
    "guardrail.triggered",
    "guardrail.failed",
    "hook.allowed",
    "hook.asked",
    "hook.blocked",
    "hook.changed",
    "hook.failed",
    "session.started",
    "session.activated",
    "session.idled",
    "session.title.updated",
    "session.model.changed",
    "sandbox.instance_lost",
    "sandbox.recovered",
    "schedule.triggered",
    "task.created",
    "task.updated",
    "task.message.sent",
    "task.message.received",
    "context.compacting",
    "context.compacted",
    "context.compaction.skipped",
    "context.compaction.failed",
    "file.written",
    "budget.warning",
    "budget.paused",
    "budget.exhausted",
    "budget.resumed",
    "voice.session.started",
    "voice.session.ended",
    "voice.session.failed",
    "voice.input_transcript.delta",
    "voice.input_transcript.completed",
    "voice.output_transcript.delta",
    "voice.output_transcript.completed",
    "workflow.started",
    "workflow.child_started",
    "workflow.waiting",
    "workflow.signalled",
    "workflow.reported",
    "workflow.held",
    "workflow.started_over",
    "workflow.completed",
    "workflow.failed",
    "workflow.cancelled",
    "step.completed",
    "stream.resync",
)
"""Every type a client may filter by; another one is 400."""

OUTPUT_STARTED: Final = "tool.output.started"
"""A call is about to show what it writes; another attempt at it begins anew."""
OUTCOME_TYPES: Final = frozenset({"turn.completed", "turn.failed", "turn.cancelled", "turn.sealed"})


class Context(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which turn and which span an event belongs to. Ids in wire form, trace ids in hex."""

    turn_id: str | None = None
    input_message_id: str | None = None
    exec_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None


COST_DIGITS: Final = 9
"""Behind the point of a cost in US dollars: a thousandth of a millionth."""


class Usage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Tokens of one call, of a turn or of a session."""

    input_tokens: int = field(default=0)
    output_tokens: int = field(default=0)
    cache_read_tokens: int | None = None
    cache_creation_tokens: int | None = None
    reasoning_tokens: int | None = None
    estimated_cost_usd: float | None = None
    """By the prices of the models that were asked; None where none of them has any."""

    def plus(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cache_read_tokens=_sum(self.cache_read_tokens, other.cache_read_tokens),
            cache_creation_tokens=_sum(self.cache_creation_tokens, other.cache_creation_tokens),
            reasoning_tokens=_sum(self.reasoning_tokens, other.reasoning_tokens),
            estimated_cost_usd=_added(self.estimated_cost_usd, other.estimated_cost_usd),
        )

    def wire(self) -> Json:
        """Both required members, and the others where they are known."""
        known: Json = {"input_tokens": self.input_tokens, "output_tokens": self.output_tokens}
        optional = {
            "cache_read_tokens": self.cache_read_tokens,
            "cache_creation_tokens": self.cache_creation_tokens,
            "reasoning_tokens": self.reasoning_tokens,
            "estimated_cost_usd": self.estimated_cost_usd,
        }
        return known | {name: value for name, value in optional.items() if value is not None}


def _sum(left: int | None, right: int | None) -> int | None:
    if left is None and right is None:
        return None
    return (left or 0) + (right or 0)


def _added(left: float | None, right: float | None) -> float | None:
    """Rounded to what is far below a token, so that sums stay short."""
    if left is None and right is None:
        return None
    return round((left or 0.0) + (right or 0.0), COST_DIGITS)


class ModelMetadata(Struct, frozen=True, kw_only=True, omit_defaults=True):
    model: str
    model_id: str | None = None
    provider_id: str | None = None


class InputMessage(Struct, frozen=True, kw_only=True):
    message: Message


class OutputMessageCompleted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    message: Message
    usage: Usage | None = None
    metadata: ModelMetadata | None = None
    error_code: str | None = None
    error_fields: Json | None = None
    error_disclosure: str | None = None


class ReasonStarted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`consumed` lists the input messages that this model call is the first to see, in order."""

    harness_id: str
    agent_id: str | None = None
    metadata: ModelMetadata | None = None
    iteration: int = 1
    attempt: int = 1
    message_id: str | None = None
    consumed: tuple[str, ...] = ()


class ToolCompleted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    tool_call_id: str
    tool_name: str
    success: bool
    status: str
    result: tuple[ContentPart, ...] | UnsetType = UNSET
    error: str | None = None
    duration_ms: int | None = None
    display_name: str | None = None
    capability_id: str | None = None


class Payload(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is stored of an event; `data` is one of the structs above or a plain object."""

    context: Context
    data: object
    metadata: Json | None = None
    tags: tuple[str, ...] | None = None


class RawPayload(Struct, frozen=True, kw_only=True):
    """A stored payload whose data is decoded only where somebody needs it."""

    context: Context
    data: msgspec.Raw


class EventDraft(Struct, frozen=True, kw_only=True):
    """An event that has no position yet."""

    type: str
    payload: bytes


class StoredEvent(Struct, frozen=True, array_like=True):
    """An event with its position, as the event store returns it and the bus carries it."""

    seq: int
    type: str
    ts_ms: int
    payload: bytes
    deltas_before: int = 0


class StoredDelta(Struct, frozen=True, array_like=True):
    """A streamed fragment at position (seq, n).

    `anchor` is the message or tool call it belongs to, `offset` counts characters of its channel
    from the start of the attempt; `reset` tells that the attempt begins anew and what came before
    is void.
    """

    seq: int
    n: int
    ts_ms: int
    turn_id: UUID
    anchor: str
    attempt: int
    channel: str
    offset: int
    fragment: str
    reset: bool = False


def draft(type_: str, context: Context, data: object, *, tags: tuple[str, ...] = ()) -> EventDraft:
    """Raises ValidationFailed for what JSON has not: a worker may bring any MessagePack."""
    payload = write_foreign(Payload(context=context, data=data, tags=tags or None), type_)
    return EventDraft(type=type_, payload=payload)


_RAW: Final = msgspec.json.Decoder(RawPayload)


def decode_payload(payload: bytes) -> RawPayload:
    return _RAW.decode(payload)


def frame(
    payload: bytes, *, event_id: str, type_: str, ts: str, session_id: str, seq: int | None
) -> bytes:
    """The event as clients see it. `seq` is None for deltas and other events without a sequence."""
    sequence = b"" if seq is None else b'"sequence":%d,' % seq
    head = f'{{"id":"{event_id}","type":"{type_}","ts":"{ts}","session_id":"{session_id}",'.encode()
    return head + sequence + payload[1:]
