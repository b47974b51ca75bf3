"""Several rounds of a bench make one report."""

import msgspec
import pytest

from tests.load.bench import arguments
from tests.load.bench.report import Report, span
from tests.load.bench.rounds import middle


def report(figures: dict[str, float], note: str = "") -> Report:
    return Report(
        machine={}, calibration={}, versions={}, commit="", sampling={}, figures=figures,
        spreads={}, notes=[note] if note else [],
    )  # fmt: skip


def test_each_figure_is_the_middle_one_of_the_rounds_that_have_it() -> None:
    rounds = [
        report({"turns_per_s_c1": 90.0, "tasks_per_s": 9.0}, "a"),
        report({"turns_per_s_c1": 10.0, "recovery_p99_s": 2.0}, "b"),
        report({"turns_per_s_c1": 20.0, "tasks_per_s": 11.0}, "a"),
    ]

    found = middle(rounds)

    assert found.figures == {"turns_per_s_c1": 20.0, "tasks_per_s": 10.0, "recovery_p99_s": 2.0}
    assert found.notes == ["a", "b"]
    assert found.rounds == [one.figures for one in rounds]
    assert span("turns_per_s_c1", found.rounds) == (10.0, 90.0)
    assert span("recovery_p99_s", found.rounds) is None


def test_a_ratio_is_of_the_two_middle_figures() -> None:
    ours, theirs = "tasks_per_s", "peer_pgqueuer_tasks_per_s"
    rounds = [
        report({ours: 10.0, theirs: 20.0, f"{theirs}_ratio": 0.5}),
        report({ours: 20.0, theirs: 5.0, f"{theirs}_ratio": 4.0}),
        report({ours: 30.0, theirs: 10.0, f"{theirs}_ratio": 3.0}),
    ]

    assert middle(rounds).figures == {ours: 20.0, theirs: 10.0, f"{theirs}_ratio": 2.0}


def test_a_single_round_is_its_own_report() -> None:
    only = report({"tasks_per_s": 9.0})

    assert middle([only]) is only
    assert not msgspec.json.decode(msgspec.json.encode(only), type=Report).rounds


@pytest.mark.parametrize("rounds", ["0", "10", "many"])
def test_rounds_out_of_bounds_are_refused_before_anything_starts(rounds: str) -> None:
    with pytest.raises(SystemExit):
        arguments.parse(["--rounds", rounds])
