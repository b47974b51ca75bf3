from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from mainspring_postgres import Database, Options
from mainspring_testkit.fixtures import Database as OwnDatabase
from tests.contract.engine_store.engine_worlds import PostgresWorld


@pytest.fixture
async def world(module_database: OwnDatabase) -> AsyncIterator[PostgresWorld]:
    """The store on a database of this module."""
    async with AsyncExitStack() as stack:
        databases: list[Database] = []
        for role in (None, "engine_run"):
            options = Options(
                url=module_database.url(role),
                application_name="integration",
                durability_required=False,
                connections_max=4,
                lock_timeout_ms=200,
            )
            database = await Database.open(options)
            stack.push_async_callback(database.close)
            databases.append(database)
        yield PostgresWorld(*databases)
