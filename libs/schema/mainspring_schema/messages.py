"""Messages and their content, as they stand on the wire and in events."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

Json = dict[str, object]


class TextPart(Struct, frozen=True, kw_only=True, tag="text"):
    text: str


class ImagePart(Struct, frozen=True, kw_only=True, tag="image", omit_defaults=True):
    url: str | None = None
    base64: str | None = None
    media_type: str | None = None


class ImageFilePart(Struct, frozen=True, kw_only=True, tag="image_file", omit_defaults=True):
    image_id: str
    filename: str | None = None


class ToolCallPart(Struct, frozen=True, kw_only=True, tag="tool_call"):
    id: str
    name: str
    arguments: object = None


class ToolResultPart(Struct, frozen=True, kw_only=True, tag="tool_result", omit_defaults=True):
    tool_call_id: str
    result: object = None
    error: str | None = None


ContentPart = TextPart | ImagePart | ImageFilePart | ToolCallPart | ToolResultPart
InputPart = TextPart | ImagePart | ImageFilePart | ToolResultPart

Role = Literal["system", "user", "agent", "tool_result"]


class Reasoning(Struct, frozen=True, kw_only=True, omit_defaults=True):
    effort: str | None = None


class Controls(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one message asks of its turn; it beats session, agent and harness."""

    model_id: str | None = None
    reasoning: Reasoning | None = None
    locale: str | None = None
    hints: Json | None = None
    error_disclosure: str | None = None
    speed: str | None = None
    verbosity: str | None = None


class ExternalActor(Struct, frozen=True, kw_only=True, omit_defaults=True):
    actor_id: str
    source: str
    actor_name: str | None = None
    metadata: dict[str, str] | None = None


class Message(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`id` is `message_` + 32 hex; `created_at` is RFC 3339 in UTC with milliseconds."""

    id: str
    role: Role
    content: tuple[ContentPart, ...]
    created_at: str
    controls: Controls | None = None
    metadata: Json | None = None
    external_actor: ExternalActor | None = None
    phase: str | None = None
    thinking: str | None = None
    thinking_signature: str | UnsetType = UNSET


def text_of(content: tuple[ContentPart, ...]) -> str:
    """The text parts joined by line breaks."""
    return "\n".join(part.text for part in content if isinstance(part, TextPart))
