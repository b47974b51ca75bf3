"""What another replica has in hand is left to it, and nothing is written over what it wrote."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import NamedTuple

import msgspec
import pytest

from mainspring_postgres import Database, Options, Query
from mainspring_scheduler.adapters.postgres import PostgresDutyStore, PostgresScheduleStore
from mainspring_scheduler.domain.duties import PLANS, Duty
from mainspring_scheduler.ports.schedules import Write
from mainspring_testkit.fixtures import Database as OwnDatabase
from tests.contract.scheduler.due_rows import NOW, by_number, claim, due
from tests.unit.scheduler.rows import MINUTE, ORG, SCHEDULE, slot


class Replicas(NamedTuple):
    """One with a transaction of its own making, and one that gives up a wait, or does not."""

    owner: Database
    hasty: Database
    patient: Database


def query(sql: str) -> Query:
    return Query(name="test", purpose="Of another replica.", sql=sql)


WAITING = query("""
select count(*)::int from pg_stat_activity
where datname = current_database() and wait_event_type = 'Lock'
""")


@pytest.fixture
async def replicas(database: OwnDatabase) -> AsyncIterator[Replicas]:
    async with AsyncExitStack() as stack:
        opened: list[Database] = []
        for role, timeout_ms in ((None, 200), ("scheduler_run", 200), ("scheduler_run", 20_000)):
            options = Options(
                url=database.url(role),
                application_name="test",
                durability_required=False,
                lock_timeout_ms=timeout_ms,
            )
            opened.append(await Database.open(options))
            stack.push_async_callback(opened[-1].close)
        yield Replicas(*opened)


async def test_a_claim_takes_the_schedules_that_nobody_has_in_hand(replicas: Replicas) -> None:
    store = PostgresScheduleStore(replicas.hasty)
    rows = [by_number(number) for number in range(2)]
    for row in rows:
        await store.insert(row)

    async with replicas.owner.transaction() as tx:
        await tx.fetch(
            query("select from scheduler.schedule where id = $1 for no key update"), rows[0].id
        )
        beside = await claim(store)

    assert [held.schedule.id for held in beside] == [rows[1].id]
    assert [held.schedule.id for held in await claim(store)] == [rows[0].id]


async def test_a_claim_takes_the_duties_that_nobody_has_in_hand(replicas: Replicas) -> None:
    store = PostgresDutyStore(replicas.hasty)
    names = [duty for duty in PLANS if duty is not Duty.SCHEDULES]
    await store.plant(list(PLANS.values()))

    async with replicas.owner.transaction() as tx:
        await tx.fetch(
            query("select from scheduler.duty where name = $1 for no key update"), names[0]
        )
        beside = await store.claim(names)

    assert {one.name for one in beside.duties} == set(names[1:])
    assert {one.name for one in (await store.claim(names)).duties} == {names[0]}


async def test_a_commit_that_waits_writes_nothing_over_a_later_claim(replicas: Replicas) -> None:
    store = PostgresScheduleStore(replicas.patient)
    await store.insert(due())
    (held,) = await claim(store)
    late = Write(
        schedule=msgspec.structs.replace(held.schedule, next_ms=NOW + MINUTE),
        slots=(slot(1, "starting"),),
        fresh=frozenset([slot(1).id]),
    )

    async with replicas.owner.transaction() as tx:
        await tx.execute(
            query("update scheduler.schedule set rev = rev + 1 where id = $1"), SCHEDULE
        )
        writing = asyncio.ensure_future(store.commit([late]))
        async with asyncio.timeout(10):
            while not writing.done() and not await replicas.owner.fetchval_as(int, WAITING):
                pass

    assert await writing == set()
    assert await store.slot(ORG, slot(1).id) is None
