"""Seals again under the newest key what an older one sealed, so that that one can be removed."""

import logging
from collections.abc import AsyncIterator
from typing import Final, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Struct

from mainspring_api.domain.limits import RESEAL_PERIOD_S, RESEALED_PER_PAGE_MAX
from mainspring_api.domain.mcp import OwnServer
from mainspring_api.domain.providers import OwnProvider
from mainspring_api.domain.secrets import Connection, SessionSecret, about
from mainspring_api.ports.store import Store, Transaction
from mainspring_api.ports.vault import Vault
from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import SecretUnreadable
from mainspring_kernel.ids import OrgId
from mainspring_kernel.limits import PAGE_ROWS_MAX
from mainspring_kernel.passes import one_pass

_log = logging.getLogger(__name__)
_Sealing: TypeAlias = type[SessionSecret | Connection | OwnProvider | OwnServer]
KINDS: Final[tuple[_Sealing, ...]] = (SessionSecret, Connection, OwnProvider, OwnServer)
"""Every kind of record that holds something sealed."""
_FIRST: Final = UUID(int=0)


class Pass(Struct):
    """What one pass over all secrets found."""

    looked_at: int = 0
    sealed_anew: int = 0
    unreadable: int = 0


async def run(store: Store, vault: Vault, clock: Clock) -> None:
    """Until cancelled, where there is an older key. Replicas may do the same work."""
    while vault.has_older_keys:
        with one_pass(_log, "sealing anew"):
            done = await reseal(store, vault)
            _log.info(
                "of %d secrets %d were sealed anew under the newest key, %d cannot be read",
                done.looked_at,
                done.sealed_anew,
                done.unreadable,
            )
        await clock.sleep(RESEAL_PERIOD_S)


async def reseal(store: Store, vault: Vault) -> Pass:
    """One pass over every organization, a bounded page in each transaction."""
    done = Pass()
    async for org_id in _organizations(store):
        for kind in KINDS:
            after: UUID | None = _FIRST
            while after is not None:
                async with store.transaction(org_id) as tx:
                    after = await _page(tx, vault, kind, after, done)
    return done


async def _organizations(store: Store) -> AsyncIterator[OrgId]:
    offset, total = 0, 1
    while offset < total:
        page, total = await store.organizations(offset=offset, limit=PAGE_ROWS_MAX)
        for one in page:
            yield one.id
        offset += PAGE_ROWS_MAX


async def _page(
    tx: Transaction, vault: Vault, kind: _Sealing, after: UUID, done: Pass
) -> UUID | None:
    """Where the next page begins; None behind the last one."""
    found = await tx.records_after(kind, after, limit=RESEALED_PER_PAGE_MAX)
    for one in found:
        done.looked_at += one.sealed is not None
        if one.sealed is None or vault.is_newest(one.sealed):
            continue
        try:
            await _seal_anew(tx, vault, kind, one.id)
            done.sealed_anew += 1
        except SecretUnreadable as error:
            done.unreadable += 1
            _log.warning("%s %s: %s", one.kind, one.id, error.detail)
    return found[-1].id if len(found) == RESEALED_PER_PAGE_MAX else None


async def _seal_anew(tx: Transaction, vault: Vault, kind: _Sealing, id_: UUID) -> None:
    # Read again under its lock: whoever set it meanwhile has the last word.
    record = await tx.record(kind, id_, lock=True)
    if record is None or record.sealed is None or vault.is_newest(record.sealed):
        return
    sealed = vault.resealed(record.sealed, about=about(record))
    await tx.put_record(msgspec.structs.replace(record, sealed=sealed))
