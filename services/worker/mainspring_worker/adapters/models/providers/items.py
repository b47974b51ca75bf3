"""The layer's stream events as our items, and its finished response as `Done`."""

import json
from collections.abc import Iterator
from typing import Final

from pydantic_ai import messages as theirs
from pydantic_ai.models import StreamedResponse
from pydantic_ai.usage import RequestUsage

from mainspring_schema.events import Usage
from mainspring_worker.adapters.models.providers.opaque import seal
from mainspring_worker.ports.failures import Kind, failure
from mainspring_worker.ports.model import (
    Done,
    ModelItem,
    RawToolCall,
    TextDelta,
    ThinkingDelta,
    ToolArgumentsDelta,
)

_RAW_REASON: Final = "finish_reason"


class Reader:
    """Turns events into items; knows which part is which tool call."""

    def __init__(self) -> None:
        self._calls: dict[int, tuple[int, str]] = {}

    def read(self, event: theirs.ModelResponseStreamEvent) -> Iterator[ModelItem]:
        match event:
            case theirs.PartStartEvent():
                yield from self._start(event.index, event.part)
            case theirs.PartDeltaEvent():
                yield from self._delta(event.index, event.delta)
            case _:
                return

    def _start(self, index: int, part: theirs.ModelResponsePart) -> Iterator[ModelItem]:
        match part:
            case theirs.TextPart() if part.content:
                yield TextDelta(part.content)
            case theirs.ThinkingPart() if part.content:
                yield ThinkingDelta(part.content)
            case theirs.ToolCallPart():
                self._calls[index] = (len(self._calls), part.tool_name)
                yield from self._fragment(index, part.args)
            case _:
                return

    def _delta(self, index: int, delta: theirs.ModelResponsePartDelta) -> Iterator[ModelItem]:
        match delta:
            case theirs.TextPartDelta() if delta.content_delta:
                yield TextDelta(delta.content_delta)
            case theirs.ThinkingPartDelta() if delta.content_delta:
                yield ThinkingDelta(delta.content_delta)
            case theirs.ToolCallPartDelta():
                if delta.tool_name_delta and index in self._calls:
                    number, name = self._calls[index]
                    self._calls[index] = (number, name + delta.tool_name_delta)
                yield from self._fragment(index, delta.args_delta)
            case _:
                return

    def _fragment(self, index: int, args: object) -> Iterator[ModelItem]:
        if index not in self._calls:
            return
        number, name = self._calls[index]
        yield ToolArgumentsDelta(index=number, name=name, fragment=_text(args))


def done(stream: StreamedResponse) -> Done:
    """The answer of a stream that was read to its end.

    Raises ModelFailure where the provider never said that it ended, or where there is no answer.
    """
    response = stream.get()
    details = stream.provider_details or {}
    if response.state != "complete" or not details.get(_RAW_REASON):
        raise failure(Kind.STREAM_CUT, "the provider's stream ended without a finish reason")
    text = "".join(part.content for part in response.parts if isinstance(part, theirs.TextPart))
    calls = tuple(
        RawToolCall(name=part.tool_name, arguments=_text(part.args), provider_id=part.tool_call_id)
        for part in response.parts
        if isinstance(part, theirs.ToolCallPart)
    )
    reason = response.finish_reason
    if reason == "content_filter" and not (text or calls):
        why = details.get("refusal") or "the provider's content filter stopped the answer"
        raise failure(Kind.CONTENT_FILTERED, str(why))
    if reason == "error":
        raise failure(Kind.UNAVAILABLE, "the provider ended the answer with an error")
    return Done(
        text=text,
        thinking=_thinking(response),
        thinking_signature=seal(response),
        tool_calls=calls,
        usage=usage_of(stream.usage),
        finish_reason=reason,
        response_id=response.provider_response_id,
        response_model=response.model_name,
    )


def usage_of(usage: RequestUsage) -> Usage:
    """Tokens in our words. Input counts include what was read from a cache."""
    reasoning = usage.details.get("reasoning_tokens")
    return Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens or None,
        cache_creation_tokens=usage.cache_write_tokens or None,
        reasoning_tokens=reasoning or None,
    )


def _thinking(response: theirs.ModelResponse) -> str | None:
    texts = [part.content for part in response.parts if isinstance(part, theirs.ThinkingPart)]
    return "\n\n".join(text for text in texts if text) or None


def _text(args: object) -> str:
    if args is None:
        return ""
    return args if isinstance(args, str) else json.dumps(args)
