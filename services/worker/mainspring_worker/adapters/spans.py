"""Spans of model and tool calls, in the words of the GenAI conventions."""

from collections.abc import Generator
from contextlib import contextmanager

from mainspring_kernel.tracing import TraceContext, use_trace
from mainspring_runtime import names
from mainspring_runtime.names import Attribute
from mainspring_runtime.telemetry import Span, SpanKind, Telemetry
from mainspring_schema.codec import to_json
from mainspring_schema.frames import Task
from mainspring_schema.tasks import ReasonResult, ReasonTask, ToolResult, ToolTask
from mainspring_worker.ports.model import ModelRequest
from mainspring_worker.ports.telemetry import ModelSpan, ToolSpan

_IN_PROCESS = frozenset({"llmsim", "relay"})
"""Models without a remote side: their spans are INTERNAL by the convention."""


class RecordedSpans:
    """Hangs spans under the attempt, and keeps the attempt the current trace inside them."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    @contextmanager
    def model_call(
        self, task: Task, payload: ReasonTask, request: ModelRequest
    ) -> Generator[ModelSpan]:
        choice = request.choice
        attributes: dict[str, Attribute] = {
            **_common(task, iteration=payload.iteration),
            names.OPERATION_NAME: names.OPERATION_CHAT,
            names.PROVIDER_NAME: choice.provider,
            names.REQUEST_MODEL: choice.model,
            names.REQUEST_STREAM: True,
        }
        if request.reasoning_effort is not None:
            attributes[names.REQUEST_REASONING_LEVEL] = request.reasoning_effort
        kind = SpanKind.INTERNAL if choice.driver in _IN_PROCESS else SpanKind.CLIENT
        above = TraceContext.parse(task.traceparent)
        span_name = names.chat_span(choice.model)
        with (
            self._telemetry.span(span_name, parent=above, kind=kind, attributes=attributes) as span,
            use_trace(above),
        ):
            yield _Model(span)

    @contextmanager
    def tool_call(self, task: Task, payload: ToolTask) -> Generator[ToolSpan]:
        attributes: dict[str, Attribute] = {
            **_common(task, iteration=payload.iteration),
            names.OPERATION_NAME: names.OPERATION_TOOL,
            names.TOOL_NAME: payload.name,
            names.TOOL_TYPE: "function",
            names.TOOL_CALL_ID: payload.call_id,
            names.EFFECT_CLASS: payload.effect_class,
        }
        above = TraceContext.parse(task.traceparent)
        span_name = names.tool_span(payload.name)
        with (
            self._telemetry.span(span_name, parent=above, attributes=attributes) as span,
            use_trace(above),
        ):
            if span.recorded:
                span.set(names.TOOL_CALL_ARGUMENTS, to_json(payload.arguments).decode())
            yield _Tool(span)


def _common(task: Task, *, iteration: int) -> dict[str, Attribute]:
    return {
        names.CONVERSATION_ID: f"session_{task.session_id.hex}",
        names.ORG_ID: f"org_{task.org_id.hex}",
        names.TASK_ID: f"task_{task.held.task_id.hex}",
        names.LEASE_FENCE: task.held.fence,
        names.TURN_ITERATIONS: iteration,
    }


class _Model:
    def __init__(self, span: Span) -> None:
        self._span = span

    def ended(self, result: ReasonResult) -> None:
        span = self._span
        if not span.recorded:
            return
        usage = result.usage
        known: dict[str, Attribute | None] = {
            names.USAGE_INPUT: usage.input_tokens,
            names.USAGE_OUTPUT: usage.output_tokens,
            names.USAGE_CACHE_READ: usage.cache_read_tokens,
            names.USAGE_CACHE_WRITE: usage.cache_creation_tokens,
            names.USAGE_REASONING: usage.reasoning_tokens,
            names.RESPONSE_ID: result.response_id,
            names.RESPONSE_MODEL: result.response_model,
        }
        if result.finish_reason is not None:
            known[names.RESPONSE_FINISH_REASONS] = (result.finish_reason,)
        if result.time_to_first_token_ms is not None:
            known[names.RESPONSE_TIME_TO_FIRST_CHUNK] = result.time_to_first_token_ms / 1000
        for name, value in known.items():
            if value is not None:
                span.set(name, value)
        if result.failure is not None:
            span.fail(result.failure.code, result.failure.message)


class _Tool:
    def __init__(self, span: Span) -> None:
        self._span = span

    def ended(self, result: ToolResult) -> None:
        if not self._span.recorded:
            return
        self._span.set(names.TOOL_CALL_RESULT, to_json(result.result).decode())
        if result.status != "success":
            code = result.failure.code if result.failure is not None else result.status
            self._span.fail(code, result.error or "")
