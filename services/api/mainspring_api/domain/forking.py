"""How a fork begins: it says where it comes from, and ends the turn that is open there. Pure."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from mainspring_harness.placing import Answer, Placing
from mainspring_kernel.ids import Prefix, SessionId, to_wire
from mainspring_schema.events import (
    Context,
    ReasonStarted,
    StoredEvent,
    ToolCompleted,
    Usage,
    decode_payload,
    draft,
)
from mainspring_schema.grants import ForkEvent
from mainspring_schema.messages import Json, ToolCallPart

REASON = "forked"
_UNKNOWN = "the session was forked while this call was at work; what it did is not known here"
_NOT_MADE = "the session was forked before this call was made"


class OpenTurn(Struct, frozen=True, kw_only=True):
    """A turn without an outcome, and its events up to the fork."""

    turn_id: str
    events: tuple[StoredEvent, ...]


def first_events(source: SessionId, seq: int, turn: OpenTurn | None) -> tuple[ForkEvent, ...]:
    """They belong to no turn of the fork: the one they end is its parent's."""
    origin: Json = {"session_id": to_wire(Prefix.SESSION, source), "sequence": seq}
    begun = [_event("session.forked", Context(), origin)]
    if turn is None:
        return tuple(begun)
    context = Context(turn_id=turn.turn_id)
    begun += [_event("tool.completed", context, one) for one in _results(turn.events)]
    usage = Usage().wire()
    ended: Json = {"turn_id": turn.turn_id, "reason": REASON, "usage": usage}
    idled: Json = {"turn_id": turn.turn_id, "iterations": 0, "usage": usage}
    begun.append(_event("turn.cancelled", context, ended))
    begun.append(_event("session.idled", context, idled))
    return tuple(begun)


def takes_up(event: StoredEvent, message_id: str) -> bool:
    """Whether the conversation has the message from this event on."""
    data = decode_payload(event.payload).data
    if event.type == "reason.started":
        return message_id in msgspec.json.decode(data, type=ReasonStarted).consumed
    return msgspec.json.decode(data, type=_Said).message.id == message_id


class _Named(Struct, frozen=True):
    id: str


class _Said(Struct, frozen=True):
    message: _Named


def _event(type_: str, context: Context, data: object) -> ForkEvent:
    made = draft(type_, context, data)
    return ForkEvent(type=made.type, turn_id=None, payload=made.payload)


def _results(events: Sequence[StoredEvent]) -> list[ToolCompleted]:
    """One for each call that has none: no prompt may hold a call without its result."""
    placing = Placing(events[0].seq - 1)
    asked: dict[str, str] = {}
    begun = 0
    for event in events:
        begun += event.type == "tool.started"
        for placed in placing.place(event):
            if isinstance(placed, Answer):
                parts = placed.data.message.content
                asked = {p.id: p.name for p in parts if isinstance(p, ToolCallPart)}
                begun = 0
    return [_result(call, asked[call], started=begun > 0) for call in placing.open_calls]


def _result(call_id: str, name: str, *, started: bool) -> ToolCompleted:
    return ToolCompleted(
        tool_call_id=call_id,
        tool_name=name,
        success=False,
        status="unknown" if started else "cancelled",
        error=_UNKNOWN if started else _NOT_MADE,
    )
