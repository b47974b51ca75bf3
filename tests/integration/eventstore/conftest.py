from collections.abc import AsyncIterator

import pytest

from mainspring_postgres import Database, Options
from mainspring_testkit.fixtures import Database as OwnDatabase
from tests.contract.eventstore.event_log import PostgresWorld


async def opened(database: OwnDatabase, role: str | None) -> Database:
    options = Options(url=database.url(role), application_name="test", durability_required=False)
    return await Database.open(options)


@pytest.fixture
async def log_world(database: OwnDatabase) -> AsyncIterator[PostgresWorld]:
    """A log of its own, for tests that count what others would add to."""
    owner, service = await opened(database, None), await opened(database, "log_run")
    yield PostgresWorld(owner, service)
    await owner.close()
    await service.close()


@pytest.fixture
async def shared_log_world(module_database: OwnDatabase) -> AsyncIterator[PostgresWorld]:
    """The log of all tests of a module: each leaves it honest."""
    owner = await opened(module_database, None)
    service = await opened(module_database, "log_run")
    yield PostgresWorld(owner, service)
    await owner.close()
    await service.close()
