"""Answers in Gemini's words, built from the types of its own library."""

from collections.abc import Iterator

import msgspec
from google.genai import types as gemini

from tests.integration.models.said import (
    CACHED_TOKENS,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    RESPONSE_ID,
    Said,
    dump,
)


class Gemini:
    driver = "gemini"
    model = "model-1"
    path = "/v1beta/models/model-1:streamGenerateContent?alt=sse"
    streams_arguments = False
    shows_thinking = True

    def events(self, said: Said) -> Iterator[bytes]:
        for text in said.thinking:
            yield self._frame([gemini.Part(text=text, thought=True)])
        for text in said.texts:
            yield self._frame([gemini.Part(text=text)])
        for call in said.calls:
            arguments = msgspec.json.decode("".join(call.fragments), type=dict[str, object])
            function = gemini.FunctionCall(id=call.id, name=call.name, args=arguments)
            yield self._frame([gemini.Part(function_call=function, thought_signature=b"sealed")])
        reasons = {
            "stop": gemini.FinishReason.STOP,
            "length": gemini.FinishReason.MAX_TOKENS,
            "tool_call": gemini.FinishReason.STOP,
            "content_filter": gemini.FinishReason.SAFETY,
        }
        yield self._frame([gemini.Part(text="")], finish=reasons[said.finish])

    def error(self, status: int, message: str, code: str) -> bytes:
        return b'{"error":{"code":%d,"message":"%s","status":"%s"}}' % (
            status,
            message.encode(),
            code.encode(),
        )

    def error_event(self) -> bytes | None:
        return None

    def _frame(self, parts: list[gemini.Part], finish: gemini.FinishReason | None = None) -> bytes:
        response = gemini.GenerateContentResponse(
            candidates=[
                gemini.Candidate(
                    content=gemini.Content(parts=parts, role="model"),
                    finish_reason=finish,
                    index=0,
                )
            ],
            model_version="model-2026",
            response_id=RESPONSE_ID,
            usage_metadata=gemini.GenerateContentResponseUsageMetadata(
                prompt_token_count=INPUT_TOKENS,
                candidates_token_count=OUTPUT_TOKENS if finish else 1,
                cached_content_token_count=CACHED_TOKENS,
            ),
        )
        return f"data: {dump(response)}\r\n\r\n".encode()
