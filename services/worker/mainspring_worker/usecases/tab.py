"""What the judges of a step have used, even if the step fails or is cut off."""

from collections.abc import Generator
from contextlib import contextmanager

from mainspring_kernel.clock import Clock
from mainspring_schema.events import Usage
from mainspring_schema.tasks import Judged


class Bill:
    """One judge's call: without usage where it did not come to an answer."""

    usage: Usage = Usage()


class Tab:
    """One per step."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.judged = Judged()

    @contextmanager
    def judge(self) -> Generator[Bill]:
        """Counts the call inside, also where it fails or is cut off."""
        bill, began = Bill(), self._clock.mono()
        try:
            yield bill
        finally:
            spent_ms = round((self._clock.mono() - began) * 1000)
            more = Judged(calls=1, usage=bill.usage, duration_ms=spent_ms)
            self.judged = self.judged.plus(more)
