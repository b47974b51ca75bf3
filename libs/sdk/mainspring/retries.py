"""When a step is tried again."""

import math
from collections.abc import Collection
from typing import cast

from msgspec import Struct

from mainspring.errors import GiveUp, NotInWorkflow, RetryAfter, Unserializable
from mainspring_kernel.backoff import Policy, bound_s, delay_s


class Retry(Struct, frozen=True, kw_only=True):
    """How often a step is tried, and how long between: exponential, with jitter.

    `attempts` counts the first one too; 1 never tries again. `max_s` bounds the waits that grow: a
    longer `first_s` is waited each time, and one of 0 never. `never` are exceptions that would be
    raised again. A crash of the worker begins the count anew. Without `jitter` each wait is as long
    as it may be. A step that raises `RetryAfter` waits that long before. Making it raises
    ValueError for numbers that no retry goes by, TypeError for a `never` of other things.
    """

    attempts: int = 3
    first_s: float = 0.2
    factor: float = 2.0
    max_s: float = 30.0
    never: tuple[type[BaseException], ...] = ()
    jitter: bool = True

    def __post_init__(self) -> None:
        """Here, and not where a step first fails: there it would end the attempt."""
        if not self.attempts >= 1:
            message = f"attempts={self.attempts}: they count the first one, so there is at least 1"
            raise ValueError(message)
        if not (0 <= self.first_s < math.inf and self.max_s >= 0):
            message = f"first_s={self.first_s}, max_s={self.max_s}: seconds, and none below 0"
            raise ValueError(message)
        if not 1 <= self.factor < math.inf:
            message = f"factor={self.factor}: a wait is at least as long as the one before, so 1"
            raise ValueError(message)
        if not _are_raised(self.never):
            message = f"never={self.never!r}: a tuple of classes of exceptions"
            raise TypeError(message)

    @classmethod
    def fixed(cls, seconds: float, *, attempts: int = 3) -> "Retry":
        """Always the same wait."""
        return cls(attempts=attempts, first_s=seconds, factor=1.0, max_s=seconds, jitter=False)

    def lasts(self, error: BaseException) -> bool:
        """Whether every further attempt would raise it too."""
        return isinstance(error, (GiveUp, NotInWorkflow, Unserializable, *self.never))

    def delay(self, error: BaseException, *, attempt: int, draw: float) -> float | None:
        """Seconds until the next attempt; None for no more."""
        if attempt >= self.attempts or self.lasts(error):
            return None
        asked_s = error.seconds if isinstance(error, RetryAfter) else None
        if self.first_s == 0:
            return asked_s or 0.0
        max_s = max(self.first_s, self.max_s)
        policy = Policy(first_s=self.first_s, factor=self.factor, max_s=max_s)
        if not self.jitter:
            return (asked_s or 0.0) + bound_s(policy, attempt)
        return delay_s(policy, attempt, draw, retry_after_s=asked_s)


def _are_raised(classes: object) -> bool:
    if not isinstance(classes, tuple | list | set | frozenset):
        return False
    each = cast("Collection[object]", classes)
    return all(isinstance(one, type) and issubclass(one, BaseException) for one in each)


NO_RETRY = Retry(attempts=1)
