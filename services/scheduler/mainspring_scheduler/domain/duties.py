"""Duties: what recurs, how often, and what follows from an outcome. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from mainspring_kernel import backoff
from mainspring_scheduler.domain import limits
from mainspring_scheduler.domain.limits import SCHEDULE_TICK_MS_MIN


class Duty(StrEnum):
    """Named `<who does it>.<what>`; the name is the key of its row."""

    TIMERS = "engine.timers"
    RETRIES = "engine.retries"
    LEASES = "engine.leases"
    ENGINE_UPKEEP = "engine.upkeep"
    LOG_UPKEEP = "eventstore.upkeep"
    SCHEDULES = "scheduler.schedules"
    SLOT_UPKEEP = "scheduler.upkeep"


AskedDuty: TypeAlias = Literal[
    Duty.TIMERS, Duty.RETRIES, Duty.LEASES, Duty.ENGINE_UPKEEP, Duty.LOG_UPKEEP
]
"""What other services do; the rest is done here."""


class Plan(Struct, frozen=True, kw_only=True):
    """How often a duty comes.

    `hold_ms` is how long a claim keeps it from others: it comes back by itself where its taker
    dies. Where that is the whole period, a success needs no second statement.
    """

    duty: Duty
    period_ms: int
    hold_ms: int
    failure: backoff.Policy


class Claimed(Struct, frozen=True, kw_only=True):
    """A duty that is ours until its hold ends. `failures` in a row count over all replicas."""

    name: Duty
    failures: int


class Claims(Struct, frozen=True, kw_only=True):
    """What one claim took. `due_in_ms` is until a schedule is due; None where none ever is."""

    duties: tuple[Claimed, ...] = ()
    due_in_ms: int | None = None


class Report(Struct, frozen=True, kw_only=True):
    """What the passes of one claim did. `more`: the last batch was full."""

    handled: int = 0
    more: bool = False


class Failed(Struct, frozen=True, kw_only=True):
    """A pass did not succeed. `retry_after_s` is what the other side asked for."""

    code: str
    detail: str
    retry_after_s: float | None = None


Outcome = Report | Failed


class Settlement(Struct, frozen=True, kw_only=True):
    """What the duty's row becomes: due again so long from now, after so many failures in a row."""

    duty: Duty
    due_in_ms: int
    failures: int


_SWEEP_FAILURE: Final = backoff.Policy(first_s=1.0, max_s=8.0)
_UPKEEP_FAILURE: Final = backoff.Policy(first_s=5.0, max_s=60.0)


def _sweep(duty: Duty) -> Plan:
    period = limits.SWEEP_PERIOD_MS
    return Plan(duty=duty, period_ms=period, hold_ms=period, failure=_SWEEP_FAILURE)


def _upkeep(duty: Duty) -> Plan:
    return Plan(
        duty=duty,
        period_ms=limits.UPKEEP_PERIOD_MS,
        hold_ms=limits.UPKEEP_HOLD_MS,
        failure=_UPKEEP_FAILURE,
    )


PLANS: Final[Mapping[Duty, Plan]] = {
    Duty.TIMERS: _sweep(Duty.TIMERS),
    Duty.RETRIES: _sweep(Duty.RETRIES),
    Duty.LEASES: _sweep(Duty.LEASES),
    Duty.ENGINE_UPKEEP: _upkeep(Duty.ENGINE_UPKEEP),
    Duty.LOG_UPKEEP: _upkeep(Duty.LOG_UPKEEP),
    Duty.SCHEDULES: _sweep(Duty.SCHEDULES),
    Duty.SLOT_UPKEEP: _upkeep(Duty.SLOT_UPKEEP),
}


def settle(claimed: Claimed, plan: Plan, outcome: Outcome, *, draw: float) -> Settlement | None:
    """What to write after a claim was served; None where its hold already says it all."""
    if isinstance(outcome, Failed):
        return Settlement(
            duty=plan.duty,
            due_in_ms=_after_failure_ms(claimed, plan, outcome, draw),
            failures=claimed.failures + 1,
        )
    # An upkeep that has more to do comes again before its hour, or it would never catch up.
    due_in_ms = limits.SWEEP_PERIOD_MS if outcome.more else plan.period_ms
    if outcome.handled and plan.period_ms == limits.SWEEP_PERIOD_MS:
        due_in_ms = limits.SWEEP_BUSY_MS
    if due_in_ms == plan.hold_ms and claimed.failures == 0:
        return None
    return Settlement(duty=plan.duty, due_in_ms=due_in_ms, failures=0)


def _after_failure_ms(claimed: Claimed, plan: Plan, failed: Failed, draw: float) -> int:
    # Never sooner than a healthy sweep would come: a drawn wait of nearly nothing hammers whom
    # we just found ill.
    floor_s = max(limits.SWEEP_PERIOD_MS / 1000, failed.retry_after_s or 0.0)
    wait_s = backoff.delay_s(plan.failure, claimed.failures + 1, draw, retry_after_s=floor_s)
    return min(round(wait_s * 1000), max(plan.period_ms, limits.UPKEEP_HOLD_MS))


def pause_ms(claims: Claims) -> int:
    """How long to the next claim: until a schedule is due, and never long enough for a sweep to
    be late. What is due already and was not taken is somebody else's at this moment.
    """
    due_in_ms = claims.due_in_ms
    if due_in_ms is None or due_in_ms >= limits.SWEEP_PERIOD_MS:
        return limits.SWEEP_PERIOD_MS
    return max(due_in_ms, SCHEDULE_TICK_MS_MIN) if due_in_ms > 0 else limits.SWEEP_BUSY_MS


def repeats(report: Report, passes: int) -> bool:
    """Whether a full batch is followed by the next at once."""
    return report.more and passes < limits.SWEEP_REPEATS_MAX


def news(before: Outcome | None, now: Outcome) -> bool:
    """Whether an outcome is worth a line: a duty that fails is told once, not once per try."""
    if isinstance(now, Failed):
        return not (isinstance(before, Failed) and before.code == now.code)
    return isinstance(before, Failed)
