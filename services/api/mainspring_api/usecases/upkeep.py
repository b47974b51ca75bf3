"""What repeats in the background: unfinished deletions and old request keys."""

import logging
from typing import Final

from mainspring_api.domain.limits import (
    FILES_PAST_PER_SWEEP_MAX,
    FILES_PAST_S,
    RECORDS_PAST_PER_SWEEP_MAX,
)
from mainspring_api.ports.control import Control
from mainspring_api.ports.store import Store, Unfinished
from mainspring_api.usecases.sessions import finish_delete
from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import DeadlineExceeded, MainspringError, Unavailable
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_kernel.limits import (
    DELETE_RETRY_S,
    DELETES_PER_SWEEP_MAX,
    IDEMPOTENCY_RETENTION_S,
    KEY_SWEEPS_PER_UPKEEP_MAX,
    KEYS_PER_SWEEP_MAX,
)

_log = logging.getLogger(__name__)
PERIOD_S = 30.0
_AWAY: Final = (DeadlineExceeded, Unavailable)


async def run(store: Store, control: Control, clock: Clock) -> None:
    """Until cancelled. Replicas may do the same work: every step is safe to repeat."""
    while True:
        await clock.sleep(PERIOD_S)
        try:
            await sweep(store, control, clock.wall_ms())
        except MainspringError as error:
            _log.info("upkeep waits for the next pass: %s", error.detail)


async def sweep(
    store: Store, control: Control, now_ms: int, *, retry_s: float = DELETE_RETRY_S
) -> int:
    """How many deletions were finished, of those that began `retry_s` ago."""
    finished = await _finish_deletes(store, control, now_ms, retry_s)
    await _forget_keys(store)
    # What is left comes off with the next pass.
    past_ms = now_ms - FILES_PAST_S * 1000
    await store.forget_file_past(before_ms=past_ms, limit=FILES_PAST_PER_SWEEP_MAX)
    await store.forget_record_past(before_ms=past_ms, limit=RECORDS_PAST_PER_SWEEP_MAX)
    return finished


async def _finish_deletes(store: Store, control: Control, now_ms: int, retry_s: float) -> int:
    """One that cannot be finished holds up neither the others nor what else there is to do."""
    finished, older_than_ms = 0, round(retry_s * 1000)
    for one in await store.unfinished_deletes(
        older_than_ms=older_than_ms, limit=DELETES_PER_SWEEP_MAX
    ):
        try:
            done = await finish_delete(store, control, one.org_id, one.session_id, now_ms=now_ms)
        except _AWAY as error:
            await _put_off(store, one, error)
            break  # for the others as well
        except MainspringError as error:
            await _put_off(store, one, error)
        else:
            finished += done
            if not done:
                await _put_off(store, one, None)
    return finished


async def _put_off(store: Store, one: Unfinished, error: MainspringError | None) -> None:
    if error is not None:
        session = to_wire(Prefix.SESSION, one.session_id)
        _log.warning("a deletion waits for another pass: %s", error, extra={"session": session})
    async with store.transaction(one.org_id) as tx:
        await tx.put_off_delete(one.session_id)


async def _forget_keys(store: Store) -> None:
    older_than_ms = IDEMPOTENCY_RETENTION_S * 1000
    for _ in range(KEY_SWEEPS_PER_UPKEEP_MAX):
        gone = await store.forget_keys(older_than_ms=older_than_ms, limit=KEYS_PER_SWEEP_MAX)
        if gone < KEYS_PER_SWEEP_MAX:
            return
