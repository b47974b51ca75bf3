"""Traces: ordinary spans around code, and spans recorded after the fact with chosen ids.

Two kinds, because a span that lives in a process dies with it. What a turn consists of (the turn,
its steps' attempts) is recorded by the control plane once the outcome is committed, with ids that
follow from the rows (`span_id_for`), so that what other processes hung under those ids fits, also
after a SIGKILL: where the control plane itself was killed before it wrote them, the engine that
starts next makes them again. Spans of one process around its own work are ordinary.

A trace that is not sampled costs a context variable and nothing else.
"""

import time
from collections.abc import Callable, Sequence
from contextvars import Token
from types import TracebackType
from typing import Final

import msgspec

from mainspring_kernel.draws import Draws, SystemDraws
from mainspring_kernel.tracing import (
    TraceContext,
    current_trace,
    enter_trace,
    leave_trace,
    new_trace,
    span_id_for,
    use_trace,
)
from mainspring_runtime import names
from mainspring_runtime.metrics import Metrics
from mainspring_runtime.names import Attribute, Attributes, Generation
from mainspring_runtime.settings import ProcessSettings
from mainspring_runtime.span_files import SpanFile
from mainspring_runtime.spans import SpanKind, SpanRecord, SpanSink, SpanStatus

__all__ = [
    "OFF",
    "Policy",
    "Span",
    "SpanKind",
    "SpanRecord",
    "SpanStatus",
    "Telemetry",
    "TraceContext",
    "current_trace",
    "new_trace",
    "span_id_for",
    "use_trace",
]

_MESSAGE_CHARS_MAX: Final = 500


class Span:
    """What runs inside a `span` block sees of it. Without a sampled trace it forgets everything."""

    __slots__ = ("_attributes", "context", "message", "status")

    def __init__(self, context: TraceContext | None, attributes: Attributes | None) -> None:
        self.context = context
        """To hang work elsewhere under this span; None where there is no trace at all."""
        self.status = SpanStatus.UNSET
        self.message = ""
        self._attributes = dict(attributes or {}) if self.recorded else None

    @property
    def recorded(self) -> bool:
        """Whether costly attributes are worth computing."""
        return self.context is not None and self.context.sampled

    @property
    def attributes(self) -> Attributes:
        """Those set so far."""
        return self._attributes or {}

    def set(self, name: str, value: Attribute) -> None:
        """Adds or replaces an attribute; its name stands in `names.py`."""
        if self._attributes is not None:
            self._attributes[name] = value

    def fail(self, kind: str, message: str = "") -> None:
        """Marks the span as failed; `kind` is an error's code or class, of few values."""
        self.status = SpanStatus.ERROR
        self.message = message[:_MESSAGE_CHARS_MAX]
        self.set(names.ERROR_TYPE, kind)


class SpanBlock:
    """The `with` block of a span. A class, for a generator would cost an unsampled one most."""

    __slots__ = ("_span", "_started", "_telemetry", "_token")

    def __init__(
        self, telemetry: "Telemetry", context: TraceContext | None, started: SpanRecord | None
    ) -> None:
        self._telemetry = telemetry
        self._started = started
        self._span = Span(context, started.attributes if started else None)
        self._token: Token[TraceContext | None] | None = None

    def __enter__(self) -> Span:
        self._token = enter_trace(self._span.context)
        return self._span

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:
            leave_trace(self._token)
        if self._started is None:
            return
        span = self._span
        if error is not None and span.status is SpanStatus.UNSET:
            span.fail(_error_type(error), str(error))
        self._telemetry.record(
            msgspec.structs.replace(
                self._started,
                end_ns=self._telemetry.now_ns(),
                attributes=span.attributes,
                status=span.status,
                message=span.message,
            )
        )


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What is recorded and in which words."""

    ratio: float = 1.0
    """Part of the new traces that are sampled."""
    generation: Generation = Generation.G2
    capture_content: bool = False
    """Whether spans may hold what people and models said."""


class Telemetry:
    """The traces of one process: where they go and in which words. Made once, in main."""

    def __init__(
        self,
        *,
        sinks: Sequence[SpanSink] = (),
        metrics: Metrics | None = None,
        policy: "Policy | None" = None,
        draws: Draws | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._sinks = tuple(sinks)
        self._policy = policy or Policy()
        self._draws = draws or SystemDraws()
        self._now_ns = now_ns
        self.metrics = metrics or Metrics()

    @property
    def recording(self) -> bool:
        """Whether spans go anywhere at all."""
        return bool(self._sinks)

    def new_trace(self) -> TraceContext:
        """A fresh trace, sampled by the configured ratio; never, where spans go nowhere.

        Sampling is decided here and nowhere else; the task row carries the decision.
        """
        return new_trace(self._draws, self._policy.ratio if self._sinks else 0.0)

    def new_span_id(self) -> int:
        """A random id that is not zero."""
        return self._draws.bits(64) or 1

    def now_ns(self) -> int:
        """The time as spans count it."""
        return self._now_ns()

    def span(
        self,
        name: str,
        *,
        parent: TraceContext | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes | None = None,
        links: tuple[TraceContext, ...] = (),
    ) -> "SpanBlock":
        """A span around a `with` block, under `parent` or else the current trace, current inside.

        An error that leaves the block marks it as failed. Without any trace nothing is recorded.
        """
        above = parent or current_trace()
        if above is None or not above.sampled:
            return SpanBlock(self, above, None)
        started = SpanRecord(
            name=name,
            context=above.under(self.new_span_id()),
            parent_span_id=above.span_id,
            start_ns=self._now_ns(),
            end_ns=0,
            attributes=attributes or {},
            kind=kind,
            links=links,
        )
        return SpanBlock(self, started.context, started)

    def record(self, span: SpanRecord) -> None:
        """Records a finished span with exactly the ids it has. Nothing where it is not sampled.

        Recording a span twice, as two control planes may after a crash, is harmless: both records
        are the same span.
        """
        if not span.context.sampled or not self._sinks:
            return
        worded = msgspec.structs.replace(
            span,
            end_ns=max(span.end_ns, span.start_ns),
            attributes=self._words(span.attributes),
        )
        for sink in self._sinks:
            sink.put(worded)

    def close(self) -> None:
        """Writes and sends the rest. Safe twice."""
        sinks, self._sinks = self._sinks, ()
        for sink in sinks:
            sink.close()
        self.metrics.close()

    def _words(self, attributes: Attributes) -> dict[str, Attribute]:
        words = names.translate(attributes, self._policy.generation)
        if not self._policy.capture_content:
            for name in names.CONTENT & words.keys():
                del words[name]
        return words


def _error_type(error: BaseException) -> str:
    code: object = getattr(error, "code", None)
    return code if isinstance(code, str) else type(error).__name__


OFF: Final = Telemetry()
"""Records nothing: for tests and for code that is used without a service around it."""


def open_telemetry(service: str, settings: ProcessSettings) -> Telemetry:
    """Telemetry as the settings of a process ask for it."""
    generation = names.generation_of(settings.semconv_opt_in)
    sinks: list[SpanSink] = []
    if settings.trace_dir is not None:
        sinks.append(SpanFile(settings.trace_dir, service))
    if settings.otlp_endpoint:
        # Only here: without a collector the exporters are never loaded.
        from mainspring_runtime import otlp  # noqa: PLC0415 - see above

        sinks.append(otlp.spans_to(settings.otlp_endpoint, service, generation))
    return Telemetry(
        sinks=sinks,
        metrics=_open_metrics(service, settings, generation),
        policy=Policy(
            ratio=settings.trace_ratio,
            generation=generation,
            capture_content=settings.capture_content.upper() in ("SPAN_ONLY", "SPAN_AND_EVENT"),
        ),
    )


def _open_metrics(service: str, settings: ProcessSettings, generation: Generation) -> Metrics:
    endpoint, scraped = settings.otlp_endpoint, settings.metrics_bind is not None
    if not (endpoint or scraped):
        return Metrics(generation=generation)
    # As above: only where somebody collects.
    from mainspring_runtime import readers  # noqa: PLC0415 - see above

    exporter = None
    if endpoint:
        from mainspring_runtime import otlp  # noqa: PLC0415 - see above

        exporter = otlp.metrics_to(endpoint)
    return readers.collected(service, generation, scraped=scraped, exporter=exporter)
