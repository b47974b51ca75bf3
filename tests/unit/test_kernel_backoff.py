import pytest

from mainspring_kernel import backoff

POLICY = backoff.Policy(first_s=1.0, factor=2.0, max_s=10.0)


@pytest.mark.parametrize(
    ("attempt", "bound"), [(1, 1.0), (2, 2.0), (4, 8.0), (5, 10.0), (10**9, 10.0)]
)
def test_the_bound_doubles_up_to_the_maximum(attempt: int, bound: float) -> None:
    assert backoff.bound_s(POLICY, attempt) == bound


def test_a_factor_of_one_keeps_the_bound_for_any_attempt() -> None:
    steady = backoff.Policy(first_s=0.5, factor=1.0, max_s=10.0)

    assert backoff.bound_s(steady, 10**9) == 0.5


def test_the_draw_spreads_over_the_whole_bound() -> None:
    assert backoff.delay_s(POLICY, 1, 0.0) == 0.0
    assert backoff.delay_s(POLICY, 3, 0.5) == 2.0


def test_a_told_wait_is_never_undercut() -> None:
    assert backoff.delay_s(POLICY, 1, 0.0, retry_after_s=7.0) == 7.0


@pytest.mark.parametrize("draw", [-0.1, 1.0])
def test_a_draw_outside_zero_to_one_is_a_mistake_of_the_caller(draw: float) -> None:
    with pytest.raises(ValueError, match="draw"):
        backoff.delay_s(POLICY, 1, draw)


def test_attempts_count_from_one() -> None:
    with pytest.raises(ValueError, match="count from 1"):
        backoff.bound_s(POLICY, 0)


def test_a_policy_that_cannot_wait_is_refused() -> None:
    with pytest.raises(ValueError, match="backoff policy"):
        backoff.Policy(first_s=5.0, max_s=1.0)
