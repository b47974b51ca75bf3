"""What reaches a collector: decoded from the bytes that were posted."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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

TASK = UUID(int=7)
ROOT = TraceContext(0xABC, 0x1, sampled=True)


class Collector:
    """Keeps what is posted, by path."""

    def __init__(self) -> None:
        self.posted: dict[str, list[bytes]] = {}
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    self.send_error(415)
                    return
                collector.posted.setdefault(self.path, []).append(body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


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
    (metric,) = resource.scope_metrics[0].metrics
    assert (metric.name, metric.unit) == ("gen_ai.client.operation.duration", "s")
    assert metric.histogram.data_points[0].explicit_bounds[0] == 0.01
