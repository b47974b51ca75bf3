"""What reaches a collector: decoded from the bytes that were posted."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from mainspring_kernel.tracing import TraceContext, span_id_for
from mainspring_runtime import names
from mainspring_runtime.settings import ProcessSettings
from mainspring_runtime.telemetry import SpanKind, SpanRecord, SpanStatus, open_telemetry
from tests.integration.collector import Collector, collecting

TASK = UUID(int=7)
ROOT = TraceContext(0xABC, 0x1, sampled=True)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


def test_a_span_arrives_with_the_ids_that_were_chosen(collector: Collector) -> None:
    telemetry = open_telemetry("engine", ProcessSettings(otlp_endpoint=collector.endpoint))
    attempt = ROOT.under(span_id_for(TASK, 1))

    telemetry.record(
        SpanRecord(
            name=names.SPAN_ATTEMPT,
            context=attempt,
            parent_span_id=ROOT.span_id,
            start_ns=10,
            end_ns=20,
            attributes={names.LEASE_FENCE: 2},
            kind=SpanKind.CONSUMER,
            status=SpanStatus.ERROR,
            message="lost",
            links=(ROOT,),
        )
    )
    telemetry.close()

    (body,) = collector.posted["/v1/traces"]
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    (scope,) = resource.scope_spans
    (span,) = scope.spans
    assert (span.trace_id, span.span_id, span.parent_span_id) == (
        attempt.trace_id.to_bytes(16, "big"),
        attempt.span_id.to_bytes(8, "big"),
        ROOT.span_id.to_bytes(8, "big"),
    )
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (10, 20)
    assert (span.kind, span.status.code, span.status.message) == (
        Span.SPAN_KIND_CONSUMER,
        Status.STATUS_CODE_ERROR,
        "lost",
    )
    assert [link.span_id for link in span.links] == [ROOT.span_id.to_bytes(8, "big")]
    assert scope.schema_url == names.SCHEMA_URL[names.Generation.G2]
    assert resource.resource.attributes[0].value.string_value == "mainspring-engine"


def test_metrics_arrive_under_the_names_of_their_generation(collector: Collector) -> None:
    settings = ProcessSettings(otlp_endpoint=collector.endpoint, semconv_opt_in="gen_ai_1_41")
    telemetry = open_telemetry("engine", settings)

    telemetry.metrics.record(names.MODEL_DURATION, 0.5, {names.REQUEST_MODEL: "m"})
    telemetry.close()

    (body,) = collector.posted["/v1/metrics"]
    (resource,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
    metric = next(m for m in resource.scope_metrics[0].metrics if m.HasField("histogram"))
    assert (metric.name, metric.unit) == ("gen_ai.client.operation.duration", "s")
    assert metric.histogram.data_points[0].explicit_bounds[0] == 0.01
