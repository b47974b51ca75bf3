"""The messages of a prompt, in the order a model reads them; drivers translate them for providers.

They differ from wire messages: inputs stand where they were consumed, every tool call is followed
by its one result, and facts have a kind of their own because no person wrote them.
"""

from typing import Literal, TypeAlias

from msgspec import Struct

from mainspring_schema.events import ModelMetadata
from mainspring_schema.messages import (
    ExternalActor,
    ImageFilePart,
    ImagePart,
    TextPart,
    ToolCallPart,
)

UserPart: TypeAlias = TextPart | ImagePart | ImageFilePart


class UserMessage(Struct, frozen=True, kw_only=True, tag="user"):
    """An input, as a person or an outside system wrote it, taken up at `consumed_ms`."""

    message_id: str
    content: tuple[UserPart, ...]
    consumed_ms: int = 0
    external_actor: ExternalActor | None = None

    @property
    def text(self) -> str:
        """The text parts joined by line breaks."""
        return "\n".join(part.text for part in self.content if isinstance(part, TextPart))


class FactsMessage(Struct, frozen=True, kw_only=True, tag="facts"):
    """Dynamic facts, `<facts>` tags included; providers get them in the role of the user."""

    text: str


class AssistantMessage(Struct, frozen=True, kw_only=True, tag="assistant"):
    """A model's answer. `thinking` counts only for the provider in `model` that signed it."""

    message_id: str
    turn_id: str | None = None
    text: str = ""
    tool_calls: tuple[ToolCallPart, ...] = ()
    thinking: str | None = None
    thinking_signature: str | None = None
    model: ModelMetadata | None = None


ToolStatus: TypeAlias = Literal["success", "error", "timeout", "cancelled", "unknown"]


class ToolReply(Struct, frozen=True, kw_only=True, tag="tool"):
    """The one result of a call. `text` is what the model reads, errors included."""

    tool_call_id: str
    name: str
    text: str
    status: ToolStatus = "success"
    images: tuple[ImagePart, ...] = ()


PromptMessage: TypeAlias = UserMessage | FactsMessage | AssistantMessage | ToolReply
