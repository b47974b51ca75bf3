"""When a failed attempt gets another one. The engine is the only owner of retries."""

from typing import Final

from mainspring_engine.domain.limits import ATTEMPTS_PER_STEP_MAX, RETRY_AFTER_S_MAX
from mainspring_kernel.backoff import Policy, delay_s
from mainspring_schema.tasks import Failure

MODEL_CALL: Final = Policy(first_s=1.0, factor=2.0, max_s=60.0)
"""Between attempts of a model call: providers shed load for seconds to minutes."""

RETRYABLE: Final = frozenset({"transient", "rate_limited", "unknown"})
"""Classes that may pass by waiting. The others would fail alike again."""

ELSEWHERE: Final = RETRYABLE | {"auth"}
"""Classes that another model need not share, as with one that is not there."""
NOT_THERE: Final = "model_not_available"


def delay_ms(failure: Failure, *, failures: int, draw: float, models: int = 1) -> int | None:
    """Milliseconds until the next attempt, or None where this failure is final.

    `failures` counts the failed attempts before this one. Of several `models` each attempt asks
    the next: at once while there is one that this round has not asked.
    """
    if failures + 1 >= ATTEMPTS_PER_STEP_MAX:
        return None
    if models > 1 and (failure.error_class in ELSEWHERE or failure.code == NOT_THERE):
        rounds, asked = divmod(failures + 1, models)
        return 0 if asked else round(delay_s(MODEL_CALL, rounds, draw) * 1000)
    if failure.error_class not in RETRYABLE:
        return None
    after = max(0, failure.retry_after_ms or 0) / 1000
    if after > RETRY_AFTER_S_MAX:
        return None
    return round(delay_s(MODEL_CALL, failures + 1, draw, retry_after_s=after) * 1000)
