"""How many streams of workers an engine sends to the others, where it has more than its share.

A worker stays where it is attached, so engines that are restarted one after the other leave their
workers with whoever was there: the last one would come back to none.
"""

from collections.abc import Sequence
from typing import Final

TOLERATED: Final = 8
"""A share's eighth above it moves nobody: workers come and go, and each move is an attach."""
AT_ONCE: Final = 4
"""A quarter of an engine's streams moves at once: the others take its tasks meanwhile."""


def surplus(mine: int, others: Sequence[int]) -> int:
    """Streams above an equal share of all, 0 where they are few; each engine has its count."""
    share = -(-(mine + sum(others)) // (1 + len(others)))
    over = mine - share
    return over if over > share // TOLERATED else 0


def moving(over: int, before: int, mine: int) -> int:
    """How many leave now. What was not over at the look before may be somebody's restart."""
    return min(over, before, max(1, mine // AT_ONCE))
