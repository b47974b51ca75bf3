"""When a step is tried again."""

from msgspec import Struct

from mainspring.errors import GiveUp, RetryAfter, Unserializable
from mainspring_kernel.backoff import Policy, bound_s, delay_s


class Retry(Struct, frozen=True, kw_only=True):
    """How often a step is tried, and how long between: exponential, with jitter.

    `attempts` counts the first one too; 1 never tries again. `never` are exceptions that would be
    raised again. A crash of the worker begins the count anew. Without `jitter` each wait is as long
    as it may be. A step that raises `RetryAfter` waits that long before.
    """

    attempts: int = 3
    first_s: float = 0.2
    factor: float = 2.0
    max_s: float = 30.0
    never: tuple[type[BaseException], ...] = ()
    jitter: bool = True

    @classmethod
    def fixed(cls, seconds: float, *, attempts: int = 3) -> "Retry":
        """Always the same wait."""
        return cls(attempts=attempts, first_s=seconds, factor=1.0, max_s=seconds, jitter=False)

    def lasts(self, error: BaseException) -> bool:
        """Whether every further attempt would raise it too."""
        return isinstance(error, (GiveUp, Unserializable, *self.never))

    def delay(self, error: BaseException, *, attempt: int, draw: float) -> float | None:
        """Seconds until the next attempt; None for no more."""
        if attempt >= self.attempts or self.lasts(error):
            return None
        policy = Policy(first_s=self.first_s, factor=self.factor, max_s=self.max_s)
        asked_s = error.seconds if isinstance(error, RetryAfter) else None
        if not self.jitter:
            return (asked_s or 0.0) + bound_s(policy, attempt)
        return delay_s(policy, attempt, draw, retry_after_s=asked_s)


NO_RETRY = Retry(attempts=1)
