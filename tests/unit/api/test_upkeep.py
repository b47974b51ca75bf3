"""What repeats in the background of an api."""

import asyncio
from typing import cast

from mainspring_api.domain.limits import FILES_PAST_S, UPKEEP_PERIOD_S
from mainspring_api.ports.control import Control
from mainspring_api.ports.store import Store, Unfinished
from mainspring_api.usecases.upkeep import run, sweep
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.limits import (
    IDEMPOTENCY_RETENTION_S,
    KEY_SWEEPS_PER_UPKEEP_MAX,
    KEYS_PER_SWEEP_MAX,
)

NOW_MS = 1_800_000_000_000


class StoreWithOldKeys:
    def __init__(self, keys: int) -> None:
        self.keys = keys

    async def unfinished_deletes(self, *, older_than_ms: int, limit: int) -> tuple[Unfinished, ...]:
        del older_than_ms, limit
        return ()

    async def forget_file_past(self, *, before_ms: int, limit: int) -> int:
        assert before_ms == NOW_MS - FILES_PAST_S * 1000
        return min(limit, 0)

    async def forget_record_past(self, *, before_ms: int, limit: int) -> int:
        assert before_ms == NOW_MS - FILES_PAST_S * 1000
        return min(limit, 0)

    async def forget_keys(self, *, older_than_ms: int, limit: int) -> int:
        assert older_than_ms == IDEMPOTENCY_RETENTION_S * 1000
        gone = min(limit, self.keys)
        self.keys -= gone
        return gone


class Faulty(StoreWithOldKeys):
    """Fails in a way that nobody foresaw, once."""

    def __init__(self) -> None:
        super().__init__(1)
        self.passes = 0

    async def forget_keys(self, *, older_than_ms: int, limit: int) -> int:
        self.passes += 1
        if self.passes == 1:
            raise ZeroDivisionError
        return await super().forget_keys(older_than_ms=older_than_ms, limit=limit)


async def test_a_pass_that_fails_is_followed_by_others() -> None:
    store, clock = Faulty(), ManualClock(wall_ms=NOW_MS)
    nobody = cast("Control", cast("object", None))
    upkeep = asyncio.create_task(run(cast("Store", cast("object", store)), nobody, clock))
    for _ in range(2):
        await clock.until_sleeping(1)
        clock.step_wall(-round(UPKEEP_PERIOD_S * 1000))
        clock.advance(UPKEEP_PERIOD_S)
    await clock.until_sleeping(1)

    assert (store.passes, store.keys) == (2, 0)
    upkeep.cancel()


async def left(keys: int) -> int:
    store = StoreWithOldKeys(keys)
    nobody = cast("Control", cast("object", None))
    await sweep(cast("Store", cast("object", store)), nobody, NOW_MS)
    return store.keys


async def test_all_keys_past_their_time_go_in_one_pass() -> None:
    assert await left(3 * KEYS_PER_SWEEP_MAX + 1) == 0


async def test_a_pass_over_old_keys_is_bounded() -> None:
    assert await left(KEY_SWEEPS_PER_UPKEEP_MAX * KEYS_PER_SWEEP_MAX + 7) == 7
