"""Does every duty: calls the service that owns it, or does the scheduler's own."""

from mainspring_kernel.clock import Clock
from mainspring_scheduler.domain import limits
from mainspring_scheduler.domain.duties import Duty, Report
from mainspring_scheduler.ports.duties import DutyCalls
from mainspring_scheduler.ports.schedules import ScheduleStore
from mainspring_scheduler.usecases.firing import Firing


class Duties:
    """What the loop serves."""

    def __init__(
        self, *, calls: DutyCalls, firing: Firing, store: ScheduleStore, clock: Clock
    ) -> None:
        self._calls = calls
        self._firing = firing
        self._store = store
        self._clock = clock

    async def perform(self, duty: Duty) -> Report:
        """One bounded pass, safe to do twice and at the same time. Raises MainspringError."""
        match duty:
            case Duty.SCHEDULES:
                return await self._firing.once()
            case Duty.SLOT_UPKEEP:
                return await self._forget()
            case _:
                return await self._calls.perform(duty)

    async def _forget(self) -> Report:
        limit = limits.SLOTS_PER_UPKEEP_MAX
        before_ms = self._clock.wall_ms() - limits.SLOT_RETENTION_MS
        gone = await self._store.forget(before_ms=before_ms, limit=limit)
        return Report(handled=gone, more=gone >= limit)
