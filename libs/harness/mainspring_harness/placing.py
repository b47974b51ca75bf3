"""Puts a session's events in the order of a conversation.

Events stand in the order of their commits, a conversation does not: an input counts from where a
model call first took it up, and the results of parallel calls stand in the order of the calls. The
prompt and the messages of the REST API are both made from what this places.
"""

from typing import Final, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from mainspring_harness.errors import TranscriptBroken
from mainspring_schema.delivery import CONSUMED, MessageConsumed, MessageEdited, MessageWithdrawn
from mainspring_schema.events import (
    InputMessage,
    OutputMessageCompleted,
    RawPayload,
    ReasonStarted,
    StoredEvent,
    ToolCompleted,
    decode_payload,
)
from mainspring_schema.messages import Message, ToolCallPart

T = TypeVar("T")


class Input(Struct, frozen=True, kw_only=True):
    """An input message. `consumed_ms` is when a model call took it up.

    None if none did: such an input is in no prompt. It may be placed again once one does.
    """

    message: Message
    consumed_ms: int | None


class Answer(Struct, frozen=True, kw_only=True):
    """What a model call said. `data.error_code` is set where it stands for a failure."""

    data: OutputMessageCompleted
    turn_id: str | None
    ts_ms: int


class Outcome(Struct, frozen=True, kw_only=True):
    """The one result of a call."""

    data: ToolCompleted
    ts_ms: int


class TurnCancelled(Struct, frozen=True, kw_only=True):
    """What the fold reads of a cancel."""

    rolled_back: bool = False


Placed: TypeAlias = Input | Answer | Outcome

_INPUT: Final = msgspec.json.Decoder(InputMessage)
_STARTED: Final = msgspec.json.Decoder(ReasonStarted)
_ANSWER: Final = msgspec.json.Decoder(OutputMessageCompleted)
_OUTCOME: Final = msgspec.json.Decoder(ToolCompleted)
_CANCELLED: Final = msgspec.json.Decoder(TurnCancelled)
_EDITED: Final = msgspec.json.Decoder(MessageEdited)
_WITHDRAWN: Final = msgspec.json.Decoder(MessageWithdrawn)
_CONSUMED: Final = msgspec.json.Decoder(MessageConsumed)


class Placing:
    """Takes events one by one, in order; `place` returns what found its place by each of them."""

    __slots__ = ("_consumed", "_inbox", "_open", "_shown", "position")

    def __init__(self, position: int = 0) -> None:
        self.position: int = position
        self._inbox: dict[str, Message] = {}
        self._open: dict[str, Outcome | None] = {}
        self._shown: frozenset[str] = frozenset()
        self._consumed: tuple[str, ...] = ()

    def copy(self) -> "Placing":
        """An independent copy; costs what is open now, not what the session holds."""
        twin = Placing(self.position)
        twin._inbox = dict(self._inbox)
        twin._open = dict(self._open)
        twin._shown = self._shown
        twin._consumed = self._consumed
        return twin

    @property
    def inbox(self) -> tuple[str, ...]:
        """Messages that wait, though some may have been placed where a turn was cancelled."""
        return tuple(self._inbox)

    @property
    def open_calls(self) -> tuple[str, ...]:
        """Calls that still lack their result, in call order."""
        return tuple(call for call, outcome in self._open.items() if outcome is None)

    def waiting(self) -> tuple[Placed, ...]:
        """What has no place yet: results beside an open call, then inputs nobody took up."""
        results = [outcome for outcome in self._open.values() if outcome is not None]
        return (*results, *self._unseen())

    def place(self, event: StoredEvent) -> tuple[Placed, ...]:
        """Takes the next event. One at or below the position was taken already and is passed over.

        Raises TranscriptBroken for a gap, and where a model call starts beside an open call.
        """
        if event.seq <= self.position:
            return ()
        if event.seq != self.position + 1:
            message = f"event {event.seq} follows {self.position}"
            raise TranscriptBroken(message)
        self.position = event.seq
        placed: tuple[Placed, ...] = ()
        match event.type:
            case "input.message":
                placed = self._accept(event)
            case "reason.started":
                placed = self._consume(_decode(_STARTED, event).consumed, event.ts_ms)
            case "output.message.completed":
                placed = self._answer(event)
            case "tool.completed":
                placed = self._result(event)
            case "turn.cancelled":
                placed = self._cancelled()
            case _:
                self._handle(event)
        return placed

    def _handle(self, event: StoredEvent) -> None:
        """What becomes of messages that wait."""
        if event.type == "session.forked":
            # What waited in the session that was forked waits there.
            self._inbox.clear()
        elif event.type == CONSUMED:
            self._consumed = consumed_unseen(event)
        elif event.type == "message.withdrawn":
            self._inbox.pop(withdrawn(event), None)
        elif event.type == "message.edited":
            edited = edition(event)
            message = self._inbox.get(edited.message_id)
            if message is not None:
                changed = msgspec.structs.replace(message, content=edited.content)
                self._inbox[message.id] = changed

    def _accept(self, event: StoredEvent) -> tuple[Placed, ...]:
        payload = decode_payload(event.payload)
        message = _convert(_INPUT, payload, event).message
        if payload.context.input_message_id not in {None, message.id}:
            # The engine's own, about a cancelled turn, whose message the context names: no model
            # call takes it up, so it stands where it was said.
            return (Input(message=message, consumed_ms=None),)
        self._inbox[message.id] = message
        return ()

    def _consume(self, consumed: tuple[str, ...], ts_ms: int) -> tuple[Placed, ...]:
        if self._open:
            message = f"a model call starts while calls are open: {', '.join(self.open_calls)}"
            raise TranscriptBroken(message)
        return tuple(
            Input(message=self._inbox.pop(id_), consumed_ms=ts_ms)
            for id_ in consumed
            if id_ in self._inbox
        )

    def _answer(self, event: StoredEvent) -> tuple[Placed, ...]:
        payload = decode_payload(event.payload)
        data = _convert(_ANSWER, payload, event)
        self._open = {
            part.id: None for part in data.message.content if isinstance(part, ToolCallPart)
        }
        return (Answer(data=data, turn_id=payload.context.turn_id, ts_ms=event.ts_ms),)

    def _result(self, event: StoredEvent) -> tuple[Placed, ...]:
        data = _decode(_OUTCOME, event)
        # The first result of a call is its only one; the log cannot hold a second, but a reader
        # must not break on it either.
        if self._open.get(data.tool_call_id, data) is not None:
            return ()
        self._open[data.tool_call_id] = Outcome(data=data, ts_ms=event.ts_ms)
        if self.open_calls:
            return ()
        placed = tuple(outcome for outcome in self._open.values() if outcome is not None)
        self._open = {}
        return placed

    def _cancelled(self) -> tuple[Placed, ...]:
        """Inputs of a cancelled turn that no model call saw: readers find them where it ended.

        Those that it did not consume stay in the inbox: a later turn takes them up.
        """
        unseen = self._unseen()
        for id_ in self._consumed:
            self._inbox.pop(id_, None)
        self._consumed = ()
        self._shown = frozenset(self._inbox)
        return unseen

    def _unseen(self) -> tuple[Placed, ...]:
        return tuple(
            Input(message=message, consumed_ms=None)
            for id_, message in self._inbox.items()
            if id_ not in self._shown
        )


def withdrawn(event: StoredEvent) -> str:
    """The id of a message.withdrawn. Raises TranscriptBroken."""
    return _decode(_WITHDRAWN, event).message_id


def consumed_unseen(event: StoredEvent) -> tuple[str, ...]:
    """The ids of a message.consumed: what a cancelled turn took along. Raises TranscriptBroken."""
    return _decode(_CONSUMED, event).message_ids


def rolled_back(event: StoredEvent) -> bool:
    """Whether it is a turn.cancelled after which the turn leaves the conversation.

    Raises TranscriptBroken.
    """
    return event.type == "turn.cancelled" and _decode(_CANCELLED, event).rolled_back


def edition(event: StoredEvent) -> MessageEdited:
    """What a message.edited says. Raises TranscriptBroken."""
    return _decode(_EDITED, event)


def _decode(decoder: "msgspec.json.Decoder[T]", event: StoredEvent) -> T:
    return _convert(decoder, decode_payload(event.payload), event)


def _convert(decoder: "msgspec.json.Decoder[T]", payload: RawPayload, event: StoredEvent) -> T:
    try:
        return decoder.decode(payload.data)
    except msgspec.MsgspecError as error:
        message = f"event {event.seq} ({event.type}) cannot be read: {error}"
        raise TranscriptBroken(message) from error
