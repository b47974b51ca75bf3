from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mainspring_kernel.clock import Clock
from mainspring_scheduler.adapters.memory.schedules import MemoryScheduleStore
from mainspring_scheduler.domain.duties import Claimed, Claims, Duty, Plan, Settlement


@dataclass(kw_only=True)
class _Row:
    period_ms: int
    hold_ms: int
    due_ms: float
    failures: int = 0


class MemoryDutyStore:
    """Looks at the schedules of the same memory, as the Postgres store does in its database."""

    def __init__(self, clock: Clock, schedules: MemoryScheduleStore) -> None:
        self._clock = clock
        self._schedules = schedules
        self._rows: dict[Duty, _Row] = {}

    async def plant(self, plans: Sequence[Plan]) -> None:
        for plan in plans:
            known = self._rows.get(plan.duty)
            self._rows[plan.duty] = _Row(
                period_ms=plan.period_ms,
                hold_ms=plan.hold_ms,
                due_ms=self._now_ms(),
                failures=known.failures if known else 0,
            )

    async def claim(self, duties: Collection[Duty]) -> Claims:
        now_ms = self._now_ms()
        due_in_ms = self._schedules.due_in_ms()
        idle = due_in_ms is None or due_in_ms > 0
        taken: list[Claimed] = []
        for duty in sorted(duties):
            row = self._rows.get(duty)
            if duty is Duty.SCHEDULES and idle:
                continue
            if row is not None and row.due_ms <= now_ms:
                holds = (now_ms - row.due_ms) // row.hold_ms + 1
                row.due_ms += holds * row.hold_ms
                taken.append(Claimed(name=duty, failures=row.failures))
        return Claims(duties=tuple(taken), due_in_ms=due_in_ms)

    async def settle(self, settlement: Settlement) -> None:
        row = self._rows.get(settlement.duty)
        if row is not None:
            row.due_ms = self._now_ms() + settlement.due_in_ms
            row.failures = settlement.failures

    def _now_ms(self) -> float:
        return self._clock.mono() * 1000
