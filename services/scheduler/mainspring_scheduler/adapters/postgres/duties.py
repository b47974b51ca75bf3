from collections.abc import Collection, Sequence
from typing import Final

from mainspring_kernel import limits
from mainspring_postgres import Database, load_queries
from mainspring_scheduler.domain import Claimed, Duty, Plan, Settlement

_Q: Final = load_queries("mainspring_scheduler.adapters.postgres", "duties.sql")


class PostgresDutyStore:
    """Rows of `scheduler.duty`. Every operation is a single statement, so it needs no BEGIN."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def plant(self, plans: Sequence[Plan]) -> None:
        await self._database.execute(
            _Q["plant_duties"],
            [plan.duty.value for plan in plans],
            [plan.period_ms for plan in plans],
            [plan.hold_ms for plan in plans],
        )

    async def claim(self, duties: Collection[Duty]) -> list[Claimed]:
        return await self._database.fetch_as(
            Claimed,
            _Q["claim_due_duties"],
            [duty.value for duty in duties],
            limits.DUTIES_PER_CLAIM_MAX,
        )

    async def settle(self, settlement: Settlement) -> None:
        await self._database.execute(
            _Q["settle_duty"],
            settlement.duty.value,
            settlement.due_in_ms,
            settlement.failures,
        )
