"""One suite for Postgres and memory: `world` is each in turn."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import cast

import pytest

from mainspring_postgres import Database, Options
from mainspring_testkit.fixtures import Database as OwnDatabase
from tests.contract.eventstore.event_log import MemoryWorld, PostgresWorld, Story, World


@pytest.fixture
async def postgres_world(module_database: OwnDatabase) -> AsyncIterator[PostgresWorld]:
    async with AsyncExitStack() as stack:
        databases: list[Database] = []
        for role in (None, "log_run"):
            options = Options(
                url=module_database.url(role),
                application_name="contract",
                durability_required=False,
                connections_max=3,
            )
            database = await Database.open(options)
            stack.push_async_callback(database.close)
            databases.append(database)
        yield PostgresWorld(*databases)


@pytest.fixture(params=["memory", "postgres"])
def world(request: pytest.FixtureRequest) -> World:
    if cast("str", request.param) == "memory":
        return MemoryWorld()
    return cast("World", request.getfixturevalue("postgres_world"))


@pytest.fixture
async def story(world: World) -> Story:
    return await Story(world).open()
