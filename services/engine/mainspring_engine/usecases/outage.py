"""Whether leases could not be renewed for so long that they ran out, which is nobody's death.

A restart of Postgres is seen by its own start. One that is there and takes nothing, read-only, full
or behind a network that is cut, is seen here, by each engine for itself.
"""

import math
from collections.abc import Generator
from contextlib import contextmanager

from mainspring_engine.domain.limits import OUTAGE_S, POSTGRES_SETTLE_S
from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import Unavailable


class Outage:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since_s: float | None = None
        """When that began which failed first; None where the store serves."""
        self._settled_s = -math.inf

    @contextmanager
    def watched(self) -> Generator[None]:
        """Around what is asked of the store. One that says nothing is away since it was asked."""
        began_s = self._clock.mono()
        try:
            yield
        except Unavailable:
            self._since_s = began_s if self._since_s is None else self._since_s
            raise

    def served(self) -> None:
        """The store took a renewal, or a pass over leases of any engine."""
        now_s = self._clock.mono()
        if self._since_s is not None and now_s - self._since_s >= OUTAGE_S:
            self._settled_s = now_s + POSTGRES_SETTLE_S
        self._since_s = None

    @property
    def excuses(self) -> bool:
        """Whether it may be why a lease was not renewed: it lasts, or workers may not be back."""
        now_s = self._clock.mono()
        if self._since_s is not None and now_s - self._since_s >= OUTAGE_S:
            return True
        return now_s < self._settled_s
