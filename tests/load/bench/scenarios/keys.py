"""Which figures each scenario leaves in a report, by the sizes of the plan.

The names are part of the tool: people compare reports by them, and so does `./task bench compare`.
"""

from collections.abc import Callable, Sequence
from typing import Final

from tests.load.bench.machine_limits import BATCHES, CALLERS, CONNECTIONS
from tests.load.bench.plan import Plan
from tests.load.bench.scenarios.workflows import KINDS

Keys = Callable[[Plan], Sequence[str]]


def _limits(_: Plan) -> list[str]:
    rates = [f"claims_per_s_b{batch}" for batch in BATCHES]
    rates += ["inserts_per_s_c1", f"inserts_per_s_c{CONNECTIONS}"]
    rates += [f"calls_per_s_c{CALLERS}", "frames_per_s_c1"]
    waits = [f"{name}_p50_ms" for name in ("commit", "bus", "call", "frame")]
    return [f"limit_{key}" for key in (*waits, *rates)]


def _idle(_: Plan) -> list[str]:
    return ["idle_queries_per_s", "idle_cpu_percent"]


def _turns(plan: Plan) -> list[str]:
    of_one = ["sql_per_text_turn", "sql_ms_per_text_turn"] if 1 in plan.clients else []
    return [*(f"turns_per_s_c{clients}" for clients in plan.clients), *of_one]


def _turns_traced(plan: Plan) -> list[str]:
    return [f"turns_per_s_c{clients}_traced" for clients in plan.clients]


def _workflow(_: Plan) -> list[str]:
    return [f"{kind.prefix}workflow3_p{part}_ms" for kind in KINDS for part in (50, 99)]


def _steps(_: Plan) -> list[str]:
    return [
        name
        for key in (kind.prefix for kind in KINDS)
        for name in (
            f"{key}steps_per_s_c32",
            f"wal_bytes_per_{key}workflow3",
            f"commits_per_{key}workflow3",
        )
    ]


def _throughput(_: Plan) -> list[str]:
    return ["tasks_per_s", "wal_bytes_per_task", "commits_per_task", "sql_per_task"]


def _timers(_: Plan) -> list[str]:
    return ["timer_lateness_p50_ms", "timer_lateness_p99_ms"]


def _sse(plan: Plan) -> list[str]:
    shares = ["sse_commit_to_client_p50_ms", "sse_commit_to_client_p99_ms"]
    return [f"sse_{n}_p{part}_ms" for n in plan.streams for part in (50, 99)] + shares


def _history(_: Plan) -> list[str]:
    return ["history_messages", "history_cost_ratio"]


def _fork(_: Plan) -> list[str]:
    return ["fork_p50_ms", "fork_p99_ms", "fork_rows", "fork_events"]


def _cancel(_: Plan) -> list[str]:
    return ["cancel_p50_ms", "cancel_p99_ms"]


def _soak(_: Plan) -> list[str]:
    return ["soak_p99_ms"]


def _horizon(_: Plan) -> list[str]:
    rates = ["horizon_calm_tasks_per_s", "horizon_held_tasks_per_s"]
    return [*rates, "horizon_cost_percent", "horizon_dead_task_rows", "horizon_held_s"]


def _keyed(_: Plan) -> list[str]:
    return ["keys_plain_tasks_per_s", "keys_tasks_per_s", "keys_cost_percent"]


def _crowd(_: Plan) -> list[str]:
    return ["crowd_8_tasks_per_s", "crowd_1000_tasks_per_s", "crowd_ratio"]


def _replicas(_: Plan) -> list[str]:
    of_tasks = ["replicas_1_tasks_per_s", "replicas_2_tasks_per_s", "replicas_ratio"]
    of_turns = ["replicas_1_turns_per_s", "replicas_2_turns_per_s", "replicas_turns_ratio"]
    return [*of_tasks, *of_turns]


def _recovery(_: Plan) -> list[str]:
    return ["recovery_p50_s", "recovery_p99_s"]


def _dispatch(plan: Plan) -> list[str]:
    names = ["idle", "turn_idle", *(f"{workers}_workers" for workers in plan.workers)]
    names += [f"turn_{workers}_workers" for workers in plan.workers[:1]]
    return [f"dispatch_{name}_p{part}_ms" for name in names for part in (50, 99)]


def _fairness(_: Plan) -> list[str]:
    return ["fairness_ratio", "fairness_calm_p99_ms", "fairness_flood_p99_ms"]


KEYS: Final[dict[str, Keys]] = {
    "limits": _limits,
    "idle": _idle,
    "turns": _turns,
    "turns_traced": _turns_traced,
    "workflow": _workflow,
    "steps": _steps,
    "throughput": _throughput,
    "timers": _timers,
    "sse": _sse,
    "history": _history,
    "fork": _fork,
    "cancel": _cancel,
    "soak": _soak,
    "horizon": _horizon,
    "keys": _keyed,
    "crowd": _crowd,
    "replicas": _replicas,
    "recovery": _recovery,
    "dispatch": _dispatch,
    "fairness": _fairness,
}
