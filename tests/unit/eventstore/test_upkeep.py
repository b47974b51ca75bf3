"""Deltas that may go are dropped in short passes, as many as there are turns."""

from typing import cast

import pytest

from mainspring_eventstore.domain.limits import SWEEPS_PER_UPKEEP_MAX
from mainspring_eventstore.ports.log import Ahead, Dropped, LogStore
from mainspring_eventstore.usecases.upkeep import upkeep


class Old:
    """A store with so many full passes of old deltas, and ten more."""

    def __init__(self, full: int) -> None:
        self.full = full
        self.partitions_dropped = 0

    async def make_partitions(self) -> Ahead:
        return Ahead(horizon_ms=10**12, now_ms=0, made=1)

    async def drop_partitions(self) -> int:
        self.partitions_dropped += 2
        return 2

    async def drop_deltas(self) -> Dropped:
        if not self.full:
            return Dropped(dropped=10, more=False)
        self.full -= 1
        return Dropped(dropped=100, more=True)


@pytest.mark.parametrize(
    ("full", "dropped", "more"),
    [
        (0, 10, False),
        (3, 310, False),
        (SWEEPS_PER_UPKEEP_MAX, 100 * SWEEPS_PER_UPKEEP_MAX, True),
    ],
)
async def test_an_upkeep_goes_on_up_to_its_bound_and_says_so(
    full: int, dropped: int, more: bool
) -> None:
    old = Old(full)

    kept = await upkeep(cast("LogStore", cast("object", old)))

    assert (kept.deltas_dropped, kept.more) == (dropped, more)
    assert (kept.partitions_made, old.partitions_dropped) == (1, 2)
