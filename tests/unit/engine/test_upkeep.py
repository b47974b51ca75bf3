"""What the engine keeps in order in one call is bounded, and says when there is more."""

from typing import cast

from mainspring_engine.ports.registry import Registry
from mainspring_engine.ports.store import Store
from mainspring_engine.usecases.upkeep import Kept, keep_up
from mainspring_kernel.limits import (
    IDEMPOTENCY_RETENTION_S,
    KEY_SWEEPS_PER_UPKEEP_MAX,
    KEYS_PER_SWEEP_MAX,
)


class StoreWithOldKeys:
    def __init__(self, keys: int) -> None:
        self.keys = keys

    @property
    def progress(self) -> "StoreWithOldKeys":
        return self

    async def forget(self, limit: int = 0) -> int:
        """As the registry of workers, and as the rows of progress."""
        return min(1, limit)

    async def make_partitions(self) -> int:
        return 3

    async def forget_keys(self, *, older_than_ms: int, limit: int) -> int:
        assert older_than_ms == IDEMPOTENCY_RETENTION_S * 1000
        gone = min(limit, self.keys)
        self.keys -= gone
        return gone


async def kept(keys: int) -> Kept:
    untyped = cast("object", StoreWithOldKeys(keys))
    return await keep_up(cast("Store", untyped), cast("Registry", untyped))


async def test_all_old_keys_go_in_short_transactions() -> None:
    count = 2 * KEYS_PER_SWEEP_MAX + 5

    assert await kept(count) == Kept(3, count, more=False)


async def test_upkeep_stops_at_its_bound_and_says_so() -> None:
    bound = KEY_SWEEPS_PER_UPKEEP_MAX * KEYS_PER_SWEEP_MAX

    assert await kept(bound + 1) == Kept(3, bound, more=True)
