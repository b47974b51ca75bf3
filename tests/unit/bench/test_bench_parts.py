import io
from pathlib import Path

import pytest

from tests.load.bench import arguments, machine, processes, profile
from tests.load.bench.arguments import parse, plan_of
from tests.load.bench.conduct import headlines
from tests.load.bench.crew import BenchFailed
from tests.load.bench.ground import quiet_environment
from tests.load.bench.live import Progress, Rates, sparkline
from tests.load.bench.plan import Plan
from tests.load.bench.processes import Usage
from tests.load.bench.scenarios.catalogue import SCENARIOS, chosen


def test_a_quick_bench_is_shorter_in_every_part() -> None:
    usual, short = plan_of(parse([])), plan_of(parse(["--quick"]))

    assert usual == Plan()
    for name in ("warm_s", "one_s", "many_s", "stream_s", "history", "dispatch_samples", "kills"):
        assert getattr(short, name) < getattr(usual, name), name


def test_what_is_asked_for_stands_in_the_plan() -> None:
    plan = plan_of(
        parse(["dispatch", "--workers", "10,20", "--rate", "50", "--seconds", "3", "--by-chance"])
    )

    assert (plan.workers, plan.tasks_per_s, plan.dispatch_s) == ((10, 20), 50.0, 3.0)
    assert plan.by_chance
    assert not plan.traced


@pytest.mark.parametrize(
    "words",
    [
        ["--json", "/nowhere/report.json"],
        ["--html", "/"],
        ["--seconds", "nan"],
        ["--rate", "0"],
        ["--minutes", "-1"],
    ],
)
def test_what_would_fail_behind_the_measuring_is_refused_before(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["turns", *words])

    assert ended.value.code == 2
    assert words[1] in capsys.readouterr().err


def test_scenarios_go_in_their_own_order_whatever_order_is_asked() -> None:
    assert list(chosen(["dispatch", "turns"], own=True, database=True)) == ["turns", "dispatch"]


def test_a_scenario_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["turns", "c2"])

    assert ended.value.code == 2
    assert "there is no scenario c2; there are limits" in capsys.readouterr().err


def test_a_bench_that_names_none_has_all_but_the_long_ones() -> None:
    assert set(chosen([], own=True, database=True)) == SCENARIOS.keys() - {
        "crowd", "horizon", "keys", "replicas", "soak",
    }  # fmt: skip


def test_on_somebody_elses_stack_nothing_is_killed_or_counted_unseen() -> None:
    found = chosen([], own=False, database=False)

    assert "turns" in found
    assert not {"recovery", "dispatch", "idle"} & found.keys()
    with pytest.raises(BenchFailed, match="needs a stack of its own"):
        chosen(["recovery"], own=False, database=True)
    with pytest.raises(BenchFailed, match="--postgres"):
        chosen(["idle"], own=False, database=False)


def test_every_scenario_is_told_in_the_help() -> None:
    text = arguments.parser().format_help()

    assert all(name in text for name in SCENARIOS)


def test_new_promised_figures_are_shown_as_they_come() -> None:
    figures = {"turns_per_s_c1": 150.0, "rss_mib_api": 70.0, "turns_per_s_c32": 1000.0}

    assert headlines(figures, {"turns_per_s_c1"}) == ["turns_per_s_c32 1,000"]


def test_nothing_of_the_callers_settings_reaches_the_stack() -> None:
    found = quiet_environment(
        {"PATH": "/bin", "OPENAI_API_KEY": "x", "OTEL_EXPORTER_OTLP_ENDPOINT": "x"}, 0.0
    )

    assert found["PATH"] == "/bin"
    assert not {"OPENAI_API_KEY", "OTEL_EXPORTER_OTLP_ENDPOINT"} & found.keys()
    assert found["MAINSPRING_TRACE_RATIO"] == "0.0"


def test_a_process_that_ended_meanwhile_has_no_cost() -> None:
    before = {
        "api": Usage(cpu_s=1.0, memory_mib=1.0),
        "worker": Usage(cpu_s=1.0, memory_mib=1.0),
    }

    (cost,) = processes.costs(before, {"api": Usage(cpu_s=1.5, memory_mib=2.0)}, 100)

    assert (cost.process, cost.cpu_ms_per_unit, cost.memory_mib) == ("api", 5.0, 2.0)


def test_what_others_used_is_what_is_left_of_the_machine() -> None:
    assert processes.others(12.0, 8.0, 4.0) == 1.0
    assert processes.others(7.9, 8.0, 4.0) == 0.0


def test_samples_count_for_a_function_and_for_all_who_called_it() -> None:
    own, total, samples = profile.counted(["main (a.py:1);work (a.py:2) 3", "main (a.py:9) 1"])

    assert (own["work (a.py"], own["main (a.py"], samples) == (3, 1, 4)
    assert total["main (a.py"] == 4


def test_without_a_terminal_progress_is_one_line_per_part() -> None:
    plain = io.StringIO()

    with Progress(2, plain) as progress:
        progress.part("one")
        progress.count(10, "turns")
        progress.part("two")

    assert [line.split()[-1] for line in plain.getvalue().splitlines()] == ["one", "two"]


def test_a_terminal_sees_what_was_found() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()

    with Progress(1, terminal) as progress:
        progress.part("turns")
        progress.found("turns_per_s_c1 150")

    assert "turns_per_s_c1 150" in terminal.getvalue()


def test_a_rate_comes_from_a_count_that_rises() -> None:
    rates = Rates()

    for second in range(4):
        rates.note(second * 100, 10.0 + second)

    assert list(rates.values) == [100.0, 100.0, 100.0]


def test_the_largest_value_fills_its_block() -> None:
    assert sparkline([0.0, 50.0, 100.0]) == "▁▅█"
    assert sparkline([0.0, 0.0]) == "▁▁"


def test_a_calibration_measures_something_everywhere(tmp_path: Path) -> None:
    found = machine.calibration(tmp_path)

    assert found
    assert all(value > 0 for value in found.values()), found


@pytest.mark.parametrize(
    "words",
    [
        "--history 0",
        "--tasks -3",
        "--keys 0",
        "--sleepers -1",
        "--clients 0",
        "--clients 1,a",
        "--clients -3",
        "--workers ,",
        "--sampling 3",
        "--sampling nan",
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_starts(words: str) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(words.split())

    assert caught.value.code == 2
