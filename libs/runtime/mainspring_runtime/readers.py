"""Our readings beside the SDK's own metrics, for whoever collects. Imported only where one does.

A record through the SDK costs some 20 us, a note in memory (`mainspring_kernel.tally`) a
half: what is hot is kept by us and becomes the SDK's data when it is collected.
"""

import time
from itertools import groupby
from typing import Final

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import Meter, Observation
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricReader,
    MetricsData,
    NumberDataPoint,
    PeriodicExportingMetricReader,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from mainspring_kernel.tally import Spread
from mainspring_runtime import names
from mainspring_runtime.metrics import Metrics, provider_of
from mainspring_runtime.names import Generation, Instrument, Kind
from mainspring_runtime.readings import Reading, Sources

_EXPORT_MS: Final = 10_000


class Addition:
    """Appends what the sources of a process say to what the SDK collected."""

    def __init__(self, sources: Sources, generation: Generation) -> None:
        self._sources = sources
        self._generation = generation
        self._scope = InstrumentationScope(names.SCOPE, "", names.SCHEMA_URL[generation])
        self._since_ns = time.time_ns()

    def to(self, collected: MetricsData) -> MetricsData:
        """The same with one scope more. The SDK collects the age of the process at least."""
        first, *others = collected.resource_metrics
        ours = ScopeMetrics(scope=self._scope, metrics=self._metrics(), schema_url="")
        whole = ResourceMetrics(
            resource=first.resource,
            scope_metrics=[*first.scope_metrics, ours],
            schema_url=first.schema_url,
        )
        return MetricsData(resource_metrics=[whole, *others])

    def _metrics(self) -> list[Metric]:
        now_ns = time.time_ns()
        by_name = sorted(self._sources.read(), key=_name)
        return [
            self._metric(name, list(readings), now_ns)
            for name, readings in groupby(by_name, key=_name)
        ]

    def _metric(self, name: str, readings: list[Reading], now_ns: int) -> Metric:
        instrument = readings[0].instrument
        return Metric(
            name=name,
            description=instrument.purpose,
            unit=instrument.unit,
            data=self._data(instrument, readings, now_ns),
        )

    def _data(
        self, instrument: Instrument, readings: list[Reading], now_ns: int
    ) -> Gauge | Sum | Histogram:
        match instrument.kind:
            case Kind.GAUGE:
                return Gauge(data_points=[self._number(each, now_ns) for each in readings])
            case Kind.COUNTER:
                return Sum(
                    data_points=[self._number(each, now_ns) for each in readings],
                    aggregation_temporality=AggregationTemporality.CUMULATIVE,
                    is_monotonic=True,
                )
            case Kind.HISTOGRAM:
                return Histogram(
                    data_points=[self._spread(each, now_ns) for each in readings],
                    aggregation_temporality=AggregationTemporality.CUMULATIVE,
                )

    def _number(self, reading: Reading, now_ns: int) -> NumberDataPoint:
        if isinstance(reading.value, Spread):
            raise TypeError(reading.instrument.g2)
        return NumberDataPoint(
            attributes=names.translate(reading.attributes, self._generation),
            start_time_unix_nano=self._since_ns,
            time_unix_nano=now_ns,
            value=reading.value,
        )

    def _spread(self, reading: Reading, now_ns: int) -> HistogramDataPoint:
        spread = reading.value
        if not isinstance(spread, Spread):
            raise TypeError(reading.instrument.g2)
        counts = tuple(spread.counts)
        return HistogramDataPoint(
            attributes=names.translate(reading.attributes, self._generation),
            start_time_unix_nano=self._since_ns,
            time_unix_nano=now_ns,
            count=sum(counts),
            sum=spread.total,
            bucket_counts=counts,
            explicit_bounds=spread.bounds,
            # Not known, and both may be left out of what is sent.
            min=None,  # pyright: ignore[reportArgumentType] -- see above
            max=None,  # pyright: ignore[reportArgumentType] -- see above
        )


def _name(reading: Reading) -> str:
    return reading.instrument.g2 or ""


class ScrapeReader(PrometheusMetricReader):
    """For Prometheus: text, made when it is asked for."""

    def __init__(self, addition: Addition) -> None:
        self._addition = addition
        self._texts = CollectorRegistry(auto_describe=False)
        super().__init__(registry=self._texts, scope_info_enabled=False)

    def text(self) -> bytes:
        """Everything, in the exposition format. Takes some milliseconds; for another thread."""
        return generate_latest(self._texts)

    def _receive_metrics(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: object
    ) -> None:
        super()._receive_metrics(self._addition.to(metrics_data), timeout_millis, **kwargs)


class ExportReader(PeriodicExportingMetricReader):
    """For a collector by OTLP: sent at a pace of its own, on a thread of its own."""

    def __init__(self, exporter: MetricExporter, addition: Addition) -> None:
        self._addition = addition
        super().__init__(exporter, export_interval_millis=_EXPORT_MS)

    def _receive_metrics(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: object
    ) -> None:
        super()._receive_metrics(self._addition.to(metrics_data), timeout_millis, **kwargs)


def collected(
    service: str, generation: Generation, *, scraped: bool, exporter: MetricExporter | None
) -> Metrics:
    """Metrics for a scraper, for a collector, or for both, with whatever the process adds."""
    sources = Sources()
    addition = Addition(sources, generation)
    readers: list[MetricReader] = []
    scrape = ScrapeReader(addition) if scraped else None
    if scrape is not None:
        readers.append(scrape)
    if exporter is not None:
        readers.append(ExportReader(exporter, addition))
    provider = provider_of(readers, service)
    _tell_age(provider.get_meter(names.SCOPE))
    return Metrics(provider, generation, sources, None if scrape is None else scrape.text)


def _tell_age(meter: Meter) -> None:
    """Of this process. The SDK hands nothing on where it has nothing itself."""
    began_s = time.monotonic()
    age = names.PROCESS_UPTIME
    meter.create_observable_gauge(
        str(age.g2), [lambda _: [Observation(time.monotonic() - began_s)]], age.unit, age.purpose
    )
