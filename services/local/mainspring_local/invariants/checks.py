"""Asks the invariants of one snapshot.

Each query answers one row: how many rows it examined, and the ids of those that break its rule,
twenty at most. A query that examined nothing has proved nothing, so the count is always shown.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from mainspring_postgres import Database, Transaction, load_queries
from mainspring_postgres.queries import Query

_FILES: Final = (
    "tasks.sql",
    "effects.sql",
    "plain.sql",
    "inputs.sql",
    "turns.sql",
    "children.sql",
    "log.sql",
    "schedules.sql",
    "budgets.sql",
)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One invariant in one snapshot; it holds where `violating` is empty."""

    name: str
    rule: str
    examined: int
    violating: tuple[str, ...]


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    examined: int
    violating: list[str]


def invariants() -> list[Query]:
    """All of them, in the order of their files."""
    loaded = [load_queries("mainspring_local.invariants", file) for file in _FILES]
    return [queries[name] for queries in loaded for name in queries]


async def examine(database: Database, queries: Sequence[Query]) -> list[Finding]:
    """What the queries say of one and the same moment."""
    async with database.snapshot() as tx:
        return [await ask(tx, query) for query in queries]


async def ask(tx: Transaction, query: Query) -> Finding:
    """What one query says inside `tx`."""
    answer = await tx.fetchrow_as(_Answer, query)
    assert answer is not None  # noqa: S101 -- an aggregate without groups has one row
    return Finding(
        name=query.name,
        rule=query.purpose,
        examined=answer.examined,
        violating=tuple(answer.violating),
    )
