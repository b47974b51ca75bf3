"""What only Postgres can promise: rows that nobody changes, rights, heap-only updates, plans."""

import asyncio
import re

import msgspec
import pytest

from mainspring_eventstore.adapters.postgres.store import QUERIES, PostgresStore
from mainspring_eventstore.domain import limits
from mainspring_eventstore.domain.deltas import OpenAnchor
from mainspring_postgres import LockTimeout, QueryFailed
from mainspring_schema.grants import AppendVerdict
from mainspring_testkit.fixtures import Database as OwnDatabase
from mainspring_testkit.scripts import run_script
from tests.contract.eventstore.event_log import IDS, LOCK, PostgresWorld, Story, query
from tests.contract.eventstore.test_event_log_reading import page_after
from tests.contract.eventstore.test_event_log_verify import earlier_turn
from tests.integration.eventstore.conftest import opened

pytestmark = pytest.mark.unsound("nobody but the log is here: its heads name turns without rows")
IMMUTABLE = "55000"
FORBIDDEN = "42501"
ROLES = ("log_run", "engine_run", "api_run", "scheduler_run")


async def streaming(world: PostgresWorld) -> Story:
    story = await Story(world).open()
    await story.start_turn("m1")
    await story.stream(story.delta(0, "a"))
    return story


@pytest.mark.parametrize(
    "statement",
    [
        "update log.event set payload = '{}'",
        "update log.event set h = ''",
        "delete from log.event",
        "truncate log.event",
        "update log.delta set fragment = 'x'",
    ],
)
async def test_even_a_superuser_is_refused_by_trigger(
    log_world: PostgresWorld, statement: str
) -> None:
    await streaming(log_world)

    with pytest.raises(QueryFailed, match="only grows") as refused:
        await run_script(log_world.owner, statement)

    assert refused.value.sqlstate == IMMUTABLE


async def test_a_partition_is_guarded_like_its_parent(
    log_world: PostgresWorld, database: OwnDatabase
) -> None:
    story = await streaming(log_world)
    sql = f"select tableoid::regclass from log.event where session_id = '{story.session_id}'"
    partition = database.sql(sql).split()[0]

    for statement in (f"delete from {partition}", f"truncate {partition}"):
        with pytest.raises(QueryFailed, match="only grows"):
            await run_script(log_world.owner, statement)


@pytest.mark.parametrize("role", ROLES)
async def test_no_service_may_write_a_table_of_the_log(
    module_database: OwnDatabase, role: str
) -> None:
    service = await opened(module_database, role)

    for table in ("head", "event", "delta", "store"):
        for statement in (
            f"insert into log.{table} default values",
            f"delete from log.{table}",
            f"truncate log.{table}",
        ):
            with pytest.raises(QueryFailed) as refused:
                await run_script(service, statement)
            assert refused.value.sqlstate == FORBIDDEN, statement

    await service.close()


def test_each_function_is_granted_to_whom_it_is_for_and_to_nobody_else(
    database: OwnDatabase,
) -> None:
    listed = database.sql(
        "select p.proname || ' ' || r.rolname from pg_proc as p cross join pg_roles as r "
        "where p.pronamespace = 'log'::regnamespace and p.proname like any "
        "(array['%append%', 'lock_v1', 'close_v1', 'open_v2', 'make_%', 'drop_%', 'lineage_v1']) "
        "and r.rolname ~ '^(api|engine|log|scheduler)_(owner|run)$' and r.rolname <> 'log_owner' "
        "and has_function_privilege(r.oid, p.oid, 'execute')"
    )

    assert set(listed.splitlines()) == {
        "lock_v1 engine_owner",
        "append_v1 engine_owner",
        "append_whole_v1 engine_owner",
        "append_closing_v1 engine_owner",
        "close_v1 engine_owner",
        "open_v2 api_owner",
        "open_v2 api_run",
        "append_deltas_v1 log_run",
        "make_partitions_v1 log_run",
        "drop_deltas_v1 log_run",
        "drop_deltas_v2 log_run",
        "drop_delta_partitions_v1 log_run",
        "lineage_v1 log_run",
    }


async def test_lock_waits_for_the_head_and_gives_up_in_time(log_world: PostgresWorld) -> None:
    story = await streaming(log_world)

    async with log_world.owner.transaction() as holder:
        await holder.fetch(LOCK, [story.session_id])
        with pytest.raises(LockTimeout):
            await lock_impatiently(log_world, story)


async def lock_impatiently(world: PostgresWorld, story: Story) -> None:
    async with world.owner.transaction() as tx:
        await tx.execute(query("timeout", "set local lock_timeout = '50ms'"))
        await tx.fetch(LOCK, [story.session_id])


async def test_parallel_flights_over_the_same_heads_neither_deadlock_nor_lose(
    log_world: PostgresWorld,
) -> None:
    stories = [await streaming(log_world) for _ in range(8)]

    async def flight(number: int) -> list[AppendVerdict]:
        order = stories if number % 2 else stories[::-1]
        items = [story.delta(0, str(number), channel=f"c{number}") for story in order]
        return [a.verdict for a in await log_world.append_deltas(items)]

    verdicts = await asyncio.gather(*[flight(number) for number in range(6)])

    assert all(v is AppendVerdict.COMMITTED for flown in verdicts for v in flown)
    assert [(await story.present()).n for story in stories] == [7] * 8


async def test_updates_of_heads_stay_heap_only(
    log_world: PostgresWorld, database: OwnDatabase
) -> None:
    stories = [await streaming(log_world) for _ in range(20)]
    for number in range(1, 21):
        await log_world.append_deltas([story.delta(number, "x") for story in stories])
        events = [story.event("tool.progress") for story in stories]
        await log_world.append(events, [story.head() for story in stories], [])

    await run_script(log_world.owner, "select pg_stat_force_next_flush()")
    counts = database.sql(
        "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables "
        "where relid = 'log.head'::regclass"
    )

    updated, hot = (int(number) for number in counts.strip().split("|"))
    assert updated >= 800
    assert hot / updated > 0.95


def test_heads_have_no_index_but_their_key(database: OwnDatabase) -> None:
    indexes = database.sql("select indexname from pg_indexes where tablename = 'head'").split()

    assert indexes == ["head_pkey"]


FILL = """
with ids as (
    -- Into every partition that exists: of an empty one the planner reads the nothing as it likes.
    select log.uuid_at_ms((extract(epoch from now()) * 1000)::bigint + i + i % 3 * 604800000) as id
    from generate_series(1::bigint, 3000) as i
)
insert into log.head (session_id, org_id, last_seq, hash, ts_ms, active_turn)
select id, gen_random_uuid(), 20, '', 0, id from ids;
insert into log.event (session_id, seq, type, ts_ms, payload, h)
select h.session_id, s, 'tool.progress', 0, '{}', ''
from log.head as h, generate_series(1, 20) as s;
insert into log.delta
    (turn_id, session_id, seq, n, anchor, attempt, channel, "offset", fragment, ts_ms)
select h.active_turn, h.session_id, 20, s, 'm', 1, 'text', s, 'x', 0
from log.head as h, generate_series(1, 10) as s;
analyze log.head; analyze log.event; analyze log.delta
"""


@pytest.fixture
async def filled(log_world: PostgresWorld) -> PostgresWorld:
    await run_script(log_world.owner, FILL)
    return log_world


async def test_hot_statements_read_by_key_on_filled_tables(
    filled: PostgresWorld, database: OwnDatabase
) -> None:
    for name in ("append_deltas", "read", "heads"):
        sql = QUERIES[name].sql
        plan = await asyncio.to_thread(database.sql, f"explain (generic_plan) {sql}")

        assert "Scan" in plan, name
        assert not re.search(r"Seq Scan on (head|event|delta)", plan), f"{name}\n{plan}"


async def test_granted_functions_read_by_key_on_filled_tables(
    filled: PostgresWorld, database: OwnDatabase
) -> None:
    def sequential() -> dict[str, int]:
        rows = database.sql(
            "select relname, seq_tup_read from pg_stat_user_tables where schemaname = 'log' "
            "and relname ~ '^(head|event|delta)'"
        )
        return {name: int(count) for name, count in (row.split("|") for row in rows.split())}

    await run_script(filled.owner, "select pg_stat_force_next_flush()")
    before = sequential()
    story = await streaming(filled)
    for number in range(1, 20):
        await story.stream(story.delta(number, "x"))
        await story.append("tool.progress")
    await story.end_turn()
    await filled.close([(story.session_id, story.org_id)])
    await run_script(filled.owner, "select pg_stat_force_next_flush()")

    assert sequential() == before


async def test_partitions_are_made_once_and_a_missing_one_is_loud(
    log_world: PostgresWorld,
) -> None:
    week_ms = 7 * 86_400_000
    store = log_world.store
    assert isinstance(store, PostgresStore)
    before = await store.make_partitions()
    far = before.horizon_ms + 3 * week_ms
    make = query("make", "select log.make_partitions_v1($1, $2)")

    story = Story(log_world)
    story.session_id = type(IDS.uuid7())(int=(far << 80) | 7 << 76 | 2 << 62)
    with pytest.raises(QueryFailed, match="no partition"):
        await story.open()
    made = [await log_world.owner.fetchval_as(int, make, far, far) for _ in range(2)]
    await log_world.append_deltas([])

    assert made == [2, 0]
    fresh = Story(log_world)
    fresh.session_id = story.session_id
    await fresh.open()
    assert (await fresh.present()).last_seq == 1


async def test_an_old_empty_delta_partition_is_dropped_unless_a_turn_may_still_stream(
    log_world: PostgresWorld, database: OwnDatabase
) -> None:
    store = log_world.store
    assert isinstance(store, PostgresStore)
    now_ms = (await store.make_partitions()).now_ms
    old_ms, older_ms = now_ms - 35 * 86_400_000, now_ms - 49 * 86_400_000
    make = query("make", "select log.make_partitions_v1($1, $1)")
    for at_ms in (old_ms, older_ms):
        await log_world.owner.execute(make, at_ms)
    story = Story(log_world)
    await story.open()
    await story.start_turn("m1", turn_id=type(IDS.uuid7())(int=(old_ms << 80) | 7 << 76 | 2 << 62))

    dropped = [await store.drop_partitions() for _ in range(2)]

    assert dropped == [1, 0]
    assert await story.stream(story.delta(0, "again")) == [AppendVerdict.COMMITTED]


async def test_a_pass_over_old_deltas_drops_no_more_than_it_may_of_all_that_are_over(
    log_world: PostgresWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SWEEP_ROWS_MAX", 3)
    at_work, *over = [await earlier_turn(log_world) for _ in range(3)]
    for story in over:
        await story.end_turn()

    passes = [await log_world.store.drop_deltas() for _ in range(2)]

    assert [(swept.dropped, swept.more) for swept in passes] == [(3, True), (1, False)]
    assert len((await page_after(at_work, 0)).deltas) == 2


async def test_a_pass_over_old_deltas_looks_at_no_more_turns_than_it_may(
    log_world: PostgresWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SWEEP_TURNS_MAX", 2)
    for _ in range(3):
        await (await earlier_turn(log_world)).end_turn()

    passes = [await log_world.store.drop_deltas() for _ in range(2)]

    assert [(swept.dropped, swept.more) for swept in passes] == [(4, True), (2, False)]


async def test_of_two_passes_over_old_deltas_one_does_the_work_and_nobody_waits(
    log_world: PostgresWorld,
) -> None:
    await (await earlier_turn(log_world)).end_turn()
    async with log_world.owner.transaction() as tx:
        await tx.fetch(query("sweep", "select from log.drop_deltas_v2(0, 0, 0)"))

        beside = await log_world.store.drop_deltas()

    assert (beside.dropped, beside.more) == (0, False)
    assert (await log_world.store.drop_deltas()).dropped == 2


async def test_weeks_that_turns_still_need_keep_no_other_one(
    log_world: PostgresWorld, database: OwnDatabase
) -> None:
    store = log_world.store
    assert isinstance(store, PostgresStore)
    now_ms = (await store.make_partitions()).now_ms
    week_ms = 7 * 86_400_000
    made = "select log.make_partitions_v1({}, {})"
    database.sql(made.format(now_ms - 50 * week_ms, now_ms))
    for weeks in range(40, 51):
        at_ms = now_ms - weeks * week_ms
        turn_id = type(IDS.uuid7())(int=(at_ms << 80) | 7 << 76 | 2 << 62)
        story = Story(log_world)
        await story.open()
        await story.start_turn("m1", turn_id=turn_id)
    database.sql("analyze")

    dropped = [await store.drop_partitions()]
    database.sql("update log.store set partitions_checked_ms = 0")
    dropped.append(await store.drop_partitions())

    assert dropped == [10, 10]


async def test_twin_and_table_write_an_anchor_alike(log_world: PostgresWorld) -> None:
    story = await Story(log_world).open()
    await story.start_turn("m1", "m2")
    await story.stream(story.delta(0, "abc"), story.delta(0, "t", channel="thinking"))
    await story.append("tool.progress", anchors=[story.anchor("m2", None)])

    text = "select anchors::text from log.head where session_id = $1"
    stored = await log_world.owner.fetchval_as(str, query("anchors", text), story.session_id)

    anchor = OpenAnchor(attempt=1, channels={"text": 3, "thinking": 1})
    assert msgspec.json.decode(stored) == {"m1": {"a": anchor.attempt, "c": dict(anchor.channels)}}
