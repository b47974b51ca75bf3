"""The page of figures that stands in the documents."""

import msgspec

from tests.load.bench.published import BARE, page
from tests.load.bench.report import Report


def report(figures: dict[str, float]) -> Report:
    return Report(
        machine={"processor": "P", "cores": "2"},
        calibration={"python_work_ms": 20.0},
        versions={},
        commit="0123456789abcdef",
        sampling={},
        figures=figures,
        spreads={},
        measured_at="2026-01-02T03:04:05Z",
        notes=["somebody else used 0.4 cores"],
    )


def test_a_miss_is_said_as_plainly_as_a_hit_and_what_was_not_measured_is_not_left_out() -> None:
    lines = page(report({"turns_per_s_c1": 55.0, "recovery_p99_s": 1.0})).splitlines()

    def line(key: str) -> str:
        return next(line for line in lines if line.startswith(f"| `{key}`"))

    assert "| 55.0 | ≥ 150 | **missed** |" in line("turns_per_s_c1")
    assert "| 1.00 | ≤ 3.00 | reached |" in line("recovery_p99_s")
    assert "|  | ≥ 1,000 | not measured |" in line("turns_per_s_c32")
    assert any("2026-01-02, commit 0123456789ab" in line for line in lines)
    assert "- somebody else used 0.4 cores" in lines


def test_peers_stand_beside_us_in_the_figures_that_they_have() -> None:
    figures = {"tasks_per_s": 900.0, "peer_pgqueuer_tasks_per_s": 1800.0}
    lines = page(report(figures)).splitlines()

    assert "| figure | Mainspring | pgqueuer |" in lines
    assert "| Tasks per second (tasks/s) | 900 | 1,800 |" in lines
    assert not any(line.startswith("| `peer_") for line in lines)


def test_the_machines_limits_stand_beside_those_where_the_promises_were_made() -> None:
    lines = page(report({"limit_call_p50_ms": 1.2, "limit_calls_per_s_c32": 2_500.0}))

    assert "| `limit_call_p50_ms` | 1.20 | 0.60 | 2.0 |" in lines
    assert "| `limit_calls_per_s_c32` | 2,500 | 5,000 | 2.0 |" in lines


def test_long_runs_stand_under_the_command_that_made_them() -> None:
    long = report({"replicas_ratio": 0.98})
    settings = {"scenarios": "timers replicas", "sleepers": "1000000", "held_s": "300.0"}
    long = msgspec.structs.replace(long, settings=settings)

    text = page(report({}), long)

    command = "./task bench timers replicas --sleepers 1000000 --held 300.0"
    assert f"`{command} --json docs/figures/long.json` on 2026-01-02" in text
    assert "| `replicas_ratio` | 0.98 |" in text.splitlines()


def test_how_the_cores_were_shared_is_part_of_the_command() -> None:
    found = report({})
    usual = msgspec.structs.replace(found, machine={**found.machine, "scheduling": "as usual"})
    told = msgspec.structs.replace(found, machine={**found.machine, "scheduling": "chrt --rr 1"})

    assert "`./task bench --json docs/figures/bench.json` on" in page(usual)
    assert "`chrt --rr 1 ./task bench --json docs/figures/bench.json` on" in page(told)


def test_cores_that_are_set_up_for_it_stand_beside_the_usual_under_their_own_command() -> None:
    usual = report({"turns_per_s_c32": 800.0, "tasks_per_s": 900.0, "recovery_p99_s": 1.0})
    placed = report({"turns_per_s_c32": 1010.0, "tasks_per_s": 950.0, "wal_bytes_per_task": 7.0})
    machine = {**placed.machine, "scheduling": "chrt --rr 1", "idle": "halts at once"}
    settings = {"scenarios": "turns throughput"}
    placed = msgspec.structs.replace(placed, machine=machine, settings=settings)

    lines = page(usual, None, placed).splitlines()

    command = "chrt --rr 1 ./task bench turns throughput --json docs/figures/placed.json"
    below = lines[lines.index("## On cores that are set up for it") :]
    assert any(line.startswith(f"`{command}` on 2026-01-02") for line in below)
    assert any("cores 2, idle halts at once;" in line for line in below)
    assert "| `turns_per_s_c32` | 800 | 1,010 | ≥ 1,000 | reached |" in below
    assert "| `tasks_per_s` | 900 | 950 | ≥ 30,000 | **missed** |" in below
    assert not any("wal_bytes_per_task" in line or "recovery" in line for line in below)


def test_a_bare_bench_is_named_by_its_verb_alone_and_each_report_has_its_own_peers() -> None:
    settings = {"scenarios": BARE}
    usual = msgspec.structs.replace(report({"tasks_per_s": 900.0}), settings=settings)
    figures = {"tasks_per_s": 950.0, "peer_pgqueuer_tasks_per_s": 960.0}
    placed = msgspec.structs.replace(report(figures), settings=settings)

    lines = page(usual, None, placed).splitlines()

    assert any(line.startswith("`./task bench --json docs/figures/bench.json`") for line in lines)
    command = "`./task bench --peers --json docs/figures/placed.json`"
    assert any(line.startswith(command) for line in lines)
    assert "## Beside others" not in lines
    below = lines[lines.index("### Beside others, so") :]
    assert "| Tasks per second (tasks/s) | 950 | 960 |" in below


def test_of_several_rounds_the_page_says_the_middle_and_how_far_apart_they_were() -> None:
    rounds = [{"turns_per_s_c32": 800.0}, {"turns_per_s_c32": 1010.0}, {"turns_per_s_c32": 1200.0}]
    several = msgspec.structs.replace(report(rounds[1]), rounds=rounds)

    lines = page(several).splitlines()

    assert "- each figure is the middle one of 3 rounds" in lines
    assert any(line.startswith("`./task bench --rounds 3 --json") for line in lines)
    assert any("| 1,010 (800 to 1,200) | ≥ 1,000 | reached |" in line for line in lines)
