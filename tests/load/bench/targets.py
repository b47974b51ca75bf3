"""The figures that are promised, and which way is better."""

import re
from typing import Final

from msgspec import Struct


class Target(Struct, frozen=True, kw_only=True):
    """`at_most` false means at least."""

    value: float
    at_most: bool
    what: str

    def reached(self, figure: float) -> bool:
        return figure <= self.value if self.at_most else figure >= self.value


def _least(value: float, what: str) -> Target:
    return Target(value=value, at_most=False, what=what)


def _most(value: float, what: str) -> Target:
    return Target(value=value, at_most=True, what=what)


TARGETS: Final[dict[str, Target]] = {
    "dispatch_idle_p50_ms": _most(2, "Submit sent to handler entered, idle, P50"),
    "dispatch_idle_p99_ms": _most(5, "Submit sent to handler entered, idle, P99"),
    "dispatch_1000_workers_p50_ms": _most(3, "the same among 1,000 workers, 200 per s, P50"),
    "dispatch_1000_workers_p99_ms": _most(10, "the same among 1,000 workers, 200 per s, P99"),
    "tasks_per_s": _least(30_000, "queue tasks submitted to committed per second"),
    "steps_per_s_c32": _least(8_000, "durable steps per second, 32 workflows"),
    "workflow3_p50_ms": _most(5, "a workflow of three steps"),
    "turns_per_s_c1": _least(150, "turns per second, one client"),
    "turns_per_s_c32": _least(1000, "turns per second, 32 clients"),
    "sql_per_text_turn": _most(12, "statements per text turn"),
    "sse_commit_to_client_p99_ms": _most(50, "committed time to client, P99"),
    "sse_2000_p99_ms": _most(50, "committed time to client, 2,000 streams, P99"),
    "history_cost_ratio": _most(1.2, "a late turn's time by a first turn's"),
    "cancel_p99_ms": _most(1000, "cancel sent to turn.cancelled seen, P99"),
    "recovery_p99_s": _most(3, "worker killed to work restarted, P99"),
    "timer_lateness_p99_ms": _most(250, "due timer to its effect, P99"),
    "fairness_ratio": _most(2, "P99 wait beside a flood by that without"),
    "idle_queries_per_s": _most(5, "statements of an idle stack"),
    "postgres_connections": _most(20, "connections to Postgres of all services"),
    "fork_p50_ms": _most(50, "a session of 10,000 events forked, P50"),
    "crowd_ratio": _least(0.9, "tasks per second of 1,000 workers by those of 8"),
    "replicas_ratio": _least(1, "tasks per second of two engines by those of one"),
    "replicas_turns_ratio": _least(1, "turns per second of two engines by those of one"),
    "horizon_cost_percent": _most(15, "tasks per second lost to a held snapshot"),
}

MADE_ON: Final[dict[str, float]] = {
    "limit_inserts_per_s_c1": 3_100,
    "limit_inserts_per_s_c16": 13_000,
    "limit_claims_per_s_b1": 7_100,
    "limit_claims_per_s_b10": 38_000,
    "limit_claims_per_s_b100": 100_000,
    "limit_bus_p50_ms": 0.14,
    "limit_call_p50_ms": 0.6,
    "limit_calls_per_s_c32": 5_000,
    "limit_frame_p50_ms": 0.26,
    "limit_frames_per_s_c1": 7_000,
}
"""What the machine did at best on which the promises were made: the architecture's raw limits."""

HIGHER: Final = re.compile(r"_per_s(?:_|$)|^tasks_at_|^(replicas|replicas_turns|crowd)_ratio$")
"""Rates; of everything else less is better."""
LOWER: Final = frozenset({"idle_queries_per_s"})
NEITHER: Final = re.compile(
    r"^(history_messages|fork_events)$|^horizon_held_s$|_rate$|^peer_.*_ratio$"
)
"""What says under which conditions another figure was taken."""


def at_most(key: str) -> bool | None:
    """Whether less is better; None where neither is."""
    if NEITHER.search(key):
        return None
    if key in TARGETS:
        return TARGETS[key].at_most
    return key in LOWER or not HIGHER.search(key)
