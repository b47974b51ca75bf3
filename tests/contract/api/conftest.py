import threading
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import pytest

from mainspring_api.adapters.memory.store import MemoryStore, organization_of
from mainspring_api.adapters.postgres.store import PostgresStore
from mainspring_api.ports.store import Store
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_postgres import Database, Options
from mainspring_schema.grants import OpenHead
from mainspring_testkit import fixtures

NOW_MS = 1_763_800_000_000


class Grants:
    """What the log's and the engine's twins would do."""

    def __init__(self) -> None:
        self.opened: list[OpenHead] = []

    def open(self, heads: Sequence[OpenHead]) -> None:
        self.opened.extend(heads)

    def hold(self, task_id: UUID, fence: int) -> tuple[UUID, UUID] | None:
        del task_id, fence
        return None


@pytest.fixture(params=["memory", "postgres"])
def url(request: pytest.FixtureRequest) -> str | None:
    """Of a fresh database, for the store that needs one."""
    if request.param == "memory":
        return None
    database: fixtures.Database = request.getfixturevalue("database")
    return database.url("api_run")


@pytest.fixture
async def store(url: str | None) -> AsyncIterator[Store]:
    if url is None:
        first = organization_of(DEFAULT_ORG_ID, "default", NOW_MS)
        grants = Grants()
        yield MemoryStore(lock=threading.RLock(), log=grants, hold=grants, first=first)
        return
    options = Options(url=url, application_name="test", durability_required=False)
    opened = await Database.open(options)
    yield PostgresStore(opened)
    await opened.close()
