"""Recording values under the names of `names.py`; nothing where nobody collects them."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mainspring_runtime import names
from mainspring_runtime.names import Attributes, Generation, Instrument, Kind
from mainspring_runtime.readings import Source, Sources

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricReader

Recorder = Callable[[float, Attributes], None]


class Metrics:
    """All instruments of a process. Safe from any thread."""

    def __init__(
        self,
        provider: "MeterProvider | None" = None,
        generation: Generation = Generation.G2,
        sources: Sources | None = None,
        text: Callable[[], bytes] | None = None,
    ) -> None:
        self.generation = generation
        self.text = text
        """Everything as Prometheus reads it, where this process is scraped. Takes milliseconds."""
        self._sources = sources or Sources()
        self._provider = provider
        self._meter: Meter | None = (
            provider.get_meter(names.SCOPE, schema_url=names.SCHEMA_URL[generation])
            if provider is not None
            else None
        )
        self._made: dict[str, Recorder] = {}

    @property
    def collected(self) -> bool:
        """Whether anybody looks; costly values need not be computed otherwise."""
        return self._meter is not None

    def watch(self, source: Source) -> None:
        """Asks `source` at each scrape and export, from whatever thread makes it."""
        self._sources.watch(source)

    def add(self, instrument: Instrument, amount: int, attributes: Attributes) -> None:
        """Counts up, or changes a gauge by `amount`."""
        self._each(instrument, amount, attributes)

    def record(self, instrument: Instrument, value: float, attributes: Attributes) -> None:
        """Adds one value to a histogram."""
        self._each(instrument, value, attributes)

    def close(self) -> None:
        """Sends what was not sent yet. Safe twice."""
        provider, self._provider, self._meter = self._provider, None, None
        if provider is not None:
            provider.shutdown()

    def _each(self, instrument: Instrument, value: float, attributes: Attributes) -> None:
        meter = self._meter
        if meter is None:
            return
        translated = names.translate(attributes, self.generation)
        for name in instrument.emitted(self.generation):
            made = self._made.get(name)
            if made is None:
                made = self._made.setdefault(name, _make(meter, name, instrument))
            made(value, translated)


def _make(meter: "Meter", name: str, instrument: Instrument) -> Recorder:
    unit, purpose = instrument.unit, instrument.purpose
    match instrument.kind:
        case Kind.COUNTER:
            return meter.create_counter(name, unit, purpose).add
        case Kind.HISTOGRAM:
            return meter.create_histogram(
                name, unit, purpose, explicit_bucket_boundaries_advisory=instrument.bounds
            ).record
        case Kind.GAUGE:
            return meter.create_gauge(name, unit, purpose).set


def provider_of(readers: "Sequence[MetricReader]", service: str) -> "MeterProvider":
    """The SDK's, for these readers."""
    # Only here: a process that nobody watches never loads the SDK.
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415 - see above
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - see above

    resource = Resource({"service.name": f"mainspring-{service}"})
    return MeterProvider(metric_readers=readers, resource=resource, shutdown_on_exit=False)
