"""The conversation as a model reads it, folded from events as they come.

A worker keeps one per session at a position, copies it, and adds what the next task brings. Its
digest grows with it, so that hashing a request costs nothing more in a long session.
"""

import hashlib
from collections.abc import Iterable
from typing import Final, assert_never

import msgspec
from msgspec import UNSET

from mainspring_harness.compacting import Compacted
from mainspring_harness.conversation import (
    AssistantMessage,
    PromptMessage,
    ToolReply,
    ToolStatus,
    UserMessage,
    UserPart,
)
from mainspring_harness.errors import TranscriptBroken
from mainspring_harness.placing import Answer, Input, Outcome, Placed, Placing, rolled_back
from mainspring_schema.appeals import ApprovalResolved
from mainspring_schema.events import (
    OutputMessageCompleted,
    StoredEvent,
    ToolCompleted,
    decode_payload,
)
from mainspring_schema.messages import (
    ImageFilePart,
    ImagePart,
    Json,
    Message,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    text_of,
)

_COMPACTED: Final = "context.compacted"
_STARTED: Final = "turn.started"
_TURNS: Final = frozenset({_STARTED, "turn.cancelled"})
_MADE: Final = msgspec.json.Decoder(Compacted)


class Transcript:
    """The prompt messages of one session up to `position`.

    It may begin after events that are known to hold no message.
    """

    __slots__ = ("_before", "_digest", "_made", "_messages", "_placing", "_rules")

    def __init__(self, position: int = 0) -> None:
        self._placing = Placing(position)
        self._messages: list[PromptMessage] = []
        self._digest = hashlib.sha256()
        self._rules: dict[str, str] = {}
        self._made: Compacted | None = None
        self._before: tuple[int, Compacted | None] = (0, None)

    @property
    def rules(self) -> dict[str, str]:
        """By tool: `allow_always` or `reject_always`, as people have decided."""
        return self._rules

    @property
    def position(self) -> int:
        """The sequence number of the last event taken; 0 for none."""
        return self._placing.position

    @property
    def digest(self) -> bytes:
        """The SHA-256 over all messages; equal for equal conversations."""
        return self._digest.digest()

    @property
    def made(self) -> Compacted | None:
        """What stands for the old part of a conversation that was told shorter."""
        return self._made

    def compact(self, made: Compacted) -> None:
        """Tells the conversation shorter from here on; the messages it holds stay as they are."""
        self._made = made
        self._digest.update(msgspec.json.encode(made))

    def copy(self) -> "Transcript":
        """An independent copy; the messages themselves are shared, for they never change."""
        twin = Transcript()
        twin._placing = self._placing.copy()
        twin._messages = self._messages.copy()
        twin._digest = self._digest.copy()
        twin._rules = dict(self._rules)
        twin._made = self._made
        twin._before = self._before
        return twin

    def take(self, events: Iterable[StoredEvent]) -> None:
        """Adds events in order; those at or below the position are passed over.

        Raises TranscriptBroken for a gap (read the missing events first) or an unreadable event.
        """
        for event in events:
            if event.type == "approval.resolved" and event.seq > self.position:
                self._resolve(event)
            if event.type in _TURNS and event.seq > self.position:
                self._turn(event)
            if event.type == _COMPACTED and event.seq > self.position:
                self.compact(_MADE.decode(decode_payload(event.payload).data))
            for placed in self._placing.place(event):
                message = _prompt_message(placed)
                if message is not None:
                    self._messages.append(message)
                    self._digest.update(msgspec.json.encode(message))

    def _turn(self, event: StoredEvent) -> None:
        """Notes where a turn begins; one that is rolled back leaves the conversation from there."""
        if event.type == _STARTED:
            self._before = (len(self._messages), self._made)
        elif rolled_back(event):
            kept, self._made = self._before
            del self._messages[kept:]
            self._digest.update(b"rolled back")

    def _resolve(self, event: StoredEvent) -> None:
        """Keeps a decision for good, and tells the model of arguments that a person has edited."""
        try:
            data = _RESOLVED.decode(decode_payload(event.payload).data)
        except msgspec.MsgspecError as error:
            message = f"event {event.seq} ({event.type}) cannot be read: {error}"
            raise TranscriptBroken(message) from error
        if data.decision in ("allow_always", "reject_always"):
            self._rules[data.tool_name] = data.decision
        if data.arguments is None or not self._messages:
            return
        # Results are placed when the last call has one, so the answer still stands last.
        asked = self._messages[-1]
        if isinstance(asked, AssistantMessage):
            edited = _with_arguments(asked, data.tool_call_id, data.arguments)
            self._messages[-1] = edited
            self._digest.update(msgspec.json.encode(edited))

    def messages(self) -> tuple[PromptMessage, ...]:
        """All of it, for a prompt. Raises TranscriptBroken while a call lacks its one result."""
        if open_calls := self._placing.open_calls:
            message = f"calls without a result: {', '.join(open_calls)}"
            raise TranscriptBroken(message)
        return tuple(self._messages)


_RESOLVED: Final = msgspec.json.Decoder(ApprovalResolved)


def _with_arguments(asked: AssistantMessage, call_id: str, arguments: Json) -> AssistantMessage:
    calls = tuple(
        msgspec.structs.replace(part, arguments=arguments) if part.id == call_id else part
        for part in asked.tool_calls
    )
    return msgspec.structs.replace(asked, tool_calls=calls)


def _prompt_message(placed: Placed) -> PromptMessage | None:
    match placed:
        case Input():
            return _user(placed)
        case Answer():
            return _assistant(placed)
        case Outcome():
            return _reply(placed.data)
        case _:
            assert_never(placed)


def _user(placed: Input) -> UserMessage | None:
    if placed.consumed_ms is None:
        return None
    message = placed.message
    content = tuple(
        part
        for part in (_user_part(part) for part in message.content)
        if part is not None and part != TextPart(text="")
    )
    if not content:
        return None
    return UserMessage(
        message_id=message.id,
        content=content,
        consumed_ms=placed.consumed_ms,
        external_actor=message.external_actor,
    )


def _user_part(
    part: TextPart | ImagePart | ImageFilePart | ToolCallPart | ToolResultPart,
) -> UserPart | None:
    match part:
        case TextPart() | ImagePart() | ImageFilePart():
            return part
        case ToolResultPart():
            # A result that answers no call of ours is what its sender says, no more.
            return TextPart(text=msgspec.json.encode(part).decode())
        case ToolCallPart():
            return None
        case _:
            assert_never(part)


def _assistant(placed: Answer) -> AssistantMessage | None:
    data: OutputMessageCompleted = placed.data
    message: Message = data.message
    calls = tuple(part for part in message.content if isinstance(part, ToolCallPart))
    text = text_of(message.content)
    # The text of a failure was written by us for people, not by the model.
    if data.error_code is not None or not (text or calls):
        return None
    signature = message.thinking_signature
    return AssistantMessage(
        message_id=message.id,
        turn_id=placed.turn_id,
        text=text,
        tool_calls=calls,
        thinking=message.thinking,
        thinking_signature=None if signature is UNSET else signature,
        model=data.metadata,
    )


def _reply(data: ToolCompleted) -> ToolReply:
    parts = () if data.result is UNSET else data.result
    return ToolReply(
        tool_call_id=data.tool_call_id,
        name=data.tool_name,
        text=_reply_text(data),
        status=_STATUSES.get(data.status, "success" if data.success else "error"),
        images=tuple(part for part in parts if isinstance(part, ImagePart)),
    )


_STATUSES: Final[dict[str, ToolStatus]] = {
    "success": "success",
    "error": "error",
    "timeout": "timeout",
    "cancelled": "cancelled",
    "unknown": "unknown",
}


def _reply_text(data: ToolCompleted) -> str:
    if not data.success:
        why = data.error or f"the tool ended with status {data.status}"
        return msgspec.json.encode({"error": why}).decode()
    parts = () if data.result is UNSET else data.result
    texts = [text for text in (_part_text(part) for part in parts) if text]
    return "\n".join(texts) or "(no output)"


def _part_text(part: object) -> str:
    match part:
        case TextPart():
            return part.text
        case ToolResultPart():
            if isinstance(part.result, str):
                return part.result
            return msgspec.json.encode(part.result).decode()
        case _:
            return ""
