"""The engine's estimate of the database clock, for the times it proposes. Leases never use it."""

from mainspring_kernel.clock import Clock


class DatabaseTime:
    """Learns from every reply; between two it goes with the monotonic clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._base_ms = clock.wall_ms()
        self._base_mono = clock.mono()

    def learn(self, database_ms: int) -> None:
        self._base_ms = database_ms
        self._base_mono = self._clock.mono()

    def now_ms(self) -> int:
        return self._base_ms + int((self._clock.mono() - self._base_mono) * 1000)
