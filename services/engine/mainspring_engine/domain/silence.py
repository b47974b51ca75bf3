"""Whether a worker that says nothing may still be given work.

A frozen process keeps its connection, so only its missing beats tell. A silent worker is not thrown
out: its leases end by themselves, and with its first frame it is as good as before.
"""

from mainspring_engine.domain.limits import WORKER_SILENT_HOLDING_S, WORKER_SILENT_IDLE_S


class Silence:
    """Of one stream. Counted in watched time, so an engine that was frozen itself blames nobody."""

    __slots__ = ("_heard", "_held_before", "_seconds")

    def __init__(self) -> None:
        self._seconds = 0.0
        self._heard = True
        self._held_before = False

    def heard(self) -> None:
        self._heard = True

    def passes(self, seconds: float, *, holding: bool) -> bool:
        """Whether it has now lasted too long. Called every `seconds`."""
        # Who was given something beats sooner from now on: what was owed before does not count.
        fresh = self._heard or (holding and not self._held_before)
        self._seconds = 0.0 if fresh else self._seconds + seconds
        self._heard = False
        self._held_before = holding
        return self._seconds > (WORKER_SILENT_HOLDING_S if holding else WORKER_SILENT_IDLE_S)
