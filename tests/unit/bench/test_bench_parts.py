import io
from pathlib import Path

import pytest

from tests.load.bench import __main__ as bench
from tests.load.bench import machine, processes, profile
from tests.load.bench.crew import BenchFailed
from tests.load.bench.ground import quiet_environment
from tests.load.bench.plan import Plan
from tests.load.bench.processes import Usage
from tests.load.bench.progress import Progress, bar


def parsed(*arguments: str) -> bench.Arguments:
    return bench.parser().parse_args(arguments, namespace=bench.Arguments())


def test_a_quick_run_is_shorter_in_every_part() -> None:
    usual, short = bench.plan_of(parsed()), bench.plan_of(parsed("--quick"))

    assert usual == Plan()
    for name in ("warm_s", "one_s", "many_s", "stream_s", "history", "dispatch_samples", "kills"):
        assert getattr(short, name) < getattr(usual, name), name


def test_parts_run_in_their_own_order_whatever_order_is_asked() -> None:
    assert list(bench.parts_of(parsed("--only", "dispatch,c1"))) == ["c1", "dispatch"]


def test_a_part_that_does_not_exist_is_refused() -> None:
    with pytest.raises(BenchFailed, match="c2"):
        bench.parts_of(parsed("--only", "c1,c2"))


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

    assert (cost.process, cost.cpu_ms_per_turn, cost.memory_mib) == ("api", 5.0, 2.0)


def test_what_others_used_is_what_is_left_of_the_machine() -> None:
    assert processes.others(12.0, 8.0, 4.0) == 1.0
    assert processes.others(7.9, 8.0, 4.0) == 0.0


def test_samples_count_for_a_function_and_for_all_who_called_it() -> None:
    own, total, samples = profile.counted(["main (a.py:1);work (a.py:2) 3", "main (a.py:9) 1"])

    assert (own["work (a.py"], own["main (a.py"], samples) == (3, 1, 4)
    assert total["main (a.py"] == 4


def test_progress_on_a_terminal_is_one_line_and_elsewhere_one_per_part() -> None:
    plain = io.StringIO()
    progress = Progress(2, plain)

    progress.part("one")
    progress.step("10 turns")
    progress.part("two")
    progress.end()

    assert [line.split()[-1] for line in plain.getvalue().splitlines()] == ["one", "two"]
    assert bar(0.5, 4) == "██··"


def test_a_calibration_measures_something_everywhere(tmp_path: Path) -> None:
    found = machine.calibration(tmp_path)

    assert found
    assert all(value > 0 for value in found.values()), found
