"""Counts and distributions in plain memory, for what happens thousands of times a second.

A note is a search in a short tuple and two additions; what they are called outside and who reads
them is decided where they are read (`mainspring_runtime.readings`). Written by one thread, read by
any: a reader may see a value whose sum is not added yet, never a broken structure.
"""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from mainspring_kernel.limits import METRIC_SERIES_MAX

OTHER: Final = "_OTHER"
"""Stands for every key that came when there were METRIC_SERIES_MAX already."""
Key = tuple[str, ...]


def doubling(first: float, count: int) -> tuple[float, ...]:
    """Upper bounds, each twice the one before."""
    return tuple(round(first * (1 << n), 6) for n in range(count))


class Spread:
    """A distribution: how many values lie at or below each bound and above the one before."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        """One for each bound, and one for what lies above all."""
        self.total = 0.0

    def note(self, value: float) -> None:
        """Adds one value; what lies below nothing (a clock that stepped back) counts as nothing."""
        value = max(value, 0.0)
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Spreads:
    """One distribution per key, METRIC_SERIES_MAX at most; later keys add up under OTHER."""

    __slots__ = ("_bounds", "_spreads")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._spreads: dict[Key, Spread] = {}

    def note(self, key: Key, value: float) -> None:
        """Adds one value to the key's."""
        spread = self._spreads.get(key)
        if spread is None:
            spread = self._made(key)
        spread.note(value)

    def items(self) -> Iterator[tuple[Key, Spread]]:
        """From any thread."""
        return iter(tuple(self._spreads.items()))

    def _made(self, key: Key) -> Spread:
        return self._spreads.setdefault(_bounded(key, self._spreads), Spread(self._bounds))


class Counts:
    """One count per key, bounded alike."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[Key, int] = {}

    def add(self, key: Key, amount: int = 1) -> None:
        """Counts up."""
        known = self._counts.get(key)
        if known is None:
            key = _bounded(key, self._counts)
            known = self._counts.get(key, 0)
        self._counts[key] = known + amount

    def items(self) -> Iterator[tuple[Key, int]]:
        """From any thread."""
        return iter(tuple(self._counts.items()))


def _bounded(key: Key, known: dict[Key, Spread] | dict[Key, int]) -> Key:
    return key if len(known) < METRIC_SERIES_MAX else (OTHER,) * len(key)
