"""Creates partitions ahead of time, and drops deltas that nobody can ask for any more."""

import logging

from msgspec import Struct

from mainspring_eventstore.domain import limits as bounds
from mainspring_eventstore.ports.log import Ahead, LogStore

_log = logging.getLogger(__name__)


class Upkept(Struct, frozen=True, kw_only=True):
    """What one upkeep did. `more`: there are deltas left that could be dropped."""

    partitions_made: int
    deltas_dropped: int
    more: bool


async def prepare(store: LogStore) -> Ahead:
    """What must be there before the first write: also after the stack stood still for a month."""
    return await store.make_partitions()


async def upkeep(store: LogStore) -> Upkept:
    """Bounded; whoever is told that there is more calls again soon."""
    ahead = await store.make_partitions()
    if ahead.horizon_ms < ahead.now_ms + bounds.PARTITIONS_WARN_MS:
        _log.warning(
            "partitions of the log reached less than a week ahead; %d were made now", ahead.made
        )
    deltas, more = await _drop_deltas(store)
    await store.drop_partitions()
    return Upkept(
        partitions_made=ahead.made,
        deltas_dropped=deltas,
        more=more,
    )


async def _drop_deltas(store: LogStore) -> tuple[int, bool]:
    """How many, and whether there are more."""
    dropped = 0
    for _ in range(bounds.SWEEPS_PER_UPKEEP_MAX):
        swept = await store.drop_deltas()
        dropped += swept.dropped
        if not swept.more:
            return dropped, False
    return dropped, True
