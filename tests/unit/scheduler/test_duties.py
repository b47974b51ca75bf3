"""What follows from an outcome: pure decisions over values."""

import pytest

from mainspring_scheduler.domain import duties as domain
from mainspring_scheduler.domain import limits
from mainspring_scheduler.domain.duties import PLANS, Claimed, Claims, Duty, Failed, Report
from mainspring_scheduler.domain.limits import SCHEDULE_TICK_MS_MIN

DOWN = Failed(code="unavailable", detail="nobody listens")
SWEEPS = (Duty.TIMERS, Duty.RETRIES, Duty.LEASES)


def claimed(duty: Duty, failures: int = 0) -> Claimed:
    return Claimed(name=duty, failures=failures)


@pytest.mark.parametrize("duty", SWEEPS)
def test_an_empty_sweep_writes_nothing(duty: Duty) -> None:
    assert domain.settle(claimed(duty), PLANS[duty], Report(), draw=0.5) is None


@pytest.mark.parametrize("duty", SWEEPS)
def test_a_sweep_that_found_rows_comes_again_soon(duty: Duty) -> None:
    settlement = domain.settle(claimed(duty), PLANS[duty], Report(handled=3), draw=0.5)

    assert settlement is not None
    assert settlement.due_in_ms == limits.SWEEP_BUSY_MS


def test_an_upkeep_that_did_all_comes_again_after_its_period() -> None:
    for handled in (0, 7):
        settlement = domain.settle(
            claimed(Duty.LOG_UPKEEP), PLANS[Duty.LOG_UPKEEP], Report(handled=handled), draw=0.5
        )

        assert settlement is not None
        assert settlement.due_in_ms == limits.UPKEEP_PERIOD_MS


def test_an_upkeep_that_has_more_to_do_does_not_wait_for_its_period() -> None:
    settlement = domain.settle(
        claimed(Duty.LOG_UPKEEP),
        PLANS[Duty.LOG_UPKEEP],
        Report(handled=20_000, more=True),
        draw=0.5,
    )

    assert settlement is not None
    assert settlement.due_in_ms == limits.SWEEP_PERIOD_MS


@pytest.mark.parametrize("duty", list(Duty))
@pytest.mark.parametrize("draw", [0.0, 0.999])
def test_a_failure_never_comes_back_sooner_than_a_healthy_sweep(duty: Duty, draw: float) -> None:
    settlement = domain.settle(claimed(duty), PLANS[duty], DOWN, draw=draw)

    assert settlement is not None
    assert settlement.due_in_ms >= limits.SWEEP_PERIOD_MS
    assert settlement.failures == 1


def test_failures_of_a_sweep_back_off_up_to_a_bound() -> None:
    waits = [
        domain.settle(claimed(Duty.LEASES, failures), PLANS[Duty.LEASES], DOWN, draw=0.999)
        for failures in (0, 1, 2, 50)
    ]

    in_ms = [wait.due_in_ms for wait in waits if wait is not None]
    assert in_ms == sorted(in_ms)
    assert in_ms[-1] < 10_000


def test_a_failed_upkeep_does_not_wait_for_its_period() -> None:
    settlement = domain.settle(
        claimed(Duty.ENGINE_UPKEEP, 9), PLANS[Duty.ENGINE_UPKEEP], DOWN, draw=0.999
    )

    assert settlement is not None
    assert settlement.due_in_ms <= 62_000


def test_a_told_wait_is_obeyed() -> None:
    told = Failed(code="too_many_requests", detail="", retry_after_s=5.0)

    settlement = domain.settle(claimed(Duty.TIMERS), PLANS[Duty.TIMERS], told, draw=0.0)

    assert settlement is not None
    assert settlement.due_in_ms == 5000


def test_the_first_success_after_failures_clears_the_count() -> None:
    settlement = domain.settle(claimed(Duty.TIMERS, 3), PLANS[Duty.TIMERS], Report(), draw=0.5)

    assert settlement is not None
    assert (settlement.failures, settlement.due_in_ms) == (0, limits.SWEEP_PERIOD_MS)


def test_full_batches_repeat_up_to_a_bound() -> None:
    full, last = Report(handled=500, more=True), Report(handled=3)

    assert domain.repeats(full, 1)
    assert not domain.repeats(last, 1)
    assert not domain.repeats(full, limits.SWEEP_REPEATS_MAX)


def test_only_changes_are_news() -> None:
    other = Failed(code="deadline_exceeded", detail="")

    assert domain.news(None, DOWN)
    assert domain.news(DOWN, other)
    assert domain.news(DOWN, Report())
    assert not domain.news(DOWN, Failed(code="unavailable", detail="still nobody"))
    assert not domain.news(None, Report())
    assert not domain.news(Report(handled=1), Report())


def test_an_idle_stack_stays_below_its_statements_a_second() -> None:
    claims_per_s = 1000 / limits.SWEEP_PERIOD_MS
    # One statement each: an idle sweep is one call of one function. Schedules are not claimed
    # while none is due.
    sweeps_per_s = sum(
        1000 / plan.period_ms for plan in PLANS.values() if plan.duty is not Duty.SCHEDULES
    )

    assert claims_per_s + sweeps_per_s < 3


def test_every_duty_has_a_plan_that_one_claim_can_take() -> None:
    assert set(PLANS) == set(Duty)
    assert len(PLANS) <= limits.DUTIES_PER_CLAIM_MAX
    assert all(plan.hold_ms <= plan.period_ms for plan in PLANS.values())


@pytest.mark.parametrize(
    ("due_in_ms", "wait_ms"),
    [
        (None, limits.SWEEP_PERIOD_MS),
        (10**9, limits.SWEEP_PERIOD_MS),
        (700, 700),
        (1, SCHEDULE_TICK_MS_MIN),
        # Due and not taken: somebody else is at it, who may die.
        (0, limits.SWEEP_BUSY_MS),
        (-5000, limits.SWEEP_BUSY_MS),
    ],
)
def test_the_next_claim_comes_when_a_schedule_is_due_and_never_late_for_a_sweep(
    due_in_ms: int | None, wait_ms: int
) -> None:
    assert domain.pause_ms(Claims(due_in_ms=due_in_ms)) == wait_ms
