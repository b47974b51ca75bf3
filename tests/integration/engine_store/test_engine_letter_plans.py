"""What a look for requeues costs, where many wait for their time."""

from typing import Final, cast

import asyncpg

from mainspring_engine.adapters.postgres.letters import LETTERS
from mainspring_testkit.fixtures import Database as OwnDatabase

FILL: Final = """
insert into engine.resolution (task_id, org_id, session_id, workflow_id, ordered_at, due_at)
select uuidv7(), uuidv7(), uuidv7(), uuidv7(), now(), now() + interval '1 day'
from generate_series(1, 3000)
"""
ROWS: Final = """
select (
    pg_stat_get_xact_tuples_returned('engine.resolution'::regclass)
    + pg_stat_get_xact_tuples_returned('engine.resolution_due'::regclass)
)::int
"""
"""That this transaction read one after the other, and entries of the index."""


async def test_requeues_that_wait_for_their_time_are_not_looked_through(
    module_database: OwnDatabase,
) -> None:
    connection = await asyncpg.connect(module_database.url())
    held = connection.transaction()
    await held.start()
    try:
        await connection.execute(FILL)
        await connection.execute("analyze engine.resolution")
        before = cast(int, await connection.fetchval(ROWS))

        found = await connection.fetch(LETTERS["due"].sql, None, 10_000, 100)

        assert found == []
        assert cast(int, await connection.fetchval(ROWS)) - before < 10
    finally:
        await held.rollback()
        await connection.close()
