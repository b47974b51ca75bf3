from tests.load.bench.accounting import Mark, Written, writing


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
