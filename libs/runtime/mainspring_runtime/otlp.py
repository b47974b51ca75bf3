"""Spans and metrics to a collector by OTLP over HTTP. Imported only where an endpoint is set.

Records become the SDK's ReadableSpan with exactly the ids they have: spans that must survive a
crash are made after the fact, which the SDK's own tracer cannot do.
"""

from typing import Final

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags
from opentelemetry.trace import SpanKind as OtelKind

from mainspring_kernel import limits
from mainspring_runtime import names
from mainspring_runtime.names import Generation
from mainspring_runtime.spans import SpanKind, SpanRecord, SpanStatus

_KINDS: Final = {
    SpanKind.INTERNAL: OtelKind.INTERNAL,
    SpanKind.SERVER: OtelKind.SERVER,
    SpanKind.CLIENT: OtelKind.CLIENT,
    SpanKind.PRODUCER: OtelKind.PRODUCER,
    SpanKind.CONSUMER: OtelKind.CONSUMER,
}
_STATUSES: Final = {
    SpanStatus.UNSET: StatusCode.UNSET,
    SpanStatus.OK: StatusCode.OK,
    SpanStatus.ERROR: StatusCode.ERROR,
}
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)


class OtlpSpans:
    """The SDK's batching exporter behind our records."""

    def __init__(self, exporter: SpanExporter, service: str, generation: Generation) -> None:
        self._resource = Resource({"service.name": f"mainspring-{service}"})
        self._scope = InstrumentationScope(names.SCOPE, "", names.SCHEMA_URL[generation])
        self._processor = BatchSpanProcessor(
            exporter, max_queue_size=limits.TRACE_QUEUE_SPANS_MAX, schedule_delay_millis=1000
        )

    def put(self, record: SpanRecord) -> None:
        """Queues the span; the SDK drops it where its queue is full."""
        self._processor.on_end(self._readable(record))

    def close(self) -> None:
        """Sends the rest, within the exporter's own timeout."""
        self._processor.shutdown()

    def _readable(self, record: SpanRecord) -> ReadableSpan:
        trace, parent = record.context.trace_id, record.parent_span_id
        return ReadableSpan(
            name=record.name,
            context=_context(trace, record.context.span_id),
            parent=None if parent is None else _context(trace, parent),
            resource=self._resource,
            attributes=record.attributes,
            links=[Link(_context(each.trace_id, each.span_id)) for each in record.links],
            kind=_KINDS[record.kind],
            status=Status(_STATUSES[record.status], record.message or None),
            start_time=record.start_ns,
            end_time=record.end_ns,
            instrumentation_scope=self._scope,
        )


def _context(trace_id: int, span_id: int) -> SpanContext:
    return SpanContext(trace_id, span_id, is_remote=False, trace_flags=_SAMPLED)


def spans_to(endpoint: str, service: str, generation: Generation) -> OtlpSpans:
    """A sink that sends to `endpoint`/v1/traces."""
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=limits.OTLP_EXPORT_S)
    return OtlpSpans(exporter, service, generation)


def metrics_to(endpoint: str) -> OTLPMetricExporter:
    """Sends to `endpoint`/v1/metrics."""
    url = f"{endpoint.rstrip('/')}/v1/metrics"
    return OTLPMetricExporter(url, timeout=limits.OTLP_EXPORT_S)
