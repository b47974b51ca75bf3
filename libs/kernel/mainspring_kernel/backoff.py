"""How long to wait before the next attempt: exponential with full jitter, pure.

Full jitter (a uniform draw from zero to the exponential bound) spreads clients that failed
together better than a fixed wait with a little noise.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """Bounds of the wait. `first_s` bounds the wait after attempt 1, `max_s` every wait."""

    first_s: float
    factor: float = 2.0
    max_s: float

    def __post_init__(self) -> None:
        if not (0 < self.first_s <= self.max_s and self.factor >= 1):
            message = f"a backoff policy needs 0 < first_s <= max_s and factor >= 1: {self}"
            raise ValueError(message)


def bound_s(policy: Policy, attempt: int) -> float:
    """The longest wait after `attempt` failed, in seconds.

    Attempts count from 1. Raises ValueError for a lower number.
    """
    if attempt < 1:
        message = f"attempts count from 1, not {attempt}"
        raise ValueError(message)
    bound = policy.first_s
    for _ in range(attempt - 1):
        bound *= policy.factor
        if bound >= policy.max_s:
            return policy.max_s
        if policy.factor == 1:
            return bound
    return min(bound, policy.max_s)


def delay_s(
    policy: Policy, attempt: int, draw: float, *, retry_after_s: float | None = None
) -> float:
    """Seconds to wait after `attempt` failed. `draw` is uniform in [0, 1).

    A `retry_after_s` told by the other side is never undercut: the jitter comes on top of it.
    Raises ValueError for a draw or an attempt out of range.
    """
    if not 0 <= draw < 1:
        message = f"a draw lies in [0, 1), not {draw}"
        raise ValueError(message)
    return (retry_after_s or 0.0) + draw * bound_s(policy, attempt)


RECONNECT = Policy(first_s=0.05, factor=2.0, max_s=2.0)
"""For connections to our own servers: soon back after a restart, never a storm."""
