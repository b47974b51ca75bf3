import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from uuid import UUID, uuid4

import pytest

from mainspring_api.adapters.memory.store import MemoryStore, organization_of
from mainspring_api.adapters.postgres.store import PostgresStore
from mainspring_api.ports.store import Store
from mainspring_kernel.errors import Conflict, NotFound
from mainspring_kernel.ids import DEFAULT_ORG_ID, SessionId, TaskId
from mainspring_postgres import Database, Options, Query
from mainspring_schema.grants import ForkHead, OpenHead
from mainspring_testkit import fixtures

NOW_MS = 1_763_800_000_000


class Grants:
    """What the log's and the engine's twins would do."""

    def __init__(self) -> None:
        self.opened: list[OpenHead] = []
        self.forked: list[ForkHead] = []
        self.held: dict[UUID, tuple[UUID, UUID]] = {}
        """Task → session and organization, at fence 1."""

    def open(self, heads: Sequence[OpenHead]) -> None:
        if {head.session_id for head in heads} & {head.session_id for head in self.opened}:
            raise Conflict
        self.opened.extend(heads)

    def fork(self, fork: ForkHead) -> None:
        if fork.source_id not in {head.session_id for head in self.opened}:
            raise NotFound
        self.forked.append(fork)

    def hold(self, task_id: UUID, fence: int) -> tuple[UUID, UUID] | None:
        return self.held.get(task_id) if fence == 1 else None


@pytest.fixture
def grants() -> Grants:
    return Grants()


@pytest.fixture(params=["memory", "postgres"])
def database(request: pytest.FixtureRequest) -> fixtures.Database | None:
    """A fresh one, for the store that needs one."""
    if request.param == "memory":
        return None
    found: fixtures.Database = request.getfixturevalue("database")
    return found


@pytest.fixture
def heard() -> list[OpenHead]:
    """What the store told of new logs."""
    return []


@pytest.fixture
async def store(
    database: fixtures.Database | None, grants: Grants, heard: list[OpenHead]
) -> AsyncIterator[Store]:
    if database is None:
        first = organization_of(DEFAULT_ORG_ID, "default", NOW_MS)
        yield MemoryStore(
            lock=threading.RLock(), log=grants, hold=grants, first=first, opened=heard.extend
        )
        return
    options = Options(
        url=database.url("api_run"), application_name="test", durability_required=False
    )
    opened = await Database.open(options)
    yield PostgresStore(opened, opened=heard.extend)
    await opened.close()


HELD = Query(
    name="held",
    purpose="A task that a worker holds, as the engine would have it.",
    sql="""
    insert into engine.task (
        id, workflow_id, session_id, org_id, route, kind, effect, state, run_at, step, input_hash,
        fence, lease_until, incarnation
    ) values ($1, $1, $2, $3, 1, 2, 1, 2, now(), 'tool:1:0', '', 1, now(), $1)
    """,
)
Hold = Callable[[SessionId], Awaitable[TaskId]]


@pytest.fixture
async def hold(database: fixtures.Database | None, grants: Grants) -> AsyncIterator[Hold]:
    """Makes a task of a session of the default organization, held at fence 1."""
    owner: Database | None = None
    if database is not None:
        options = Options(url=database.url(), application_name="engine", durability_required=False)
        owner = await Database.open(options)

    async def held(session_id: SessionId) -> TaskId:
        task_id = TaskId(uuid4())
        grants.held[task_id] = (session_id, DEFAULT_ORG_ID)
        if owner is not None:
            await owner.execute(HELD, task_id, session_id, DEFAULT_ORG_ID)
        return task_id

    yield held
    if owner is not None:
        await owner.close()


WAITING = Query(
    name="waiting",
    purpose="How many of this database's sessions wait for a lock.",
    sql="""
    select count(*) from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'
    """,
)
Waits = Callable[[asyncio.Task[object]], Awaitable[None]]


@pytest.fixture
async def waits(database: fixtures.Database | None) -> AsyncIterator[Waits]:
    """Until a task waits for another's transaction, or is over."""
    if database is None:
        # Transactions of the twin wait for each other as a whole.
        async def at_once(_: asyncio.Task[object]) -> None: ...

        yield at_once
        return
    options = Options(url=database.url(), application_name="watcher", durability_required=False)
    watcher = await Database.open(options)

    async def until_it_waits(task: asyncio.Task[object]) -> None:
        async with asyncio.timeout(10):
            while not task.done() and not await watcher.fetchval_as(int, WAITING):
                pass

    yield until_it_waits
    await watcher.close()
