"""The duties in a dictionary: for `dev`, the simulator and tests."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mainspring_kernel.clock import Clock
from mainspring_scheduler.domain import Claimed, Duty, Plan, Settlement


@dataclass(kw_only=True)
class _Row:
    period_ms: int
    hold_ms: int
    due_ms: float
    failures: int = 0


class MemoryDutyStore:
    """The twin of the Postgres store; one event loop takes the place of row locks."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
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

    async def claim(self, duties: Collection[Duty]) -> list[Claimed]:
        now_ms = self._now_ms()
        taken: list[Claimed] = []
        for duty in sorted(duties):
            row = self._rows.get(duty)
            if row is not None and row.due_ms <= now_ms:
                holds = (now_ms - row.due_ms) // row.hold_ms + 1
                row.due_ms += holds * row.hold_ms
                taken.append(Claimed(name=duty, failures=row.failures))
        return taken

    async def settle(self, settlement: Settlement) -> None:
        row = self._rows.get(settlement.duty)
        if row is not None:
            row.due_ms = self._now_ms() + settlement.due_in_ms
            row.failures = settlement.failures

    def _now_ms(self) -> float:
        return self._clock.mono() * 1000
