"""Upkeep in the background: unfinished deletions, old request keys, what files and records were."""

import logging

from mainspring_api.domain.limits import (
    DELETE_RETRY_S,
    DELETES_PER_SWEEP_MAX,
    FILES_PAST_PER_SWEEP_MAX,
    FILES_PAST_S,
    RECORDS_PAST_PER_SWEEP_MAX,
    UPKEEP_PERIOD_S,
)
from mainspring_api.ports.control import Control
from mainspring_api.ports.store import Store, Unfinished
from mainspring_api.usecases.sessions import finish_delete
from mainspring_kernel.clock import Clock
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_kernel.limits import (
    IDEMPOTENCY_RETENTION_S,
    KEY_SWEEPS_PER_UPKEEP_MAX,
    KEYS_PER_SWEEP_MAX,
)
from mainspring_kernel.passes import one_pass

_log = logging.getLogger(__name__)


async def run(store: Store, control: Control, clock: Clock) -> None:
    """Until cancelled. Replicas may do the same work: every step is safe to repeat."""
    while True:
        await clock.sleep(UPKEEP_PERIOD_S)
        with one_pass(_log, "upkeep"):
            await sweep(store, control, clock.wall_ms())


async def sweep(
    store: Store, control: Control, now_ms: int, *, retry_s: float = DELETE_RETRY_S
) -> int:
    """How many deletions were finished, of those that began `retry_s` ago."""
    await _forget_keys(store)
    # What is left comes off with the next pass.
    past_ms = now_ms - FILES_PAST_S * 1000
    await store.forget_file_past(before_ms=past_ms, limit=FILES_PAST_PER_SWEEP_MAX)
    await store.forget_record_past(before_ms=past_ms, limit=RECORDS_PAST_PER_SWEEP_MAX)
    # Last: each asks an engine, which may be away.
    older_than_ms = round(retry_s * 1000)
    unfinished = await store.unfinished_deletes(
        older_than_ms=older_than_ms, limit=DELETES_PER_SWEEP_MAX
    )
    return sum([await _finished(store, control, one, now_ms=now_ms) for one in unfinished])


async def _finished(store: Store, control: Control, one: Unfinished, *, now_ms: int) -> bool:
    """One that cannot be finished holds up no other: the others come before it next time."""
    with one_pass(_log, f"the deletion of {to_wire(Prefix.SESSION, one.session_id)}"):
        if await finish_delete(store, control, one.org_id, one.session_id, now_ms=now_ms):
            return True
    async with store.transaction(one.org_id) as tx:
        await tx.put_off_delete(one.session_id)
    return False


async def _forget_keys(store: Store) -> None:
    older_than_ms = IDEMPOTENCY_RETENTION_S * 1000
    for _ in range(KEY_SWEEPS_PER_UPKEEP_MAX):
        gone = await store.forget_keys(older_than_ms=older_than_ms, limit=KEYS_PER_SWEEP_MAX)
        if gone < KEYS_PER_SWEEP_MAX:
            return
