"""Records the span of a posted message under its turn's root."""

from mainspring_runtime import names
from mainspring_runtime.telemetry import SpanKind, SpanRecord, Telemetry, TraceContext


class RecordedPosts:
    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def posted(self, *, parent: str | None, start_ns: int, session_id: str, status: int) -> None:
        root = TraceContext.parse(parent)
        if root is None or not root.sampled:
            return
        self._telemetry.record(
            SpanRecord(
                name=names.SPAN_SUBMIT,
                context=root.under(self._telemetry.new_span_id()),
                parent_span_id=root.span_id,
                start_ns=start_ns,
                end_ns=self._telemetry.now_ns(),
                attributes={
                    names.CONVERSATION_ID: session_id,
                    names.HTTP_METHOD: "POST",
                    names.HTTP_ROUTE: "/api/v1/sessions/{session_id}/messages",
                    names.HTTP_STATUS: status,
                },
                kind=SpanKind.SERVER,
            )
        )
