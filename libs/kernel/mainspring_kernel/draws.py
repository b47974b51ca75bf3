"""Randomness as a port. What decides takes its draws as values; only wiring holds a source."""

import os
from random import Random
from typing import Protocol


class Draws(Protocol):
    """Where chance comes from."""

    def unit(self) -> float:
        """Uniform in [0, 1)."""
        ...

    def bits(self, count: int) -> int:
        """A uniform number of `count` bits."""
        ...


class SeededDraws:
    """The same draws for the same seed: for tests and the simulator. Nothing secret."""

    def __init__(self, seed: int | bytes) -> None:
        self._random = Random(seed)  # noqa: S311 - jitter and trace ids, nothing secret

    def unit(self) -> float:
        """Uniform in [0, 1)."""
        return self._random.random()

    def bits(self, count: int) -> int:
        """A uniform number of `count` bits."""
        return self._random.getrandbits(count)


class SystemDraws(SeededDraws):
    """Seeded by the operating system: for jitter, sampling and trace ids. Nothing secret."""

    def __init__(self) -> None:
        super().__init__(os.urandom(32))
