import pytest

from mainspring_engine.domain.retry import delay_ms
from mainspring_schema.tasks import ErrorClass, Failure


def asked(retry_after_ms: int | None) -> Failure:
    return Failure(
        error_class="rate_limited", code="rate_limited", message="", retry_after_ms=retry_after_ms
    )


@pytest.mark.parametrize(("wait_ms", "delay"), [(None, 0), (-5000, 0), (7000, 7000)])
def test_a_wait_is_kept(wait_ms: int | None, delay: int) -> None:
    assert delay_ms(asked(wait_ms), failures=0, draw=0.0) == delay


def test_a_wait_of_days_is_a_failure() -> None:
    assert delay_ms(asked(10**18), failures=0, draw=0.0) is None


def broken(error_class: ErrorClass, code: str = "boom") -> Failure:
    return Failure(error_class=error_class, code=code, message="", retry_after_ms=60_000)


@pytest.mark.parametrize(
    "failure",
    [
        broken("transient"),
        broken("auth", "provider_misconfigured"),
        broken("invalid_request", "model_not_available"),
    ],
)
def test_another_model_is_asked_at_once_and_a_second_round_waits(failure: Failure) -> None:
    delays = [delay_ms(failure, failures=n, draw=0.5, models=3) for n in range(6)]

    assert delays == [0, 0, 500, 0, 0, None]


@pytest.mark.parametrize("error_class", ["invalid_request", "context_overflow", "model_output"])
def test_what_another_model_would_refuse_as_well_is_final(error_class: ErrorClass) -> None:
    assert delay_ms(broken(error_class), failures=0, draw=0.5, models=3) is None
