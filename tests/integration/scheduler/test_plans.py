"""Statements that are sent all the time, on filled tables: which index they use."""

import pytest

from mainspring_postgres import load_queries
from mainspring_testkit.fixtures import Database as OwnDatabase

HERE = "mainspring_scheduler.adapters.postgres"
FILL = """
insert into scheduler.schedule (
    id, org_id, name, target, session_id, spec, paused, rev, next_ms, due_ms, created_ms, updated_ms
)
select gen_random_uuid(), gen_random_uuid(), n::text, 'message', gen_random_uuid(), '', false, 1, n,
    case when n % 3 > 0 then (extract(epoch from now()) * 1000)::bigint + n * 1000 end, n, n
from generate_series(1, 20000) as n;
insert into scheduler.slot (
    id, schedule_id, org_id, slot_ms, origin, status, attempts, created_ms, ended_ms
)
select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), n, 'time', 'completed', 1, n,
    case when n % 50 > 0 then n end
from generate_series(1, 40000) as n;
analyze scheduler.schedule, scheduler.slot
"""


@pytest.fixture(scope="module")
def filled(module_database: OwnDatabase) -> OwnDatabase:
    module_database.sql(FILL)
    return module_database


@pytest.mark.parametrize(
    ("file", "name", "index"),
    [
        ("duties.sql", "claim_due_duties", "schedule_due"),
        ("schedules.sql", "claim_due_schedules", "schedule_due"),
        ("schedules.sql", "count_schedules_of_sessions", "schedule_session"),
        ("schedules.sql", "commit_schedules", "schedule_pkey"),
        ("slots.sql", "open_slots_of", "slot_open"),
        ("slots.sql", "list_slots", "slot_newest"),
        ("slots.sql", "forget_slots", "slot_ended"),
    ],
)
def test_a_statement_reads_its_index_and_no_whole_table(
    filled: OwnDatabase, file: str, name: str, index: str
) -> None:
    query = load_queries(HERE, file)[name]

    plan = filled.sql(f"explain (generic_plan) {query.sql}")

    assert index in plan
    read_whole = [line for line in plan.splitlines() if "Seq Scan on s" in line]
    assert [line for line in read_whole if name != "forget_slots" or "schedule" not in line] == []
