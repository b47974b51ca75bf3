"""Answers in Anthropic's words, built from the types of its own library."""

from collections.abc import Iterator, Sequence

from anthropic import types as claude
from pydantic import BaseModel

from tests.integration.models.said import (
    CACHED_TOKENS,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    RESPONSE_ID,
    Said,
    frame,
)


class Anthropic:
    driver = "anthropic"
    model = "model-1"
    path = "/v1/messages"
    streams_arguments = True
    shows_thinking = True

    def events(self, said: Said) -> Iterator[bytes]:
        yield self._frame(self._start())
        index = 0
        if said.thinking:
            block = claude.ThinkingBlock(type="thinking", thinking="", signature="")
            deltas: list[BaseModel] = [
                claude.ThinkingDelta(type="thinking_delta", thinking=text) for text in said.thinking
            ]
            deltas.append(claude.SignatureDelta(type="signature_delta", signature="sealed"))
            yield from self._block(index, block, deltas)
            index += 1
        if said.texts:
            text_deltas = [claude.TextDelta(type="text_delta", text=text) for text in said.texts]
            yield from self._block(index, claude.TextBlock(type="text", text=""), text_deltas)
            index += 1
        for call in said.calls:
            use = claude.ToolUseBlock.model_construct(
                type="tool_use", id=call.id, name=call.name, input={}
            )
            written = [
                claude.InputJSONDelta(type="input_json_delta", partial_json=fragment)
                for fragment in call.fragments
            ]
            yield from self._block(index, use, written)
            index += 1
        yield self._frame(self._ending(said))
        yield self._frame(claude.RawMessageStopEvent(type="message_stop"))

    def error(self, status: int, message: str, code: str) -> bytes:
        return b'{"type":"error","error":{"type":"%s","message":"%s"}}' % (
            code.encode(),
            message.encode(),
        )

    def error_event(self) -> bytes | None:
        return b"event: error\ndata: " + self.error(200, "busy", "overloaded_error") + b"\n\n"

    def _start(self) -> claude.RawMessageStartEvent:
        usage = claude.Usage(
            input_tokens=INPUT_TOKENS - CACHED_TOKENS,
            output_tokens=1,
            cache_read_input_tokens=CACHED_TOKENS,
        )
        message = claude.Message(
            id=RESPONSE_ID,
            content=[],
            model="model-2026",
            role="assistant",
            type="message",
            usage=usage,
        )
        return claude.RawMessageStartEvent(type="message_start", message=message)

    def _block(self, index: int, block: BaseModel, deltas: Sequence[BaseModel]) -> Iterator[bytes]:
        yield self._frame(
            claude.RawContentBlockStartEvent.model_construct(
                type="content_block_start", index=index, content_block=block
            )
        )
        for delta in deltas:
            yield self._frame(
                claude.RawContentBlockDeltaEvent.model_construct(
                    type="content_block_delta", index=index, delta=delta
                )
            )
        yield self._frame(claude.RawContentBlockStopEvent(type="content_block_stop", index=index))

    def _ending(self, said: Said) -> BaseModel:
        reasons: dict[str, claude.StopReason] = {
            "stop": "end_turn",
            "length": "max_tokens",
            "tool_call": "tool_use",
            "content_filter": "refusal",
        }
        return claude.RawMessageDeltaEvent.model_construct(
            type="message_delta",
            delta=claude.raw_message_delta_event.Delta.model_construct(
                stop_reason=reasons[said.finish]
            ),
            usage=claude.MessageDeltaUsage.model_construct(output_tokens=OUTPUT_TOKENS),
        )

    def _frame(self, event: BaseModel) -> bytes:
        return frame(event)
