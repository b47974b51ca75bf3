"""Answers in OpenAI's words, built from the types of its own library."""

from collections.abc import Iterator, Sequence
from typing import Literal

from openai.types import chat, completion_usage, responses
from openai.types.chat import chat_completion_chunk as chunks
from openai.types.responses import response_usage
from pydantic import BaseModel

from tests.integration.models.said import (
    CACHED_TOKENS,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    RESPONSE_ID,
    Call,
    Said,
    dump,
    frame,
)


class Completions:
    driver = "openai_completions"
    model = "model-1"
    path = "/chat/completions"
    streams_arguments = True
    shows_thinking = False

    def events(self, said: Said) -> Iterator[bytes]:
        yield self._chunk(chunks.ChoiceDelta(role="assistant", content=""))
        for text in said.texts:
            yield self._chunk(chunks.ChoiceDelta(content=text))
        for index, call in enumerate(said.calls):
            for number, fragment in enumerate(call.fragments):
                function = chunks.ChoiceDeltaToolCallFunction(
                    name=call.name if number == 0 else None, arguments=fragment
                )
                delta = chunks.ChoiceDeltaToolCall(
                    index=index,
                    id=call.id if number == 0 else None,
                    function=function,
                    type="function",
                )
                yield self._chunk(chunks.ChoiceDelta(tool_calls=[delta]))
        reasons: dict[str, Literal["stop", "length", "tool_calls", "content_filter"]] = {
            "stop": "stop",
            "length": "length",
            "tool_call": "tool_calls",
            "content_filter": "content_filter",
        }
        yield self._chunk(chunks.ChoiceDelta(), finish=reasons[said.finish])
        usage = completion_usage.CompletionUsage(
            prompt_tokens=INPUT_TOKENS,
            completion_tokens=OUTPUT_TOKENS,
            total_tokens=INPUT_TOKENS + OUTPUT_TOKENS,
            prompt_tokens_details=completion_usage.PromptTokensDetails(cached_tokens=CACHED_TOKENS),
        )
        yield self._frame(self._whole([], usage))
        yield b"data: [DONE]\n\n"

    def error(self, status: int, message: str, code: str) -> bytes:
        return b'{"error":{"message":"%s","type":"%s","code":"%s"}}' % (
            message.encode(),
            code.encode(),
            code.encode(),
        )

    def error_event(self) -> bytes | None:
        return b"data: " + self.error(200, "overloaded", "server_is_overloaded") + b"\n\n"

    def _chunk(
        self,
        delta: chunks.ChoiceDelta,
        finish: Literal["stop", "length", "tool_calls", "content_filter"] | None = None,
    ) -> bytes:
        choice = chunks.Choice(index=0, delta=delta, finish_reason=finish)
        return self._frame(self._whole([choice]))

    def _whole(
        self, choices: list[chunks.Choice], usage: completion_usage.CompletionUsage | None = None
    ) -> chat.ChatCompletionChunk:
        return chat.ChatCompletionChunk(
            id=RESPONSE_ID,
            created=1_790_000_000,
            model="model-2026",
            object="chat.completion.chunk",
            choices=choices,
            usage=usage,
        )

    def _frame(self, chunk: chat.ChatCompletionChunk) -> bytes:
        return f"data: {dump(chunk)}\n\n".encode()


class Responses:
    driver = "openai"
    model = "gpt-5.2"
    path = "/responses"
    streams_arguments = True
    shows_thinking = True

    def __init__(self) -> None:
        self._number = 0

    def events(self, said: Said) -> Iterator[bytes]:
        self._number = 0
        yield self._frame(
            responses.ResponseCreatedEvent(
                response=self._response("in_progress"),
                sequence_number=self._next(),
                type="response.created",
            )
        )
        output = 0
        if said.thinking:
            yield from self._thinking(said.thinking, output)
            output += 1
        if said.texts:
            yield from self._text(said.texts, output)
            output += 1
        for call in said.calls:
            yield from self._call(call, output)
            output += 1
        if said.finish == "length":
            response = self._response("incomplete", reason="max_output_tokens")
            yield self._frame(
                responses.ResponseIncompleteEvent(
                    response=response, sequence_number=self._next(), type="response.incomplete"
                )
            )
        else:
            yield self._frame(
                responses.ResponseCompletedEvent(
                    response=self._response("completed"),
                    sequence_number=self._next(),
                    type="response.completed",
                )
            )

    def error(self, status: int, message: str, code: str) -> bytes:
        return Completions().error(status, message, code)

    def error_event(self) -> bytes | None:
        return self._frame(
            responses.ResponseErrorEvent(
                code="server_is_overloaded",
                message="overloaded",
                sequence_number=self._next(),
                type="error",
            )
        )

    def _thinking(self, pieces: Sequence[str], output: int) -> Iterator[bytes]:
        item = responses.ResponseReasoningItem(id="rs_1", summary=[], type="reasoning")
        yield self._added(item, output)
        for piece in pieces:
            yield self._frame(
                responses.ResponseReasoningSummaryTextDeltaEvent(
                    delta=piece,
                    item_id="rs_1",
                    output_index=output,
                    sequence_number=self._next(),
                    summary_index=0,
                    type="response.reasoning_summary_text.delta",
                )
            )
        done = responses.ResponseReasoningItem(
            id="rs_1",
            summary=[
                responses.response_reasoning_item.Summary(text="".join(pieces), type="summary_text")
            ],
            encrypted_content="sealed",
            type="reasoning",
        )
        yield self._item_done(done, output)

    def _text(self, pieces: Sequence[str], output: int) -> Iterator[bytes]:
        item = responses.ResponseOutputMessage(
            id="msg_1", content=[], role="assistant", status="in_progress", type="message"
        )
        yield self._added(item, output)
        for piece in pieces:
            yield self._frame(
                responses.ResponseTextDeltaEvent(
                    content_index=0,
                    delta=piece,
                    item_id="msg_1",
                    logprobs=[],
                    output_index=output,
                    sequence_number=self._next(),
                    type="response.output_text.delta",
                )
            )
        text = responses.ResponseOutputText(
            annotations=[], text="".join(pieces), type="output_text"
        )
        done = responses.ResponseOutputMessage(
            id="msg_1", content=[text], role="assistant", status="completed", type="message"
        )
        yield self._item_done(done, output)

    def _call(self, call: Call, output: int) -> Iterator[bytes]:
        item_id = f"fc_{output}"
        item = responses.ResponseFunctionToolCall(
            id=item_id, arguments="", call_id=call.id, name=call.name, type="function_call"
        )
        yield self._added(item, output)
        for fragment in call.fragments:
            yield self._frame(
                responses.ResponseFunctionCallArgumentsDeltaEvent(
                    delta=fragment,
                    item_id=item_id,
                    output_index=output,
                    sequence_number=self._next(),
                    type="response.function_call_arguments.delta",
                )
            )
        yield self._item_done(
            item.model_copy(update={"arguments": "".join(call.fragments)}), output
        )

    def _added(self, item: responses.ResponseOutputItem, output: int) -> bytes:
        return self._frame(
            responses.ResponseOutputItemAddedEvent(
                item=item,
                output_index=output,
                sequence_number=self._next(),
                type="response.output_item.added",
            )
        )

    def _item_done(self, item: responses.ResponseOutputItem, output: int) -> bytes:
        return self._frame(
            responses.ResponseOutputItemDoneEvent(
                item=item,
                output_index=output,
                sequence_number=self._next(),
                type="response.output_item.done",
            )
        )

    def _response(
        self, status: responses.ResponseStatus, reason: Literal["max_output_tokens"] | None = None
    ) -> responses.Response:
        usage = None
        if status != "in_progress":
            usage = responses.ResponseUsage(
                input_tokens=INPUT_TOKENS,
                input_tokens_details=response_usage.InputTokensDetails.model_construct(
                    cached_tokens=CACHED_TOKENS
                ),
                output_tokens=OUTPUT_TOKENS,
                output_tokens_details=response_usage.OutputTokensDetails(reasoning_tokens=5),
                total_tokens=INPUT_TOKENS + OUTPUT_TOKENS,
            )
        details = None
        if reason is not None:
            details = responses.response.IncompleteDetails(reason=reason)
        return responses.Response(
            id=RESPONSE_ID,
            created_at=1_790_000_000,
            model="model-2026",
            object="response",
            output=[],
            parallel_tool_calls=True,
            tool_choice="auto",
            tools=[],
            status=status,
            usage=usage,
            incomplete_details=details,
        )

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _frame(self, event: BaseModel) -> bytes:
        return frame(event)
