"""Percentiles of samples: the nearest rank, so that every figure is one that was measured."""

import math
from collections.abc import Sequence

from msgspec import Struct


class Spread(Struct, frozen=True, kw_only=True):
    """Of one kind of sample, in the samples' unit."""

    count: int
    p50: float
    p95: float
    p99: float
    worst: float


def percentile(ordered: Sequence[float], part: float) -> float:
    """The smallest sample that `part` (0 to 1) of all samples do not exceed.

    Raises ValueError without samples.
    """
    if not ordered:
        msg = "there are no samples"
        raise ValueError(msg)
    rank = math.ceil(part * len(ordered))
    return ordered[min(max(rank, 1), len(ordered)) - 1]


def spread(samples: Sequence[float]) -> Spread:
    """Raises ValueError without samples."""
    ordered = sorted(samples)
    return Spread(
        count=len(ordered),
        p50=percentile(ordered, 0.50),
        p95=percentile(ordered, 0.95),
        p99=percentile(ordered, 0.99),
        worst=percentile(ordered, 1.0),
    )
