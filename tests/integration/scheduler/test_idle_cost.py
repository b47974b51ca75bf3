"""What an idle replica costs the database, and that its role can do no more than it needs."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence

import pytest

from mainspring_kernel.clock import ManualClock
from mainspring_kernel.draws import SeededDraws
from mainspring_postgres import Database, Options, Query, QueryFailed
from mainspring_scheduler.adapters.loop import Loop
from mainspring_scheduler.adapters.postgres import PostgresDutyStore
from mainspring_scheduler.domain import limits
from mainspring_scheduler.domain.duties import Claims, Duty, Plan, Report, Settlement
from mainspring_testkit.fixtures import Database as OwnDatabase


class Idle:
    """Finds nothing, ever."""

    async def perform(self, duty: Duty) -> Report:
        return Report()


class Told:
    """Puts the name of each operation into a queue once it is through: the test's signal."""

    def __init__(self, database: Database) -> None:
        self.done: asyncio.Queue[str] = asyncio.Queue()
        self.inner = PostgresDutyStore(database)

    async def plant(self, plans: Sequence[Plan]) -> None:
        await self.inner.plant(plans)
        self.done.put_nowait("plant")

    async def claim(self, duties: Collection[Duty]) -> Claims:
        claimed = await self.inner.claim(duties)
        self.done.put_nowait("claim")
        return claimed

    async def settle(self, settlement: Settlement) -> None:
        await self.inner.settle(settlement)
        self.done.put_nowait("settle")

    async def through(self, *operations: str) -> None:
        assert [await self.done.get() for _ in operations] == list(operations)


@pytest.fixture
async def opened(database: OwnDatabase) -> AsyncIterator[Database]:
    options = Options(
        url=database.url("scheduler_run"), application_name="test", durability_required=False
    )
    opened = await Database.open(options)
    yield opened
    await opened.close()


async def test_an_idle_tick_is_one_statement(opened: Database) -> None:
    clock, store = ManualClock(), Told(opened)
    loop = Loop(store=store, work=Idle(), clock=clock, draws=SeededDraws(1), drain_s=5.0)
    serving = asyncio.create_task(loop.serve())
    # The upkeeps, to their period.
    await store.through("plant", "claim", "settle", "settle", "settle")
    await clock.until_sleeping()
    opened.count.reset()

    for _ in range(5):
        clock.advance(limits.SWEEP_PERIOD_MS / 1000)
        await store.through("claim")
        await clock.until_sleeping()

    assert dict(opened.count.by_name) == {"claim_due_duties": 5}
    loop.stop()
    await serving


@pytest.mark.parametrize(
    "statement",
    [
        "delete from scheduler.duty",
        "drop table scheduler.duty",
        "alter table scheduler.duty add column x int",
        "create table scheduler.mine (x int)",
        "select * from log.head",
    ],
)
async def test_the_login_role_may_do_no_more_than_it_needs(
    opened: Database, statement: str
) -> None:
    with pytest.raises(QueryFailed, match="42501"):
        await opened.execute(Query(name="x", purpose="A forbidden thing.", sql=statement))
