import pytest

from tests.load.bench.accounting import Mark, Written, asking, writing
from tests.load.bench.statements import Statement, snapshot


def sent(query: str, calls: int) -> Statement:
    return Statement(
        role="engine_run", query=query, toplevel=True, calls=calls, exec_ms=2.0 * calls, blocks=0
    )


def mark(wal_bytes: int, transactions: int) -> Mark:
    written = Written(wal_bytes=wal_bytes, transactions=transactions)
    return Mark(written=written, usage={}, busy_s=0.0, at_s=0.0)


def test_what_was_written_is_shared_by_the_units() -> None:
    found = writing(mark(1000, 10), mark(51_000, 30), 50, "task")

    assert found == {"wal_bytes_per_task": 1000.0, "commits_per_task": 0.4}


def test_a_database_out_of_reach_gives_no_figure() -> None:
    blind = Mark(written=None, usage={}, busy_s=0.0, at_s=0.0)

    assert writing(blind, mark(1, 1), 1, "task") == {}
    assert writing(mark(1, 1), mark(2, 2), 0, "task") == {}


def test_statements_that_very_many_units_share_are_counted_as_well() -> None:
    before = snapshot([sent("submit", 10)])
    after = snapshot([sent("submit", 70), sent("end", 90)])

    found = asking(before, after, 30_000, "task")

    assert found["sql_per_task"] == pytest.approx(150 / 30_000)
    assert found["sql_ms_per_task"] == pytest.approx(300 / 30_000)
