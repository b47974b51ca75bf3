from collections.abc import Collection, Sequence
from typing import Final

from msgspec import Struct

from mainspring_postgres import Database, load_queries
from mainspring_scheduler.domain import limits
from mainspring_scheduler.domain.duties import Claimed, Claims, Duty, Plan, Settlement

_Q: Final = load_queries("mainspring_scheduler.adapters.postgres", "duties.sql")


class _ClaimRow(Struct, frozen=True, kw_only=True):
    """A claimed duty, or none; when a schedule is due stands in each row."""

    name: Duty | None
    failures: int | None
    due_in_ms: int | None


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

    async def claim(self, duties: Collection[Duty]) -> Claims:
        rows = await self._database.fetch_as(
            _ClaimRow,
            _Q["claim_due_duties"],
            [duty.value for duty in duties],
            limits.DUTIES_PER_CLAIM_MAX,
        )
        return Claims(
            duties=tuple(
                Claimed(name=row.name, failures=row.failures or 0)
                for row in rows
                if row.name is not None
            ),
            due_in_ms=rows[0].due_in_ms,
        )

    async def settle(self, settlement: Settlement) -> None:
        await self._database.execute(
            _Q["settle_duty"],
            settlement.duty.value,
            settlement.due_in_ms,
            settlement.failures,
        )
