"""A POST with an Idempotency-Key happens once, and every repeat gets the same answer."""

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_api.domain.limits import IDEMPOTENCY_CLAIM_S
from mainspring_api.ports.store import KeptAnswer, RequestKey, Store, Transaction
from mainspring_kernel.errors import (
    IdempotencyInProgress,
    IdempotencyMismatch,
    MainspringError,
)
from mainspring_kernel.ids import OrgId

_CLAIM_MS: Final = round(IDEMPOTENCY_CLAIM_S * 1000)


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


async def once_under_id(
    store: Store,
    org_id: OrgId,
    key: RequestKey | None,
    new_id: UUID,
    work: Callable[[UUID], Awaitable[Answer]],
) -> Answer:
    """As `once_elsewhere` for work that makes a thing elsewhere, which is one by its id.

    The id is kept with the key before the work begins, and stays with it where nobody knows whether
    the thing was made: whoever asks again with the key asks for the same thing.
    Raises IdempotencyMismatch, IdempotencyInProgress.
    """
    if key is None:
        return await work(new_id)
    async with store.transaction(org_id) as tx:
        kept = await tx.claim_key(msgspec.structs.replace(key, memo=new_id.bytes))
        if kept is not None:
            if kept.status is not None or not _expired(kept, key):
                return replay(kept, key)
            new_id = UUID(bytes=kept.body)
            await _claim_again(tx, key, new_id)
    try:
        answer = await work(new_id)
    except MainspringError as error:
        async with store.transaction(org_id) as tx:
            await _give_back(tx, key, new_id, error)
        raise
    async with store.transaction(org_id) as tx:
        await tx.keep_answer(key, status=answer.status, body=answer.body)
    return answer


async def _give_back(tx: Transaction, key: RequestKey, id_: UUID, error: MainspringError) -> None:
    if not error.is_server_error:
        await tx.drop_key(key)
        return
    # As old as a claim whose holder died: the next request takes it over, and its id.
    await _claim_again(tx, key, id_, age_ms=_CLAIM_MS + 1)


async def _claim_again(tx: Transaction, key: RequestKey, id_: UUID, *, age_ms: int = 0) -> None:
    await tx.drop_key(key)
    await tx.claim_key(msgspec.structs.replace(key, memo=id_.bytes), age_ms=age_ms)


def replay(kept: KeptAnswer, key: RequestKey) -> Answer:
    """The answer that was kept. Raises IdempotencyMismatch, IdempotencyInProgress."""
    if kept.body_hash != key.body_hash:
        raise IdempotencyMismatch
    if kept.status is None:
        raise IdempotencyInProgress(retry_after_s=1.0)
    return Answer(status=kept.status, body=kept.body)


def _expired(kept: KeptAnswer, key: RequestKey) -> bool:
    return kept.body_hash == key.body_hash and kept.age_ms > _CLAIM_MS
