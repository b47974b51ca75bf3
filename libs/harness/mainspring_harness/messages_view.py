"""The messages of a session as the REST API lists them: the same order as a model reads, and all.

Failures, inputs that wait and inputs of cancelled turns are shown too; opaque reasoning is not, nor
what a turn that was rolled back took in and said.
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import assert_never
from uuid import UUID

from msgspec import UNSET, structs

from mainspring_harness.placing import (
    Answer,
    Input,
    Outcome,
    Placed,
    Placing,
    consumed_unseen,
    edition,
    rolled_back,
    withdrawn,
)
from mainspring_schema.codec import read_foreign
from mainspring_schema.delivery import CONSUMED
from mainspring_schema.events import StoredEvent, ToolCompleted
from mainspring_schema.messages import ContentPart, ImagePart, Message, TextPart, ToolResultPart


class MessagesView:
    """Takes a session's events from its first on, in as many parts as they come in."""

    def __init__(self) -> None:
        self._placing = Placing()
        self._found: dict[str, Message] = {}
        self._taken: list[str] = []

    def take(self, events: Iterable[StoredEvent]) -> None:
        """Raises TranscriptBroken for a gap."""
        placing, found = self._placing, self._found
        for event in events:
            self._taken = _taken_before(event, self._taken)
            if event.type == "session.forked":
                # What waited in the session that was forked waits there.
                _leave(found, placing.inbox)
            for placed in placing.place(event):
                message = _show(found, placed)
                if not isinstance(placed, Input) or placed.consumed_ms is not None:
                    self._taken.append(message.id)
            if rolled_back(event):
                _leave(found, self._taken)
            _follow(found, event)

    def messages(self) -> tuple[Message, ...]:
        """All of them, with those that wait; after the last event."""
        for placed in self._placing.waiting():
            _show(self._found, placed)
        return tuple(self._found.values())


def messages_view(events: Iterable[StoredEvent]) -> tuple[Message, ...]:
    """All messages of a session's events, from its first on. Raises TranscriptBroken for a gap."""
    view = MessagesView()
    view.take(events)
    return view.messages()


def result_message_id(tool_call_id: str) -> str:
    """The id of the message that shows a call's result; results have none of their own."""
    digest = hashlib.sha256(b"tool_result:" + tool_call_id.encode()).digest()
    return f"message_{UUID(bytes=digest[:16], version=4).hex}"


def _taken_before(event: StoredEvent, taken: list[str]) -> list[str]:
    """What the turn has taken in and said, as the event is met."""
    if event.type == "turn.started":
        return []
    return [*taken, *consumed_unseen(event)] if event.type == CONSUMED else taken


def _leave(found: dict[str, Message], ids: Iterable[str]) -> None:
    for id_ in ids:
        found.pop(id_, None)


def _show(found: dict[str, Message], placed: Placed) -> Message:
    message = _message(placed)
    if isinstance(placed, Input) and placed.consumed_ms is not None:
        # It waited where a turn was cancelled, and was shown there; here a model reads it.
        found.pop(message.id, None)
    return found.setdefault(message.id, message)


def _follow(found: dict[str, Message], event: StoredEvent) -> None:
    """What becomes of a message that waits on, and was shown where a turn was cancelled."""
    if event.type == "message.withdrawn":
        found.pop(withdrawn(event), None)
    elif event.type == "message.edited":
        edited = edition(event)
        if (message := found.get(edited.message_id)) is not None:
            found[message.id] = structs.replace(message, content=edited.content)


def _message(placed: Placed) -> Message:
    match placed:
        case Input():
            return placed.message
        case Answer():
            return structs.replace(placed.data.message, thinking_signature=UNSET)
        case Outcome():
            return _result(placed.data, placed.ts_ms)
        case _:
            assert_never(placed)


def _result(data: ToolCompleted, ts_ms: int) -> Message:
    parts: tuple[ContentPart, ...] = () if data.result is UNSET else data.result
    result = ToolResultPart(
        tool_call_id=data.tool_call_id,
        result=_value(parts) if data.success else None,
        error=None if data.success else data.error or data.status,
    )
    images = tuple(part for part in parts if isinstance(part, ImagePart))
    return Message(
        id=result_message_id(data.tool_call_id),
        role="tool_result",
        content=(result, *images),
        created_at=_rfc3339(ts_ms),
    )


def _value(parts: tuple[ContentPart, ...]) -> object:
    """The result as the tool gave it: an object where its text is one, else the text."""
    for part in parts:
        if isinstance(part, ToolResultPart):
            return part.result
    text = "\n".join(part.text for part in parts if isinstance(part, TextPart))
    if text[:1] not in {"{", "["}:
        return text
    try:
        return read_foreign(text)
    except ValueError:
        return text


def _rfc3339(ts_ms: int) -> str:
    moment = datetime.fromtimestamp(ts_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
