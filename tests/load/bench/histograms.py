"""Latencies in HdrHistograms: bounded memory, any percentile, and sums over processes.

A value is kept to three digits, from a thousandth of its unit to ten minutes of milliseconds.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Protocol, Self, cast

from hdrh.histogram import HdrHistogram
from msgspec import Struct

DIGITS: Final = 3
PER_UNIT: Final = 1000
VALUE_MAX: Final = 600_000.0
QUANTILES: Final = (
    *(part / 100 for part in range(0, 90, 2)),
    *(0.9 + part / 1000 for part in range(0, 90, 5)),
    *(0.99 + part / 10_000 for part in range(0, 90, 5)),
    0.999, 0.9995, 0.9999, 0.99995, 0.99999, 1.0,
)  # fmt: skip


class Spread(Struct, frozen=True, kw_only=True):
    """Of one kind of sample, in the samples' unit."""

    count: int
    p50: float
    p95: float
    p99: float
    worst: float


class _Hdr(Protocol):
    def record_value(self, value: int, count: int = 1) -> bool: ...
    def get_value_at_percentile(self, percentile: float) -> int: ...
    def get_total_count(self) -> int: ...
    def encode(self) -> bytes: ...
    def decode_and_add(self, encoded_histogram: bytes) -> None: ...


class Histogram:
    def __init__(self) -> None:
        self._hdr = cast("_Hdr", HdrHistogram(1, round(VALUE_MAX * PER_UNIT), DIGITS))

    @classmethod
    def of(cls, samples: Iterable[float]) -> Self:
        found = cls()
        for sample in samples:
            found.record(sample)
        return found

    @classmethod
    def summed(cls, encoded: Iterable[str]) -> Self:
        """What several processes recorded."""
        found = cls()
        for one in encoded:
            found._hdr.decode_and_add(one.encode())
        return found

    def record(self, value: float) -> None:
        """Beyond its ends a value counts as the end: lost samples would flatter."""
        self._hdr.record_value(round(min(max(value, 0.0), VALUE_MAX) * PER_UNIT))

    @property
    def count(self) -> int:
        return self._hdr.get_total_count()

    def percentile(self, part: float) -> float:
        """The value that `part` (0 to 1) of all samples do not exceed. Raises ValueError."""
        if not self.count:
            msg = "there are no samples"
            raise ValueError(msg)
        return self._hdr.get_value_at_percentile(part * 100) / PER_UNIT

    def spread(self) -> Spread:
        """Raises ValueError without samples."""
        return Spread(
            count=self.count,
            p50=self.percentile(0.50),
            p95=self.percentile(0.95),
            p99=self.percentile(0.99),
            worst=self.percentile(1.0),
        )

    def curve(self) -> Iterator[tuple[float, float]]:
        """(part, value) from the best to the worst; nothing beyond what the count can tell."""
        for part in QUANTILES:
            if part == 1.0 or part <= 1 - 1 / self.count:
                yield part, self.percentile(part)

    def encode(self) -> str:
        """The compressed form that HdrHistogram's tools in all languages read."""
        return self._hdr.encode().decode()


def spread(samples: Sequence[float]) -> Spread:
    """Raises ValueError without samples."""
    return Histogram.of(samples).spread()
