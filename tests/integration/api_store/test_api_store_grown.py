"""A plan serves long and all: rows are found by their keys, whatever was there when it was made."""

from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

import pytest

from mainspring_api.adapters.postgres.records import Q as RECORDS
from mainspring_api.adapters.postgres.store import PostgresStore
from mainspring_api.adapters.postgres.transaction import R as RESOURCES
from mainspring_api.adapters.postgres.transaction import S as SESSIONS
from mainspring_kernel.ids import DEFAULT_ORG_ID, SessionId
from mainspring_postgres import Database, Options, Query
from mainspring_testkit import fixtures

FEW: Final = 40
MANY: Final = 6_000
CALLS: Final = 20
"""More than a server looks at before it keeps a plan."""
READS_MAX: Final = 10
"""Of a call, which asks for one session; a scan reads all the others."""

TABLES: Final = ("organization", "harness", "agent", "session", "record")
OTHER_ORG_ID: Final = UUID("01933b5a-0000-7000-8000-00000000f002")
ADD: Final = f"""
insert into api.session (
    org_id, id, workspace_id, harness_id, agent_id, tier, rev, created_ms, updated_ms
)
select
    '{DEFAULT_ORG_ID}', uuidv7(), uuidv7(), uuidv7(), uuidv7(), '', 1, n, n
from generate_series(1, {{count}}) as n
"""
ADD_AGENTS: Final = f"""
insert into api.agent (
    org_id, id, name, harness_id, tier, status, rev, created_ms, updated_ms
)
select '{DEFAULT_ORG_ID}', uuidv7(), 'agent-' || n, uuidv7(), '', 'active', 1, n, n
from generate_series(1, {MANY}) as n
"""
ADD_RECORDS: Final = f"""
insert into api.record (
    org_id, kind, id, owner_id, key, data, created_ms, updated_ms
)
select '{DEFAULT_ORG_ID}', 'thing', uuidv7(), uuidv7(), 'key-' || n, '', n, n
from generate_series(1, {MANY}) as n
"""
NEWEST: Final = Query(
    name="newest",
    purpose="A session that was there when the plan was made.",
    sql="select id from api.session order by id desc limit 1",
)
READS: Final = Query(
    name="reads",
    purpose="Rows and entries of indexes that were read so far.",
    sql="""
    select (
        (select sum(seq_tup_read) from pg_stat_user_tables
        where schemaname = 'api' and relname = any($1))
        + (select sum(idx_tup_read) from pg_stat_user_indexes
        where schemaname = 'api' and relname = any($1))
    )::int
    """,
)
FLUSH: Final = Query(
    name="flush",
    purpose="Each backend keeps its counts for a while; they are about to be read.",
    sql="select pg_stat_force_next_flush()",
)


@pytest.fixture
async def api(database: fixtures.Database) -> AsyncIterator[Database]:
    """One connection, which therefore has the plans that it made before."""
    options = Options(
        url=database.url("api_run"),
        application_name="test",
        durability_required=False,
        connections_max=1,
    )
    opened = await Database.open(options)
    yield opened
    await opened.close()


@pytest.fixture
async def owner(database: fixtures.Database) -> AsyncIterator[Database]:
    options = Options(url=database.url(), application_name="test", durability_required=False)
    opened = await Database.open(options)
    yield opened
    await opened.close()


async def reads(api: Database, owner: Database) -> int:
    for one in (api, owner):
        await one.fetch(FLUSH)
    return await owner.fetchval_as(int, READS, list(TABLES))


async def ask(store: PostgresStore, session_id: SessionId) -> None:
    for _ in range(CALLS):
        assert await store.basis(DEFAULT_ORG_ID, session_id) is not None


async def test_a_session_is_found_by_its_key_though_there_were_few_when_the_plan_was_made(
    database: fixtures.Database, api: Database, owner: Database
) -> None:
    store = PostgresStore(api)
    database.sql("alter table api.session set (autovacuum_enabled = off)")
    database.sql(ADD.format(count=FEW))
    database.sql("vacuum (analyze) api.session")
    session_id = SessionId(await owner.fetchval_as(UUID, NEWEST))
    await ask(store, session_id)
    database.sql(ADD.format(count=MANY))
    before = await reads(api, owner)

    await ask(store, session_id)

    assert (await reads(api, owner) - before) / CALLS < READS_MAX


@pytest.mark.parametrize(
    ("query", "arguments"),
    [(SESSIONS["session_by_id"], ()), (RESOURCES["agent_by_id"], ()),
     (RECORDS["record_by_id"], ("thing",))],
    ids=["session", "agent", "record"],
)  # fmt: skip
async def test_a_row_of_a_large_organization_is_found_by_its_key_though_a_new_one_asked_first(
    query: Query,
    arguments: tuple[str, ...],
    database: fixtures.Database,
    api: Database,
    owner: Database,
) -> None:
    for added in (ADD.format(count=MANY), ADD_AGENTS, ADD_RECORDS):
        database.sql(added)
    for table in TABLES:
        database.sql(f"vacuum (analyze) api.{table}")

    async def ask(org_id: UUID) -> None:
        for _ in range(CALLS):
            async with api.transaction() as tx:
                await tx.execute(RESOURCES["enter"], org_id)
                await tx.fetch(query, *arguments, OTHER_ORG_ID)

    await ask(OTHER_ORG_ID)
    before = await reads(api, owner)

    await ask(DEFAULT_ORG_ID)

    assert (await reads(api, owner) - before) / CALLS < READS_MAX
