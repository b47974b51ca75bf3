import pytest

from mainspring_engine.domain.retry import delay_ms
from mainspring_schema.tasks import Failure


def asked(retry_after_ms: int | None) -> Failure:
    return Failure(
        error_class="rate_limited", code="rate_limited", message="", retry_after_ms=retry_after_ms
    )


@pytest.mark.parametrize(("wait_ms", "delay"), [(None, 0), (-5000, 0), (7000, 7000)])
def test_a_wait_is_kept(wait_ms: int | None, delay: int) -> None:
    assert delay_ms(asked(wait_ms), failures=0, draw=0.0) == delay


def test_a_wait_of_days_is_a_failure() -> None:
    assert delay_ms(asked(10**18), failures=0, draw=0.0) is None
