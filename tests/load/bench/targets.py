"""The figures that `docs/architecture.md` and its section 7 promise, and which way is better."""

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
    "turns_per_s_c1": _least(150, "turns per second, one client"),
    "turns_per_s_c32": _least(1000, "turns per second, 32 clients"),
    "dispatch_idle_p50_ms": _most(2, "Submit sent to handler entered, idle, P50"),
    "dispatch_idle_p99_ms": _most(5, "the same, P99"),
    "sql_per_text_turn": _most(12, "statements per text turn"),
    "sse_commit_to_client_p99_ms": _most(50, "committed time to client, P99"),
    "sse_2000_p99_ms": _most(50, "the same with 2,000 streams"),
    "history_cost_ratio": _most(1.2, "a late turn's time by a first turn's"),
    "recovery_p99_s": _most(3, "worker killed to work restarted, P99"),
}
