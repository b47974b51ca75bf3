from collections.abc import AsyncIterator
from typing import cast

import pytest

from mainspring_kernel.clock import SystemClock
from mainspring_postgres import Database, Options
from mainspring_scheduler.adapters.memory import MemoryDutyStore, MemoryScheduleStore
from mainspring_scheduler.adapters.postgres import PostgresDutyStore, PostgresScheduleStore
from mainspring_scheduler.ports.duties import DutyStore
from mainspring_scheduler.ports.schedules import ScheduleStore
from mainspring_testkit.fixtures import Database as OwnDatabase


@pytest.fixture(params=["memory", "postgres"])
def own(request: pytest.FixtureRequest) -> OwnDatabase | None:
    if cast(str, request.param) == "memory":
        return None
    return cast(OwnDatabase, request.getfixturevalue("database"))


@pytest.fixture
async def stores(own: OwnDatabase | None) -> AsyncIterator[tuple[DutyStore, ScheduleStore]]:
    if own is None:
        clock = SystemClock()
        rows = MemoryScheduleStore(clock)
        yield MemoryDutyStore(clock, rows), rows
        return
    options = Options(
        url=own.url("scheduler_run"), application_name="contract", durability_required=False
    )
    database = await Database.open(options)
    yield PostgresDutyStore(database), PostgresScheduleStore(database)
    await database.close()


@pytest.fixture
def store(stores: tuple[DutyStore, ScheduleStore]) -> ScheduleStore:
    return stores[1]
