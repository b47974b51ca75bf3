import pytest

from tests.load.bench import statements
from tests.load.bench.statements import Statement


def row(query: str, calls: int, *, toplevel: bool = True, ms: float = 0.0) -> Statement:
    return Statement(
        role="engine_run", query=query, toplevel=toplevel, calls=calls, exec_ms=ms, blocks=calls
    )


def test_equal_texts_of_one_role_are_one_statement() -> None:
    found = statements.snapshot([row("select\n  1", 2, ms=1.0), row("select 1", 3, ms=2.0)])

    (only,) = found.values()
    assert (only.calls, only.exec_ms, only.blocks) == (5, 3.0, 5)


def test_the_same_text_inside_a_function_is_another_statement() -> None:
    found = statements.snapshot([row("select 1", 2), row("select 1", 3, toplevel=False)])

    assert statements.calls_per_s(found, 1.0) == 2.0
    assert statements.calls_per_s(found, 1.0, toplevel=False) == 3.0
    assert [r.calls for r in statements.of_level(found, toplevel=False).values()] == [3]


def test_the_idle_rate_is_taken_out_of_the_busy_stretch() -> None:
    idle = statements.snapshot([row("sweep", 6, ms=3.0)])
    busy = statements.snapshot([row("sweep", 30, ms=15.0), row("commit", 200, ms=400.0)])

    found = statements.per_turn(busy, 10.0, idle, 3.0, turns=100)

    assert [(one.query, one.calls, one.exec_ms) for one in found] == [
        ("commit", 2.0, 4.0),
        ("sweep", pytest.approx(0.1), pytest.approx(0.05)),
    ]


def test_what_only_the_idle_stack_sends_is_no_part_of_a_turn() -> None:
    idle = statements.snapshot([row("sweep", 30)])
    busy = statements.snapshot([row("sweep", 95), row("commit", 200)])

    found = statements.per_turn(busy, 10.0, idle, 3.0, turns=100)

    assert [one.query for one in found] == ["commit"]
