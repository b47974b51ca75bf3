"""What the engine keeps in order in the background. Bounded, and safe to do twice at once."""

from typing import NamedTuple

from mainspring_engine.domain.limits import PROGRESS_FORGOTTEN_ROWS_MAX
from mainspring_engine.ports.registry import Registry
from mainspring_engine.ports.store import Store
from mainspring_engine.usecases.retention import Retention, Trimmed
from mainspring_kernel.limits import (
    IDEMPOTENCY_RETENTION_S,
    KEY_SWEEPS_PER_UPKEEP_MAX,
    KEYS_PER_SWEEP_MAX,
)


class Kept(NamedTuple):
    """`more`: a bound was reached, so more keys or records may be past their time."""

    partitions_made: int
    keys_forgotten: int
    more: bool
    records_removed: int = 0


async def keep_up(store: Store, registry: Registry, retention: Retention | None = None) -> Kept:
    """Partitions ahead; forgets workers long gone, reports of tasks that are over, and old keys.

    With a retention also records of workflows. Raises Unavailable.
    """
    kept = await _keep_up(store, registry)
    trimmed = Trimmed(0, more=False) if retention is None else await retention.sweep()
    return kept._replace(more=kept.more or trimmed.more, records_removed=trimmed.records)


async def _keep_up(store: Store, registry: Registry) -> Kept:
    made = await store.make_partitions()
    await registry.forget()
    reports = await store.progress.forget(PROGRESS_FORGOTTEN_ROWS_MAX)
    more = reports >= PROGRESS_FORGOTTEN_ROWS_MAX
    forgotten = 0
    for _ in range(KEY_SWEEPS_PER_UPKEEP_MAX):
        gone = await store.forget_keys(
            older_than_ms=IDEMPOTENCY_RETENTION_S * 1000, limit=KEYS_PER_SWEEP_MAX
        )
        forgotten += gone
        if gone < KEYS_PER_SWEEP_MAX:
            return Kept(made, forgotten, more=more)
    return Kept(made, forgotten, more=True)
