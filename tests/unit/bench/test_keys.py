"""What a bare bench promises to leave in its report."""

from tests.load.bench.arguments import parse, parse_peers, plan_of
from tests.load.bench.conduct import course_of
from tests.load.bench.peers.ratios import MEASURED, NAMES, key_of
from tests.load.bench.scenarios.catalogue import SCENARIOS, TRACED
from tests.load.bench.scenarios.keys import KEYS
from tests.load.bench.targets import TARGETS

PROMISED = {
    "dispatch_idle_p50_ms",
    "dispatch_idle_p99_ms",
    "dispatch_1000_workers_p50_ms",
    "dispatch_1000_workers_p99_ms",
    "tasks_per_s",
    "steps_per_s_c32",
    "workflow3_p50_ms",
    "turns_per_s_c1",
    "turns_per_s_c32",
    "sql_per_text_turn",
    "sse_2000_p99_ms",
    "recovery_p99_s",
    "history_cost_ratio",
    "fork_p50_ms",
    "timer_lateness_p99_ms",
    "fairness_ratio",
    "wal_bytes_per_task",
}
"""The names that others rely on."""


def keys_of(words: list[str]) -> set[str]:
    course = course_of(parse(words))
    return {key for name in course.scenarios for key in KEYS[name](course.plan)}


def test_a_bare_bench_leaves_every_promised_figure() -> None:
    assert keys_of([]) >= PROMISED


def test_every_target_is_measured_by_a_scenario_or_at_the_end_of_each() -> None:
    assert keys_of([*SCENARIOS]) | {"postgres_connections"} >= set(TARGETS)


def test_every_scenario_says_what_it_leaves() -> None:
    assert set(KEYS) == set(SCENARIOS) | set(TRACED)


def test_sizes_that_are_asked_for_are_in_the_names() -> None:
    found = keys_of(
        ["dispatch", "sse", "turns", "--workers", "7", "--streams", "3", "--clients", "2"]
    )

    assert found >= {"dispatch_7_workers_p99_ms", "sse_3_p99_ms", "turns_per_s_c2"}


def test_peers_are_compared_by_figures_that_we_leave_as_well() -> None:
    parsed = parse_peers([])
    plan = plan_of(parsed)

    ours = {key for name in parsed.scenarios for key in KEYS[name](plan)}

    assert ours >= set(MEASURED)
    assert "peer_pgqueuer_tasks_per_s" in {key_of(name, "tasks_per_s") for name in NAMES}
