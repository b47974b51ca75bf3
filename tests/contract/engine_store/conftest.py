"""One suite for Postgres and memory: `world` is each in turn."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import cast

import pytest

from mainspring_postgres import Database, Options
from mainspring_testkit.fixtures import Database as OwnDatabase
from tests.contract.engine_store.engine_worlds import (
    IDS,
    MemoryWorld,
    PostgresWorld,
    Session,
    Worker,
    World,
)


@pytest.fixture
async def postgres_world(module_database: OwnDatabase) -> AsyncIterator[PostgresWorld]:
    # No test of these looks what outlives a crash of the server, and to wait for the disk at each
    # commit is half of what a history takes.
    module_database.sql(f'alter database "{module_database.name}" set synchronous_commit = off')
    async with AsyncExitStack() as stack:
        databases: list[Database] = []
        for role in (None, "engine_run"):
            options = Options(
                url=module_database.url(role),
                application_name="contract",
                durability_required=False,
                connections_max=16 if role else 2,
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
async def session(world: World) -> Session:
    return await Session.opened(world)


@pytest.fixture
async def worker(world: World) -> Worker:
    return await Worker.attached(world)


@pytest.fixture
def queue() -> str:
    """A queue that no other test of the module's database uses."""
    return f"queue-{IDS.uuid4().hex}"
