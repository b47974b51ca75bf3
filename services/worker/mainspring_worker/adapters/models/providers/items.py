"""The layer's stream events as our items, and its finished response as `Done`."""

import json
from collections.abc import Iterator
from typing import Final

from pydantic_ai import messages as theirs
from pydantic_ai.models import StreamedResponse
from pydantic_ai.usage import RequestUsage

from mainspring_schema.events import Usage
from mainspring_worker.adapters.models.providers.halves import Pieces, joined
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
_NAME_CHARS_MAX: Final = 128
"""Of a called tool: no tool's is longer, and it comes back with every later prompt."""
_TOKENS_MAX: Final = 10**9
"""Of one answer: what a server counts beyond that is its mistake, and no budget could hold it."""


class Reader:
    """Turns events into items; knows which part is which tool call."""

    def __init__(self) -> None:
        self._calls: dict[int, tuple[int, str]] = {}
        self._said, self._thought = Pieces(), Pieces()
        self._arguments: dict[int, Pieces] = {}

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
                yield from _said(self._said.more(part.content))
            case theirs.ThinkingPart() if part.content:
                yield from _thought(self._thought.more(part.content))
            case theirs.ToolCallPart():
                self._calls[index] = (len(self._calls), part.tool_name)
                self._arguments[index] = Pieces()
                yield from self._fragment(index, part.args)
            case _:
                return

    def _delta(self, index: int, delta: theirs.ModelResponsePartDelta) -> Iterator[ModelItem]:
        match delta:
            case theirs.TextPartDelta() if delta.content_delta:
                yield from _said(self._said.more(delta.content_delta))
            case theirs.ThinkingPartDelta() if delta.content_delta:
                yield from _thought(self._thought.more(delta.content_delta))
            case theirs.ToolCallPartDelta():
                if delta.tool_name_delta and index in self._calls:
                    number, name = self._calls[index]
                    self._calls[index] = (number, name + delta.tool_name_delta)
                yield from self._fragment(index, delta.args_delta)
            case _:
                return

    def rest(self) -> Iterator[ModelItem]:
        """What waited for the other half of a character, once the stream is over."""
        yield from _said(self._said.rest())
        yield from _thought(self._thought.rest())

    def _fragment(self, index: int, args: object) -> Iterator[ModelItem]:
        if index not in self._calls:
            return
        number, name = self._calls[index]
        fragment = self._arguments[index].more(_text(args))
        yield ToolArgumentsDelta(index=number, name=joined(name), fragment=fragment)


def _said(text: str) -> Iterator[ModelItem]:
    if text:
        yield TextDelta(text)


def _thought(text: str) -> Iterator[ModelItem]:
    if text:
        yield ThinkingDelta(text)


def done(stream: StreamedResponse) -> Done:
    """The answer of a stream that was read to its end.

    Raises ModelFailure where the provider never said that it ended, or where there is no answer.
    """
    response = stream.get()
    details = stream.provider_details or {}
    if response.state != "complete" or not details.get(_RAW_REASON):
        raise failure(Kind.STREAM_CUT, "the provider's stream ended without a finish reason")
    texts = [part.content for part in response.parts if isinstance(part, theirs.TextPart)]
    text = joined("".join(texts))
    calls = tuple(_call(part) for part in response.parts if isinstance(part, theirs.ToolCallPart))
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
        response_id=_joined(response.provider_response_id),
        response_model=_joined(response.model_name),
    )


def _call(part: theirs.ToolCallPart) -> RawToolCall:
    return RawToolCall(
        name=joined(part.tool_name)[:_NAME_CHARS_MAX],
        arguments=joined(_text(part.args)),
        provider_id=_joined(part.tool_call_id),
    )


def usage_of(usage: RequestUsage) -> Usage:
    """Tokens in our words. Input counts include what was read from a cache."""
    reasoning = usage.details.get("reasoning_tokens")
    return Usage(
        input_tokens=_tokens(usage.input_tokens),
        output_tokens=_tokens(usage.output_tokens),
        cache_read_tokens=_tokens(usage.cache_read_tokens) or None,
        cache_creation_tokens=_tokens(usage.cache_write_tokens) or None,
        reasoning_tokens=_tokens(reasoning) or None,
    )


def _tokens(told: int | None) -> int:
    return max(0, min(told or 0, _TOKENS_MAX))


def _thinking(response: theirs.ModelResponse) -> str | None:
    texts = [part.content for part in response.parts if isinstance(part, theirs.ThinkingPart)]
    return joined("\n\n".join(text for text in texts if text)) or None


def _joined(text: str | None) -> str | None:
    return None if text is None else joined(text)


def _text(args: object) -> str:
    if args is None:
        return ""
    return args if isinstance(args, str) else json.dumps(args)
