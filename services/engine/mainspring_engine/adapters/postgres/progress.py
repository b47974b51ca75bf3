"""The progress that steps report, in one small table of schema `engine`."""

from typing import Final, cast

from mainspring_engine.ports.progress import Report
from mainspring_postgres import Database, Row, load_queries
from mainspring_schema.frames import StepProgress, Verdict

PROGRESS: Final = load_queries("mainspring_engine.adapters.postgres", "progress.sql")


class PostgresProgress:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, reports: tuple[Report, ...]) -> tuple[Verdict, ...]:
        rows = await self._database.fetch(
            PROGRESS["keep_progress"],
            [r.progress.held.task_id for r in reports],
            [r.progress.held.fence for r in reports],
            [r.incarnation for r in reports],
            [r.progress.counter for r in reports],
            [r.progress.step for r in reports],
            [r.progress.details for r in reports],
        )
        return tuple(Verdict.COMMITTED if row["fits"] else Verdict.STALE for row in rows)

    async def forget(self, limit: int) -> int:
        return await self._database.fetchval_as(int, PROGRESS["forget_progress"], limit)


def progress_of(rows: list[Row]) -> tuple[StepProgress, ...]:
    """Of a claim."""
    return tuple(
        StepProgress(cast("str", row["step"]), cast("bytes", row["details"])) for row in rows
    )
