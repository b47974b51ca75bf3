"""Statements that are sent with each beat read by the primary key, whatever the planner thinks.

Beside a snapshot that is held, an index of states has an entry for each row that cannot be taken.
"""

import pytest

from mainspring_postgres import load_queries
from mainspring_testkit.fixtures import Database as OwnDatabase

HERE = "mainspring_engine.adapters.postgres"


def test_a_workflow_is_found_by_its_key_without_a_scan(module_database: OwnDatabase) -> None:
    query = load_queries(HERE, "workflows.sql")["list_of_key"]

    plan = module_database.sql(
        f"begin; set local enable_seqscan = off; explain (generic_plan) {query.sql}; rollback"
    )

    assert "start_key" in plan
    assert "start_newest" not in plan
    assert "start_type" not in plan


@pytest.mark.parametrize("name", ["renew", "acknowledge", "lapse", "start"])
def test_a_beat_reads_no_index_of_states(module_database: OwnDatabase, name: str) -> None:
    query = load_queries(HERE, "tasks.sql")[name]

    # Without the primary key a planner that may use an index of states would.
    plan = module_database.sql(
        "begin; set local enable_seqscan = off; alter table engine.task drop constraint task_pkey "
        f"cascade; explain (generic_plan) {query.sql}; rollback"
    )

    assert "Scan on task" in plan
    assert "task_leased" not in plan
    assert "task_counted" not in plan
