"""What workers reported of failed attempts: rows written in the transaction that closes them."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from msgspec import Struct

from mainspring_engine.domain.changes import Changes
from mainspring_postgres import Database, Query, Row, load_queries

ERRORS: Final = load_queries("mainspring_engine.adapters.postgres", "errors.sql")


class AttemptError(Struct, frozen=True):
    """Of the attempt that closed with that result."""

    task_id: UUID
    fence: int
    result_hash: bytes
    message: str


def errors_of(flight: tuple[Changes, ...]) -> list[AttemptError]:
    return [
        AttemptError(close.task_id, close.fence, close.result_hash, close.error_message)
        for changes in flight
        for close in changes.closes
        if close.error_message
    ]


async def closing(
    database: Database, errors: Sequence[AttemptError], query: Query, *args: object
) -> list[Row]:
    """The rows of a statement that closes attempts. Most of them have nothing to tell."""
    if not errors:
        return await database.fetch(query, *args)
    async with database.transaction() as tx:
        rows = await tx.fetch(query, *args)
        await tx.execute(
            ERRORS["keep_errors"],
            [error.task_id for error in errors],
            [error.fence for error in errors],
            [error.result_hash for error in errors],
            [error.message for error in errors],
        )
    return rows
