from collections.abc import AsyncIterator

import pytest

from mainspring_testkit.fixtures import Database
from tests.integration.engine.house import House, open_house


@pytest.fixture
async def house(database: Database) -> AsyncIterator[House]:
    async with open_house(database.url("engine_run"), database.url()) as opened:
        yield opened
