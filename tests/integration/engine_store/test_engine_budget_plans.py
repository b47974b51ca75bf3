"""What budgets cost, where an organization has many and another one few."""

from collections.abc import AsyncIterator
from typing import Final, cast
from uuid import UUID

import asyncpg
import pytest

from mainspring_engine.adapters.postgres.budgets import BUDGETS
from mainspring_testkit.fixtures import Database as OwnDatabase

MANY: Final = 3_000
LARGE, SMALL = UUID(int=1), UUID(int=2)
SESSION: Final = UUID(int=3)
FILL: Final = """
insert into engine.budget (
    id, org_id, subject_type, subject_id, currency, allowed, balance, metadata
)
select uuidv7(), $1, 'session', case n when 1 then $2::uuid else uuidv7() end, 'calls', 9, 9, ''
from generate_series(1, $3) as n
"""
ROWS: Final = """
select (
    pg_stat_get_xact_tuples_returned('engine.budget'::regclass)
    + pg_stat_get_xact_tuples_returned('engine.budget_subject'::regclass)
)::int
"""
"""That this transaction read one after the other, and entries of the index."""


@pytest.fixture
async def connection(
    module_database: OwnDatabase,
) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """In a transaction that is rolled back, with budgets that the statistics know."""
    opened = await asyncpg.connect(module_database.url())
    held = opened.transaction()
    await held.start()
    for org_id, count in ((LARGE, MANY), (SMALL, 1)):
        await opened.execute(FILL, org_id, SESSION, count)
    await opened.execute("analyze engine.budget")
    await opened.execute("set local plan_cache_mode = force_generic_plan")
    yield opened
    await held.rollback()
    await opened.close()


async def test_budgets_of_a_session_are_found_by_it(
    connection: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    before = cast(int, await connection.fetchval(ROWS))

    found = await connection.fetch(
        BUDGETS["page"].sql, LARGE, None, None, ["session"], [SESSION], 100
    )

    assert [row["subject_id"] for row in found] == [SESSION]
    assert cast(int, await connection.fetchval(ROWS)) - before < 10


async def test_who_has_budgets_is_asked_from_one_to_the_next(
    connection: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    before = cast(int, await connection.fetchval(ROWS))

    found = await connection.fetch(BUDGETS["organizations"].sql)

    assert {LARGE, SMALL} <= {row["org_id"] for row in found}
    assert cast(int, await connection.fetchval(ROWS)) - before < 50
