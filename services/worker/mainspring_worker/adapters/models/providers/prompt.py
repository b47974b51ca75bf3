"""Our prompt as pydantic-ai's messages, tools and settings."""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final, assert_never

import msgspec
from pydantic_ai import messages as theirs
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.settings import ModelSettings, ThinkingLevel
from pydantic_ai.tools import ToolDefinition

from mainspring_harness.conversation import (
    AssistantMessage,
    FactsMessage,
    ToolReply,
    UserMessage,
    UserPart,
)
from mainspring_schema.agents import ToolDefinition as OurTool
from mainspring_schema.messages import ImageFilePart, ImagePart, TextPart
from mainspring_worker.adapters.models.providers.opaque import Opaque, Thought, unseal
from mainspring_worker.adapters.models.providers.profiles import reads_images
from mainspring_worker.ports.failures import Kind, failure
from mainspring_worker.ports.model import ModelRequest

_EFFORTS: Final[dict[str, ThinkingLevel]] = {
    "none": False,
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
}
_ANSWER: Final = "answer"
_IMAGE: Final = "image/png"
_NO_TEXT: Final = "(no text)"
_NO_OUTPUT: Final = "(no output)"
"""Some refuse a text of white space alone: the whole prompt, and so each later one."""
_ODD: Final = re.compile(r"[^a-zA-Z0-9_-]")
_NAME_CHARS_MAX: Final = 64
"""What every provider takes as the name of a function."""


def messages(request: ModelRequest, *, provider_name: str) -> list[theirs.ModelMessage]:
    """Inputs and results that stand together become one request, answers responses.

    Reasoning is sent back only to the provider that made it. A model that reads no images has the
    names alone of those that tools gave: it did not ask for them.
    """
    sees = reads_images(request.choice)
    made: list[theirs.ModelMessage] = []
    pending: list[theirs.ModelRequestPart] = []
    offered = frozenset(tool.name for tool in request.tools)
    for message in request.messages:
        if isinstance(message, AssistantMessage):
            if pending:
                made.append(theirs.ModelRequest(parts=pending))
                pending = []
            made.append(_response(message, request.choice.provider_id, provider_name, offered))
        else:
            pending.extend(_parts(message, offered, sees=sees))
    if not pending:
        # A text of nothing is no part of the conversation, and providers want one to answer.
        pending.append(theirs.UserPromptPart(content=_NO_TEXT))
    # The system prompt travels as the instructions of the last request, which is where the layer
    # looks for it; no other message may carry any.
    made.append(theirs.ModelRequest(parts=pending, instructions=request.system or None))
    return made


def parameters(request: ModelRequest, *, shaped: bool = False) -> ModelRequestParameters:
    """The tools, with their schemas as they are; if `shaped`, also the one of the answer.

    Providers take only objects at the top. Not strict, for the reason that tools are not.
    """
    tools = [_tool(tool) for tool in request.tools]
    schema = request.output_schema
    if not shaped or schema is None or schema.get("type") != "object":
        return ModelRequestParameters(function_tools=tools)
    wanted = OutputObjectDefinition(json_schema=schema, name=_ANSWER, strict=False)
    return ModelRequestParameters(
        function_tools=tools, output_mode="native", output_object=wanted, allow_text_output=True
    )


def settings(request: ModelRequest) -> ModelSettings:
    """What holds for every provider. One attempt: retry belongs to the engine."""
    chosen: ModelSettings = {"max_retries": 0, "framing_announcement": "never"}
    if request.tools:
        chosen["parallel_tool_calls"] = request.parallel_tool_calls
    if request.max_tokens is not None:
        chosen["max_tokens"] = request.max_tokens
    if request.temperature is not None:
        chosen["temperature"] = request.temperature
    if request.reasoning_effort is not None:
        effort = _EFFORTS.get(request.reasoning_effort)
        if effort is None:
            raise failure(Kind.REJECTED, f"unknown reasoning effort {request.reasoning_effort!r}")
        chosen["thinking"] = effort
    return chosen


def _tool(tool: OurTool) -> ToolDefinition:
    # Not strict: that would rewrite the schema which we check the arguments against.
    return ToolDefinition(
        name=tool.name,
        description=tool.description,
        parameters_json_schema=tool.parameters or {"type": "object", "properties": {}},
        strict=False,
    )


def _parts(
    message: UserMessage | FactsMessage | ToolReply, offered: frozenset[str], *, sees: bool
) -> Iterator[theirs.ModelRequestPart]:
    match message:
        case UserMessage():
            yield theirs.UserPromptPart(content=_user_content(message))
        case FactsMessage():
            yield theirs.UserPromptPart(content=message.text)
        case ToolReply():
            text = message.text if message.text.strip() else _NO_OUTPUT
            shown = [_image(part) for part in message.images] if sees else []
            yield theirs.ToolReturnPart(
                tool_name=_name(message.name, offered),
                content=[text, *shown] if shown else text,
                tool_call_id=message.tool_call_id,
                outcome="success" if message.status == "success" else "failed",
            )
        case _:
            assert_never(message)


def _user_content(message: UserMessage) -> str | list[theirs.UserContent]:
    parts = [_content(part) for part in message.content]
    texts = [part for part in parts if isinstance(part, str)]
    if len(texts) < len(parts):
        return [part for part in parts if not isinstance(part, str) or part.strip()]
    text = "\n".join(texts)
    return text if text.strip() else _NO_TEXT


def _content(part: UserPart) -> theirs.UserContent:
    match part:
        case TextPart():
            return part.text
        case ImagePart():
            return _image(part)
        case ImageFilePart():
            # Stored images are no part of this version; the model is told that there is one.
            return f"[image file {part.filename or part.image_id}]"
        case _:
            assert_never(part)


def _image(part: ImagePart) -> theirs.UserContent:
    if part.base64 is not None:
        try:
            data = base64.b64decode(part.base64, validate=True)
        except (binascii.Error, ValueError) as error:
            raise failure(Kind.REJECTED, f"an image is no base64: {error}") from error
        return theirs.BinaryContent(data=data, media_type=part.media_type or _IMAGE)
    if part.url is None or not part.url.startswith(("http://", "https://")):
        raise failure(Kind.REJECTED, "an image has neither an http URL nor content")
    return theirs.ImageUrl(url=part.url, media_type=part.media_type)


def _response(
    message: AssistantMessage, provider_id: str, provider_name: str, offered: frozenset[str]
) -> theirs.ModelResponse:
    ours = message.model is not None and message.model.provider_id == provider_id
    opaque = unseal(message.thinking_signature) if ours else Opaque()
    parts: list[theirs.ModelResponsePart] = [
        _thinking(thought, message, provider_name) for thought in opaque.thoughts
    ]
    if message.text.strip():
        parts.append(theirs.TextPart(content=message.text))
    for index, call in enumerate(message.tool_calls):
        details = opaque.calls[index] if index < len(opaque.calls) else None
        parts.append(
            theirs.ToolCallPart(
                tool_name=_name(call.name, offered),
                args=_arguments(call.arguments),
                tool_call_id=call.id,
                provider_name=provider_name if details else None,
                provider_details=details,
            )
        )
    return theirs.ModelResponse(parts=parts, provider_name=provider_name)


def _thinking(
    thought: Thought, message: AssistantMessage, provider_name: str
) -> theirs.ThinkingPart:
    content = message.thinking or "" if thought.content is None else thought.content
    return theirs.ThinkingPart(
        content=content,
        id=thought.id,
        signature=thought.signature,
        provider_name=provider_name,
        provider_details=thought.details,
    )


def _name(name: str, offered: frozenset[str]) -> str:
    """What a model called by a name that is no tool's, as it may come back to it."""
    return name if name in offered else _ODD.sub("_", name)[:_NAME_CHARS_MAX] or "_"


def _arguments(arguments: object) -> str:
    """JSON text of an object; what a model wrote that is none is wrapped, as providers demand."""
    if isinstance(arguments, dict):
        return msgspec.json.encode(arguments).decode()
    return msgspec.json.encode({"invalid_arguments": arguments}).decode()
