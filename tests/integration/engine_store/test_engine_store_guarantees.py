"""What only Postgres promises: grants, triggers, waits, partitions, and every named query."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import TypeAlias, cast

import asyncpg
import pytest

from mainspring_engine.adapters.postgres import PostgresStore
from mainspring_engine.domain.rows import Closing
from mainspring_engine.ports.store import Release
from mainspring_kernel.errors import Unavailable
from mainspring_schema.frames import Held, Verdict
from mainspring_testkit.fixtures import Database as OwnDatabase
from tests.contract.engine_store.engine_worlds import (
    PostgresWorld,
    Session,
    Worker,
    close,
    result,
)

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def connected(database: OwnDatabase, role: str | None) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(database.url(role))
    yield connection
    await connection.close()


@pytest.fixture
async def engine_run(module_database: OwnDatabase) -> AsyncIterator[Connection]:
    async for connection in connected(module_database, "engine_run"):
        yield connection


@pytest.fixture
async def api_run(module_database: OwnDatabase) -> AsyncIterator[Connection]:
    async for connection in connected(module_database, "api_run"):
        yield connection


@pytest.fixture
async def owner(module_database: OwnDatabase) -> AsyncIterator[Connection]:
    async for connection in connected(module_database, None):
        yield connection


async def finished_step(world: PostgresWorld) -> Held:
    session, worker = await Session.opened(world), await Worker.attached(world)
    task = session.task(claim=worker.claim)
    await session.start_turn(task)
    held = Held(task.id, 1)
    reply = await session.commit(
        session.changes(closes=(close(held),), results=(result(session, held),))
    )
    assert reply.verdict is Verdict.COMMITTED
    return held


@pytest.mark.parametrize("table", ["payload", "attempt", "step_result"])
@pytest.mark.parametrize(
    "statement", ["update engine.{} set org_id = org_id", "delete from engine.{}"]
)
async def test_what_is_final_is_refused_to_everybody(
    world: PostgresWorld, owner: Connection, engine_run: Connection, table: str, statement: str
) -> None:
    await finished_step(world)

    with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="final"):
        await owner.execute(statement.format(table))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await engine_run.execute(statement.format(table))


@pytest.mark.parametrize(
    "statement",
    [
        "select 1 from log.head",
        "insert into engine.task select * from engine.task",
        "delete from engine.task",
        "update engine.workflow set rev = 0",
        "insert into engine.step_result select * from engine.step_result",
        "select engine.write_timers('{}', '{}')",
    ],
)
async def test_the_login_role_may_not_go_round_the_functions(
    engine_run: Connection, statement: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await engine_run.execute(statement)


async def test_a_step_result_bears_its_input(world: PostgresWorld, owner: Connection) -> None:
    held = await finished_step(world)

    row = await owner.fetchrow(
        """select r.input_hash = sha256(p.payload) as same, r.rev = a.close_rev as under_the_close
        from engine.step_result as r
        inner join engine.payload as p using (task_id)
        inner join engine.attempt as a using (task_id)
        where r.task_id = $1""",
        held.task_id,
    )

    assert row is not None
    assert (row["same"], row["under_the_close"]) == (True, True)


async def test_leases_are_dated_by_the_database(world: PostgresWorld, owner: Connection) -> None:
    held = await finished_step(world)

    drift = cast(
        "Decimal",
        await owner.fetchval(
            "select abs(extract(epoch from lease_until - stamped_at) - 10) from engine.attempt"
            " where task_id = $1",
            held.task_id,
        ),
    )

    assert drift < Decimal("0.001")


async def test_a_head_that_stays_locked_is_unavailable(
    world: PostgresWorld, owner: Connection
) -> None:
    session = await Session.opened(world)
    async with owner.transaction():
        await owner.fetch("select log.lock_v1($1)", [session.id])

        with pytest.raises(Unavailable):
            await session.commit(session.changes())

    assert (await session.commit(session.changes())).verdict is Verdict.COMMITTED


async def test_a_hold_lasts_as_long_as_the_lease(world: PostgresWorld, api_run: Connection) -> None:
    session, worker = await Session.opened(world), await Worker.attached(world)
    task = session.task(claim=worker.claim)
    await session.start_turn(task)
    hold = "select session_id, org_id from engine.hold_v1($1, $2)"

    before = await api_run.fetch(hold, task.id, 1)
    other = await api_run.fetch(hold, task.id, 2)
    await world.store.release((Release(held=Held(task.id, 1), closing=Closing.RETURNED),))
    after = await api_run.fetch(hold, task.id, 1)

    assert [tuple(row.values()) for row in before] == [(session.id, session.org_id)]
    assert (other, after) == ([], [])


async def test_no_lease_expires_soon_after_the_server_started(world: PostgresWorld) -> None:
    session, worker = await Session.opened(world), await Worker.attached(world)
    await session.start_turn(session.task(claim=worker.claim))
    await world.pass_time(11)
    just_started = PostgresStore(world.database, settle_s=1e6)

    assert await just_started.expired(100) == ()
    assert await world.store.expired(100) != ()


async def test_a_missing_partition_is_made_again(world: PostgresWorld, owner: Connection) -> None:
    await world.store.make_partitions()  # those of a week that has begun since
    newest = cast(
        "str",
        await owner.fetchval(
            "select max(relname) from pg_class where relnamespace = 'engine'::regnamespace"
            " and relname like 'payload\\_%' and relkind = 'r'"
        ),
    )
    await owner.execute(f'drop table engine."{newest}"')

    assert await world.store.make_partitions() == 1
    assert await world.store.make_partitions() == 0
