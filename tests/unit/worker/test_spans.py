"""Spans of model and tool calls: under the attempt, and nothing hangs under them."""

import pytest

from mainspring_kernel.tracing import TraceContext, current_trace
from mainspring_runtime import names
from mainspring_runtime.spans import SpanKind, SpanRecord, SpanStatus
from mainspring_runtime.telemetry import Telemetry
from mainspring_schema.events import Usage
from mainspring_schema.tasks import Failure, ReasonResult, ToolResult
from mainspring_worker.adapters.spans import RecordedSpans
from mainspring_worker.ports.model import ModelRequest
from tests.unit.worker.making import agent, reason_payload, task, tool_payload


class Sink:
    def __init__(self) -> None:
        self.records: list[SpanRecord] = []

    def put(self, record: SpanRecord) -> None:
        self.records.append(record)

    def close(self) -> None:
        return


def test_model_call_hangs_under_the_attempt_with_its_usage() -> None:
    sink, given = Sink(), task(payload=reason_payload())
    spans = RecordedSpans(Telemetry(sinks=[sink]))
    request = ModelRequest(choice=agent().model, system="", messages=())

    with spans.model_call(given, reason_payload(), request) as span:
        span.ended(ReasonResult(usage=Usage(input_tokens=3), finish_reason="stop"))

    attempt = TraceContext.parse(given.traceparent)
    assert attempt is not None
    (record,) = sink.records
    assert (record.name, record.kind) == ("chat fake-1", SpanKind.CLIENT)
    assert (record.context.trace_id, record.parent_span_id) == (attempt.trace_id, attempt.span_id)
    assert record.attributes[names.USAGE_INPUT] == 3
    assert record.attributes[names.RESPONSE_FINISH_REASONS] == ("stop",)


def test_what_other_services_record_inside_hangs_under_the_attempt() -> None:
    given = task(payload=tool_payload())
    spans = RecordedSpans(Telemetry(sinks=[Sink()]))

    with spans.tool_call(given, tool_payload()):
        inside = current_trace()

    assert inside == TraceContext.parse(given.traceparent)


@pytest.mark.parametrize(
    ("result", "error_type"),
    [
        (ToolResult(status="timeout", error="late"), "timeout"),
        (
            ToolResult(
                status="error",
                failure=Failure(error_class="unknown", code="tool_failed", message=""),
            ),
            "tool_failed",
        ),
    ],
    ids=["by status", "by code"],
)
def test_failed_tool_call_says_why(result: ToolResult, error_type: str) -> None:
    sink = Sink()
    spans = RecordedSpans(Telemetry(sinks=[sink]))

    with spans.tool_call(task(), tool_payload()) as span:
        span.ended(result)

    (record,) = sink.records
    assert record.name == "execute_tool echo"
    assert record.status is SpanStatus.ERROR
    assert record.attributes[names.ERROR_TYPE] == error_type


def test_arguments_and_results_are_left_out_unless_asked_for() -> None:
    sink = Sink()
    spans = RecordedSpans(Telemetry(sinks=[sink]))

    with spans.tool_call(task(), tool_payload(arguments={"secret": 1})) as span:
        span.ended(ToolResult(status="success", result="secret"))

    assert not names.CONTENT & sink.records[0].attributes.keys()
