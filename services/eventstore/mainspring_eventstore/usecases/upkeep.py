"""Keeping partitions ahead of time and dropping deltas that nobody can ask for."""

import logging

from mainspring_eventstore.domain import limits as bounds
from mainspring_eventstore.ports.log import LogStore, Upkept

_log = logging.getLogger(__name__)


async def prepare(store: LogStore) -> Upkept:
    """What must be there before the first write: also after the stack stood still for a month."""
    return await store.make_partitions()


async def upkeep(store: LogStore) -> Upkept:
    """One bounded pass; call it again soon while it still drops deltas."""
    done = await store.upkeep()
    if done.horizon_ms < done.now_ms + bounds.PARTITIONS_WARN_MS:
        _log.warning(
            "partitions of the log reached less than a week ahead; %d were made now",
            done.partitions_made,
        )
    return done
