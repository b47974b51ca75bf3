"""A POST with an Idempotency-Key happens once and answers the same every time."""

from collections.abc import Awaitable, Callable

from msgspec import Struct

from mainspring_api.ports.store import KeptAnswer, RequestKey, Store, Transaction
from mainspring_kernel.errors import (
    IdempotencyInProgress,
    IdempotencyMismatch,
    MainspringError,
)
from mainspring_kernel.ids import OrgId
from mainspring_kernel.limits import IDEMPOTENCY_CLAIM_S


class Answer(Struct, frozen=True, kw_only=True):
    """What goes to the client; kept as it is under the request's key."""

    status: int
    body: bytes = b""


async def once(
    store: Store,
    org_id: OrgId,
    key: RequestKey | None,
    work: Callable[[Transaction], Awaitable[Answer]],
) -> Answer:
    """Runs `work` in one transaction with its key: both are there or neither.

    A concurrent duplicate waits for the first transaction to end. Raises IdempotencyMismatch.
    """
    async with store.transaction(org_id) as tx:
        if key is not None:
            kept = await tx.claim_key(key)
            if kept is not None:
                return replay(kept, key)
        answer = await work(tx)
        if key is not None:
            await tx.keep_answer(key, status=answer.status, body=answer.body)
    return answer


async def once_elsewhere(
    store: Store,
    org_id: OrgId,
    key: RequestKey | None,
    work: Callable[[], Awaitable[Answer]],
) -> Answer:
    """As `once` for work that calls another service, which no transaction may wait for.

    The key is claimed first and given back on failure; a claim whose holder died is taken over.
    Raises IdempotencyMismatch, IdempotencyInProgress.
    """
    if key is None:
        return await work()
    async with store.transaction(org_id) as tx:
        kept = await tx.claim_key(key)
        if kept is not None:
            if kept.status is not None or not _expired(kept, key):
                return replay(kept, key)
            await tx.drop_key(key)
            await tx.claim_key(key)
    try:
        answer = await work()
    except MainspringError:
        async with store.transaction(org_id) as tx:
            await tx.drop_key(key)
        raise
    async with store.transaction(org_id) as tx:
        await tx.keep_answer(key, status=answer.status, body=answer.body)
    return answer


def replay(kept: KeptAnswer, key: RequestKey) -> Answer:
    if kept.body_hash != key.body_hash:
        raise IdempotencyMismatch
    if kept.status is None:
        raise IdempotencyInProgress(retry_after_s=1.0)
    return Answer(status=kept.status, body=kept.body)


def _expired(kept: KeptAnswer, key: RequestKey) -> bool:
    same = kept.body_hash == key.body_hash
    return same and key.now_ms - kept.claimed_ms > IDEMPOTENCY_CLAIM_S * 1000
