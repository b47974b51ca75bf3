"""A small log for tests: events with dense positions, written as an engine writes them."""

from collections.abc import Sequence

from msgspec import UNSET

from mainspring_schema.events import (
    Context,
    InputMessage,
    ModelMetadata,
    OutputMessageCompleted,
    ReasonStarted,
    StoredEvent,
    ToolCompleted,
    draft,
)
from mainspring_schema.messages import ContentPart, Message, TextPart, ToolCallPart

TURN = "turn_" + "0" * 31 + "1"


def message_id(number: int) -> str:
    return f"message_{number:032x}"


class Log:
    """Appends events; `events` is what the event store would return."""

    def __init__(self) -> None:
        self.events: list[StoredEvent] = []

    def add(self, type_: str, data: object, *, about: int | None = None) -> "Log":
        """`about` is the message that the turn was begun with."""
        begun = None if about is None else message_id(about)
        context = Context(turn_id=TURN, input_message_id=begun)
        payload = draft(type_, context, data).payload
        seq = len(self.events) + 1
        self.events.append(StoredEvent(seq, type_, 1_700_000_000_000 + seq * 1000, payload))
        return self

    def input(self, number: int, text: str, *, about: int | None = None) -> "Log":
        message = Message(
            id=message_id(number),
            role="user",
            content=(TextPart(text=text),),
            created_at="2026-11-22T10:00:00.000Z",
        )
        return self.add("input.message", InputMessage(message=message), about=about)

    def reason(self, *consumed: int) -> "Log":
        ids = tuple(message_id(number) for number in consumed)
        return self.add("reason.started", ReasonStarted(harness_id="harness_1", consumed=ids))

    def answer(
        self,
        number: int,
        text: str = "",
        *,
        calls: Sequence[str] = (),
        error_code: str | None = None,
        thinking: str | None = None,
        signature: str | None = None,
    ) -> "Log":
        parts: list[ContentPart] = [TextPart(text=text)] if text else []
        parts += [ToolCallPart(id=call, name="add", arguments={"a": 1, "b": 2}) for call in calls]
        message = Message(
            id=message_id(number),
            role="agent",
            content=tuple(parts),
            created_at="2026-11-22T10:00:01.000Z",
            thinking=thinking,
            thinking_signature=UNSET if signature is None else signature,
        )
        data = OutputMessageCompleted(
            message=message,
            metadata=ModelMetadata(model="llmsim", provider_id="provider_1"),
            error_code=error_code,
        )
        return self.add("output.message.completed", data)

    def result(self, call: str, text: str = "3", *, error: str | None = None) -> "Log":
        data = ToolCompleted(
            tool_call_id=call,
            tool_name="add",
            success=error is None,
            status="success" if error is None else "error",
            result=UNSET if error is not None else (TextPart(text=text),),
            error=error,
        )
        return self.add("tool.completed", data)
