"""Hot statements on filled tables: which index they use, and that renewals stay heap-only."""

from collections.abc import AsyncIterator
from typing import TypeAlias, cast
from uuid import UUID

import asyncpg
import pytest

from mainspring_engine.adapters.postgres.claims import TASKS
from mainspring_engine.adapters.postgres.flights import arguments
from mainspring_engine.adapters.postgres.store import COMMIT, SWEEPS
from mainspring_schema.frames import Held
from mainspring_testkit.fixtures import Database as OwnDatabase
from tests.contract.engine_store.engine_worlds import (
    ROUTE,
    PostgresWorld,
    Session,
    Worker,
    close,
    query,
    result,
)

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

FILL = """
with numbers as (
    select n, lpad(to_hex((extract(epoch from now()) * 1000)::bigint), 12, '0')
        || '7000' || '8000' || lpad(to_hex($2::bigint + n), 12, '0') as id
    from generate_series(1, $1) as n
)
insert into engine.task (
    id, workflow_id, session_id, org_id, route, kind, effect, state, run_at, step, input_hash,
    fence, lease_until, incarnation, stamped_at, claimed_at
)
select
    id::uuid, id::uuid, id::uuid, lpad(to_hex(n % 50), 32, '0')::uuid, $3 + n % 4, 1, 1,
    case when n % 10 = 0 then 2 else 1 end, now(), 'step', '\\x00', 1,
    case when n % 10 = 0 then now() + interval '1 hour' end,
    case when n % 10 = 0 then id::uuid end, now(), now()
from numbers
"""

FIRST = UUID(int=0)
ORGS = [UUID(int=n) for n in range(50)]
ROUNDS_MAX = 3000
"""Of renewals: half a minute, for longer nothing beside them holds a snapshot."""

OLDER = query(
    "update engine.task set stamped_at = stamped_at - interval '4 s' where incarnation = $1"
)


@pytest.fixture
async def watched(module_database: OwnDatabase) -> AsyncIterator[tuple[Connection, list[str]]]:
    """A connection that reports the plan of every statement, nested ones too."""
    connection = await asyncpg.connect(module_database.url())
    plans: list[str] = []
    for statement in (
        "load 'auto_explain'",
        "set auto_explain.log_min_duration = 0",
        "set auto_explain.log_nested_statements = on",
        "set client_min_messages = log",
    ):
        await connection.execute(statement)
    connection.add_log_listener(lambda _, message: plans.append(str(message)))
    yield connection, plans
    await connection.close()


async def fill(world: PostgresWorld, connection: Connection) -> None:
    for block in range(4):
        await connection.execute(FILL, 10_000, block * 10_000, 1000)
    await connection.execute("analyze engine.task")


async def test_a_claim_reads_the_ready_index_alone(
    world: PostgresWorld, watched: tuple[Connection, list[str]]
) -> None:
    connection, plans = watched
    await fill(world, connection)
    worker = await Worker.attached(world)
    plans.clear()

    groups = [(1001, org_id, 0, FIRST, 24) for org_id in ORGS]
    await connection.fetch(
        TASKS["claim"].sql, 10_000, 30_000, 9, [(1001, worker.id, 1, 16)], groups, [], [], 64
    )

    scans = [plan for plan in plans if "engine.task" in plan]
    assert scans
    assert any("Index Only Scan using task_ready" in plan for plan in scans)
    assert not [plan for plan in scans if "Seq Scan" in plan]


async def test_a_pass_steps_over_the_ready_index_from_group_to_group(
    world: PostgresWorld, watched: tuple[Connection, list[str]]
) -> None:
    connection, plans = watched
    await fill(world, connection)
    plans.clear()

    rows = await connection.fetch(TASKS["ready_groups"].sql, 0, FIRST, 0, 1000)

    # Every tenth row is leased, so of 4 times 50 pairs (of which 100 occur) 90 have ready ones.
    assert len({(row["route"], row["org_id"]) for row in rows if row["route"] >= 1000}) == 90
    (steps,) = [plan for plan in plans if "engine.task" in plan]
    # Into the next priority, the next organization, the next route: one row each.
    assert steps.count("Index Only Scan using task_ready") == 3
    assert "Seq Scan" not in steps


async def test_a_claim_reads_no_row_before_its_marks(
    world: PostgresWorld, watched: tuple[Connection, list[str]]
) -> None:
    connection, plans = watched
    session, worker = await Session.opened(world), await Worker.attached(world)
    await session.start_turn(*(session.task(str(n)) for n in range(300)))
    route = await world.owner.fetchval_as(int, query("select max(id) from engine.route"))
    ids = sorted(task.id for task in (await world.store.open_tasks((session.turn,)))[session.turn])
    plans.clear()

    rows = await connection.fetch(
        TASKS["claim"].sql,
        10_000,
        30_000,
        9,
        [(route, worker.id, 1, 20)],
        [(route, session.org_id, 0, ids[280], 28)],
        [],
        [],
        64,
    )

    assert [row["task_id"] for row in rows] == ids[280:]
    read = [line for plan in plans for line in plan.splitlines() if "id >= u.from_id" in line]
    assert read
    assert all(line.strip().startswith("Index Cond:") for line in read)


async def test_a_limit_counts_by_an_index_of_nothing_else(
    world: PostgresWorld, watched: tuple[Connection, list[str]]
) -> None:
    connection, plans = watched
    await fill(world, connection)
    worker = await Worker.attached(world)
    plans.clear()

    await connection.fetch(
        TASKS["claim"].sql,
        10_000,
        30_000,
        9,
        [(1002, worker.id, 1, 5)],
        [(1002, ORGS[2], 0, FIRST, 13)],
        [],
        [(1002, "queue:none", 3)],
        64,
    )

    counts = [plan for plan in plans if "task_counted" in plan]
    assert counts
    size = query("select pg_relation_size('engine.task_counted')")
    assert await world.owner.fetchval_as(int, size) <= 2 * 8192


async def test_a_commit_scans_no_table(
    world: PostgresWorld, watched: tuple[Connection, list[str]]
) -> None:
    connection, plans = watched
    session, worker = await Session.opened(world), await Worker.attached(world)
    task = session.task(claim=worker.claim)
    await session.start_turn(task)
    held = Held(task.id, 1)
    await worker.take(1)
    route = await world.owner.fetch(query("select max(id) as id from engine.route"))
    changes = session.changes(
        workflows=(session.workflow(),),
        closes=(close(held),),
        results=(result(session, held),),
        tasks=(session.task("reason:2", claim=worker.claim),),
    )
    plans.clear()

    (row,) = await connection.fetch(
        COMMIT["commit"].sql, *arguments((changes,), {ROUTE: cast("int", route[0]["id"])})
    )

    assert row["verdicts"] == [1]
    assert any("engine.task" in plan for plan in plans)
    # The driver asks the catalogue for the types of its arguments once per connection.
    ours = [plan for plan in plans if "typeinfo_tree" not in plan]
    assert not [plan for plan in ours if "Seq Scan" in plan]


WAITING = """
with numbers as (select n, gen_random_uuid() as id from generate_series(1, 20000) as n),
timers as (
    insert into engine.timer (id, workflow_id, session_id, org_id, kind, due_at)
    select id, id, id, id, 'client', now() + interval '1 day' from numbers
),
retries as (
    insert into engine.task (
        id, workflow_id, session_id, org_id, route, kind, effect, state, run_at, step, input_hash
    )
    select id, id, id, id, 1, 1, 1, 3, now() + interval '1 day', 'step', '\\x00' from numbers
)
insert into engine.idempotency (session_id, key, message_id, org_id, body_hash)
select id, 'key', id, id, '\\x00' from numbers
"""


@pytest.mark.parametrize(
    ("query_name", "arguments_", "condition"),
    [
        ("due_timers", (500, ()), "Index Cond: (due_at <="),
        ("ready_retries", (500, 60_000, 10_000), "Index Cond: (run_at <="),
        ("forget_keys", (86_400_000, 1000), "Index Cond: (created_at <"),
    ],
)
async def test_a_sweep_does_not_read_what_is_not_due(
    watched: tuple[Connection, list[str]],
    query_name: str,
    arguments_: tuple[object, ...],
    condition: str,
) -> None:
    connection, plans = watched
    if not await connection.fetchval("select count(*) from engine.timer"):
        await connection.execute(WAITING)
        await connection.execute("analyze engine.timer, engine.task, engine.idempotency")
    plans.clear()

    await connection.fetch(SWEEPS[query_name].sql, *arguments_)

    assert any(condition in plan for plan in plans)


async def test_renewals_stay_heap_only(world: PostgresWorld) -> None:
    session, worker = await Session.opened(world), await Worker.attached(world)
    tasks = [session.task(str(n), claim=worker.claim) for n in range(200)]
    await session.start_turn(*tasks)
    renewals = tuple(worker.renewal(Held(task.id, 1)) for task in tasks)
    parts: list[float] = []

    # Whoever analyses the table, or holds a snapshot beside it, keeps old rows in their places.
    while len(parts) < ROUNDS_MAX and sum(part > 0.9 for part in parts[-5:]) < 5:
        await world.owner.execute(OLDER, worker.id)
        before = await updates(world)
        await world.store.renew(renewals)
        after = await updates(world)
        assert after[0] - before[0] == len(tasks)
        parts.append((after[1] - before[1]) / len(tasks))

    assert len(parts) < ROUNDS_MAX, parts[-5:]


async def updates(world: PostgresWorld) -> tuple[int, int]:
    """All and heap-only updates of engine.task so far."""
    await world.flush_statistics()
    (row,) = await world.owner.fetch(
        query(
            "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables"
            " where schemaname = 'engine' and relname = 'task'"
        )
    )
    return cast("int", row["n_tup_upd"]), cast("int", row["n_tup_hot_upd"])
