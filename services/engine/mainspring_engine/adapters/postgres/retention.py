"""Removing records of workflows from the wide table of schema `engine`."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from mainspring_engine.ports.retention import Examined, Trim
from mainspring_postgres import Database, load_queries

RETENTION: Final = load_queries("mainspring_engine.adapters.postgres", "retention.sql")


class PostgresRetention:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def examine(self, *, after: UUID, limit: int) -> tuple[Examined, ...]:
        rows = await self._database.fetch_as(Examined, RETENTION["examine"], after, limit)
        return tuple(rows)

    async def trim(self, trims: tuple[Trim, ...], *, limit: int) -> int:
        holding = await self._database.fetch_as(Trim, RETENTION["holding"], *_columns(trims))
        if not holding:
            return 0
        inputs = await self._trim(holding, limit, inputs=True)
        if inputs >= limit:
            return inputs
        return inputs + await self._trim(holding, limit - inputs, inputs=False)

    async def _trim(self, trims: Sequence[Trim], limit: int, *, inputs: bool) -> int:
        return await self._database.fetchval_as(
            int,
            RETENTION["trim_records"],
            *_columns(trims),
            limit,
            inputs,
        )


def _columns(trims: Sequence[Trim]) -> tuple[list[UUID], list[str]]:
    return [trim.workflow_id for trim in trims], [trim.bound for trim in trims]
