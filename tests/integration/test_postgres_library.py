import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from uuid import UUID

import msgspec
import pytest

from mainspring_kernel.clock import ManualClock
from mainspring_kernel.errors import MainspringError, Unavailable
from mainspring_postgres import (
    Database,
    DurabilityOff,
    LockTimeout,
    Options,
    Query,
    QueryFailed,
    RowMismatch,
    StatementTimeout,
    UniqueViolation,
)
from mainspring_postgres.statements import Connection
from mainspring_testkit.fixtures import database_suffix
from mainspring_testkit.scripts import run_script
from mainspring_testkit.servers import PostgresServer, free_port


def query(sql: str, *, repeatable: bool = False) -> Query:
    return Query(name="test", purpose="A test's own.", sql=sql, repeatable=repeatable)


INSERT = query("insert into thing (id, name) values ($1, $2)")
COUNT = query("select count(*) from thing", repeatable=True)
NAMES = query("select id, name from thing order by id", repeatable=True)
BACKEND = query("select pg_backend_pid()", repeatable=True)


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    name: str | None


def options(url: str, **changes: object) -> Options:
    plain = Options(
        url=url, application_name="test", durability_required=False, connections_max=3, start_s=5
    )
    return msgspec.structs.replace(plain, **changes)


@pytest.fixture(scope="module")
def url(postgres: PostgresServer) -> Iterator[str]:
    name = f"plain_{database_suffix()}"
    postgres.sql(f'create database "{name}"')
    yield postgres.url(name)
    postgres.sql(f'drop database "{name}" with (force)')


@pytest.fixture
async def db(url: str) -> AsyncIterator[Database]:
    database = await Database.open(options(url))
    await run_script(
        database,
        "drop table if exists thing; create table thing (id bigint primary key, name text);",
    )
    database.count.reset()
    yield database
    await database.close()


class Hasty(ManualClock):
    """Where a sleep is over at once."""

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)


async def test_a_server_that_is_away_is_told_once_with_its_address_and_no_password(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "mainspring_postgres")
    where = f"127.0.0.1:{free_port()}"

    with pytest.raises(Unavailable):
        await Database.open(options(f"postgresql://x:secret@{where}/y"), clock=Hasty())

    (told,) = caplog.messages
    assert told.startswith(f"waiting for Postgres at {where}: ")
    assert "secret" not in told


async def test_a_statement_of_its_own_is_one_statement(db: Database) -> None:
    await db.execute(INSERT, 1, "one")
    things = await db.fetch_as(Thing, NAMES)

    assert things == [Thing(id=1, name="one")]
    assert db.count.total == 2


async def test_nothing_but_our_statements_reaches_the_server(db: Database, url: str) -> None:
    """No BEGIN, no reset between uses: read from the server's own statistics."""
    sessions = query("select query from pg_stat_activity where application_name = 'watched'")
    watched = await Database.open(options(url, application_name="watched", connections_max=1))

    await watched.fetch(COUNT)
    last = [row["query"] for row in await db.fetch(sessions)]

    assert last == [COUNT.sql]
    await watched.close()


async def test_a_transaction_commits_all_of_its_writes(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(INSERT, 1, "one")
        await tx.executemany(INSERT, [(2, "two"), (3, None)])

    assert await db.fetchval_as(int, COUNT) == 3
    assert db.count.by_name["begin"] == db.count.by_name["commit"] == 1


async def test_an_error_rolls_the_transaction_back(db: Database) -> None:
    with pytest.raises(ValueError, match="no"):
        await insert_and_fail(db)

    assert await db.fetchval_as(int, COUNT) == 0


async def insert_and_fail(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(INSERT, 1, "one")
        message = "no"
        raise ValueError(message)


async def test_a_swallowed_error_does_not_pass_for_a_commit(db: Database) -> None:
    with pytest.raises(MainspringError, match="swallowed"):
        await insert_and_swallow(db)

    assert await db.fetchval_as(int, COUNT) == 0


async def insert_and_swallow(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.execute(INSERT, 1, "one")
        with pytest.raises(QueryFailed):
            await tx.execute(query("select broken"))


async def test_a_snapshot_sees_one_state_and_refuses_writes(db: Database) -> None:
    async with db.snapshot() as tx:
        before = await tx.fetchval_as(int, COUNT)
        await db.execute(INSERT, 1, "one")
        after = await tx.fetchval_as(int, COUNT)

    assert (before, after) == (0, 0)


async def test_a_second_row_of_the_same_key_names_its_index(db: Database) -> None:
    await db.execute(INSERT, 1, "one")

    with pytest.raises(UniqueViolation) as caught:
        await db.execute(INSERT, 1, "again")

    assert caught.value.constraint == "thing_pkey"


async def test_a_query_that_drifts_from_its_struct_is_refused(db: Database) -> None:
    await db.execute(INSERT, 1, "one")

    with pytest.raises(RowMismatch, match="Thing"):
        await db.fetch_as(Thing, query("select id, name, 1 as more from thing"))


async def test_values_keep_their_types(db: Database) -> None:
    class Kinds(msgspec.Struct, frozen=True, kw_only=True):
        id: UUID
        many: list[UUID]
        data: bytes
        flag: bool

    kinds = query(
        "select $1::uuid id, array[$1::uuid] many, '\\x00ff'::bytea as data, true as flag"
    )

    got = await db.fetchrow_as(Kinds, kinds, UUID(int=7))

    assert got == Kinds(id=UUID(int=7), many=[UUID(int=7)], data=b"\x00\xff", flag=True)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(got), type=Kinds) == got


async def test_a_lock_that_is_not_free_in_time_is_told_apart(db: Database, url: str) -> None:
    hasty = await Database.open(options(url, lock_timeout_ms=20))
    async with db.transaction() as tx:
        await tx.execute(query("lock table thing in access exclusive mode"))

        with pytest.raises(LockTimeout):
            await hasty.execute(INSERT, 1, "one")

    await hasty.close()


async def test_a_statement_that_takes_too_long_is_ended(url: str) -> None:
    hasty = await Database.open(options(url, statement_timeout_ms=30))

    with pytest.raises(StatementTimeout):
        await hasty.fetch(query("select pg_sleep(10)"))

    await hasty.close()


async def test_jit_is_off_and_the_session_is_named(db: Database) -> None:
    (row,) = await db.fetch(
        query("select current_setting('jit') jit, current_setting('application_name') app")
    )

    assert (row["jit"], row["app"]) == ("off", "test")


async def test_a_repeatable_statement_survives_the_death_of_its_connection(
    db: Database, url: str
) -> None:
    killer = await Database.open(options(url))
    pid = await db.fetchval_as(int, BACKEND)
    blocked = asyncio.create_task(
        db.fetch(query("select pg_sleep(0.2), pg_backend_pid()", repeatable=True))
    )
    await until_active(killer, pid)

    await killer.fetch(query("select pg_terminate_backend($1)"), pid)

    assert (await blocked)[0][1] != pid
    await killer.close()


async def test_a_write_whose_connection_dies_is_not_sent_twice(db: Database, url: str) -> None:
    killer = await Database.open(options(url))
    pid = await db.fetchval_as(int, BACKEND)
    blocked = asyncio.create_task(db.fetch(query("select pg_sleep(10)")))
    await until_active(killer, pid)

    await killer.fetch(query("select pg_terminate_backend($1)"), pid)

    with pytest.raises(Unavailable):
        await blocked
    await killer.close()


async def until_active(db: Database, pid: int) -> None:
    sleeping = query("select state = 'active' from pg_stat_activity where pid = $1")
    async with asyncio.timeout(5):
        while not await db.fetchval_as(bool, sleeping, pid):
            pass  # the query itself is the wait


async def test_a_dead_pooled_connection_does_not_fail_the_next_transaction(
    db: Database, url: str
) -> None:
    killer = await Database.open(options(url))
    pid = await db.fetchval_as(int, BACKEND)
    await killer.fetch(query("select pg_terminate_backend($1)"), pid)

    async with db.transaction() as tx:
        await tx.execute(INSERT, 1, "one")

    assert await db.fetchval_as(int, COUNT) == 1
    await killer.close()


async def test_a_connection_lost_at_rest_is_not_lent(db: Database, url: str) -> None:
    """Known to be lost, it costs nobody a statement: not even a write, which is sent once."""
    killer = await Database.open(options(url))
    pid = await db.fetchval_as(int, BACKEND)
    (kept,) = db._lending._kept
    await killer.fetch(query("select pg_terminate_backend($1)"), pid)
    await until_lost(kept)

    await db.execute(INSERT, 1, "one")

    assert await db.fetchval_as(int, BACKEND) != pid
    await killer.close()


async def until_lost(connection: Connection) -> None:
    async with asyncio.timeout(20):
        while connection._con is not None:  # noqa: ASYNC110 -- asyncpg tells nobody
            await asyncio.sleep(0.01)


async def test_who_waits_for_a_connection_has_the_one_that_comes_back(url: str) -> None:
    tiny = await Database.open(options(url, connections_max=1, acquire_timeout_s=20))
    async with tiny.transaction() as tx:
        pid = await tx.fetchval_as(int, BACKEND)
        waiting = asyncio.create_task(tiny.fetchval_as(int, BACKEND))
        while not tiny._lending._asking:  # noqa: ASYNC110 -- nobody is told who waits
            await asyncio.sleep(0)

    assert await waiting == pid
    await tiny.close()


@pytest.mark.parametrize("asks_again", [True, False])
async def test_a_connection_lost_within_a_transaction_is_unavailable(
    db: Database, url: str, asks_again: bool
) -> None:
    """It goes back to the pool by itself, at some time, and whoever still holds it is told so."""
    killer = await Database.open(options(url))

    async def lose() -> None:
        async with db.transaction() as tx:
            pid = await tx.fetchval_as(int, BACKEND)
            await killer.fetch(query("select pg_terminate_backend($1)"), pid)
            await until_lost(tx._connection)
            if asks_again:
                await tx.execute(INSERT, 1, "one")

    with pytest.raises(Unavailable):
        await lose()

    assert await db.fetchval_as(int, COUNT) == 0
    await killer.close()


async def test_a_commit_is_finished_although_its_caller_is_cancelled(db: Database) -> None:
    async def write() -> None:
        async with db.transaction() as tx:
            await tx.execute(INSERT, 1, "one")
            asyncio.get_running_loop().call_soon(writer.cancel)

    writer = asyncio.create_task(write())
    with pytest.raises(asyncio.CancelledError):
        await writer

    assert await db.fetchval_as(int, COUNT) == 1


async def test_a_begin_whose_caller_is_cancelled_is_taken_back_quietly(
    db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async def begin() -> None:
        async with db.transaction():
            pytest.fail("it was cancelled before")

    await db.fetchval_as(int, COUNT)  # from now on a connection is at hand
    caller = asyncio.create_task(begin())
    asyncio.get_running_loop().call_soon(caller.cancel)  # behind the pass that sends BEGIN
    with pytest.raises(asyncio.CancelledError):
        await caller

    assert await db.fetchval_as(int, COUNT) == 0
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_waiting_too_long_for_a_connection_is_unavailable(url: str) -> None:
    tiny = await Database.open(options(url, connections_max=1, acquire_timeout_s=0.02))

    async with tiny.transaction():
        with pytest.raises(Unavailable):
            await tiny.fetch(COUNT)

    await tiny.close()


async def test_a_server_that_may_lose_commits_is_refused(
    url: str, postgres: PostgresServer
) -> None:
    name = url.rpartition("/")[2]
    postgres.sql(f'alter database "{name}" set synchronous_commit = off')
    try:
        with pytest.raises(DurabilityOff, match="synchronous_commit=off"):
            await Database.open(options(url, durability_required=True))
    finally:
        postgres.sql(f'alter database "{name}" reset synchronous_commit')


async def test_a_server_that_never_answers_is_unavailable() -> None:
    gone = f"postgresql://x:y@127.0.0.1:{free_port()}/z"

    with pytest.raises(Unavailable, match="cannot be reached"):
        await Database.open(options(gone, start_s=0.1))


async def test_closing_twice_is_safe(url: str) -> None:
    database = await Database.open(options(url))

    await database.close()
    await database.close()

    with pytest.raises(Unavailable):
        await database.fetch(COUNT)
