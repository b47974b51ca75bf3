"""Secrets of sessions and keys of third parties: set, listed by name, deleted; never read."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from mainspring_api.domain.limits import CONNECTIONS_MAX, SESSION_SECRETS_MAX
from mainspring_api.domain.secrets import Connection, Sealed, SessionSecret, about
from mainspring_api.ports.store import Transaction
from mainspring_api.ports.vault import Vault
from mainspring_api.usecases.known import known_record, known_session
from mainspring_kernel.errors import NotFound, SecretUnreadable, ValidationFailed
from mainspring_kernel.ids import Ids, OrgId, SessionId

_NOTHING = Sealed(key_id="", wrapped=b"", data=b"")


async def put_all(
    tx: Transaction,
    vault: Vault,
    session_id: SessionId,
    secrets: Mapping[str, str],
    *,
    ids: Ids,
    now_ms: int,
) -> None:
    """Each under its name, all or none. Raises NotFound, ValidationFailed, and what `seal` does."""
    session = await known_session(tx, session_id, lock=True)
    for name, value in secrets.items():
        known = await tx.record_keyed(SessionSecret, session_id, name)
        secret = known or SessionSecret(
            org_id=session.org_id,
            id=ids.uuid7(),
            owner_id=session_id,
            key=name,
            sealed=_NOTHING,
            created_ms=now_ms,
            updated_ms=now_ms,
        )
        sealed = vault.seal(value, about=about(secret))
        await tx.put_record(msgspec.structs.replace(secret, sealed=sealed, updated_ms=now_ms))
    if await tx.count_records(SessionSecret, session_id) > SESSION_SECRETS_MAX:
        msg = f"a session has at most {SESSION_SECRETS_MAX} secrets"
        raise ValidationFailed(msg)


async def names(tx: Transaction, session_id: SessionId) -> Sequence[SessionSecret]:
    """By name. Raises NotFound."""
    await known_session(tx, session_id)
    found = await tx.records(SessionSecret, session_id, limit=SESSION_SECRETS_MAX)
    return sorted(found, key=lambda secret: secret.key)


async def copy_all(
    tx: Transaction, vault: Vault, source_id: SessionId, target_id: SessionId, *, ids: Ids
) -> None:
    """A fork gets those that its session has now, sealed anew; what was taken away stays away.

    One that does not open any more is of no use to the fork either. Raises what `seal` does.
    """
    for secret in await tx.records(SessionSecret, source_id, limit=SESSION_SECRETS_MAX):
        try:
            value = vault.open(secret.sealed, about=about(secret))
        except SecretUnreadable:
            continue
        copy = msgspec.structs.replace(secret, id=ids.uuid7(), owner_id=target_id)
        sealed = vault.seal(value, about=about(copy))
        await tx.put_record(msgspec.structs.replace(copy, sealed=sealed))


async def opened(tx: Transaction, vault: Vault, session_id: SessionId, name: str) -> str | None:
    """For the house itself; None where there is none. Raises SecretUnreadable."""
    known = await known_record(tx, SessionSecret, session_id, name)
    return None if known is None else vault.open(known.sealed, about=about(known))


async def drop(tx: Transaction, session_id: SessionId, name: str) -> None:
    """Raises NotFound."""
    await known_session(tx, session_id)
    known = await tx.record_keyed(SessionSecret, session_id, name)
    if known is None:
        msg = "no such secret"
        raise NotFound(msg)
    await tx.drop_record(SessionSecret, known.id)


# ── connections ─────────────────────────────────────────────────────────────────────────────────


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """A third party's name and the key it gave."""

    org_id: OrgId
    provider: str
    api_key: str
    new_id: UUID


async def connect(tx: Transaction, vault: Vault, given: Given, *, now_ms: int) -> Connection:
    """The newest key counts. Raises ValidationFailed, and what `seal` does."""
    known = await tx.record_keyed(Connection, given.org_id, given.provider)
    if known is None and await tx.count_records(Connection, given.org_id) >= CONNECTIONS_MAX:
        msg = f"an organization has at most {CONNECTIONS_MAX} connections"
        raise ValidationFailed(msg)
    connection = known or Connection(
        org_id=given.org_id,
        id=given.new_id,
        owner_id=given.org_id,
        key=given.provider,
        sealed=_NOTHING,
        created_ms=now_ms,
        updated_ms=now_ms,
    )
    sealed = vault.seal(given.api_key, about=about(connection))
    connection = msgspec.structs.replace(connection, sealed=sealed, updated_ms=now_ms)
    await tx.put_record(connection)
    return connection


async def connections(tx: Transaction, org_id: OrgId) -> Sequence[Connection]:
    """Newest first."""
    return await tx.records(Connection, org_id, limit=CONNECTIONS_MAX)


async def disconnect(tx: Transaction, org_id: OrgId, provider: str) -> None:
    """Raises NotFound."""
    known = await tx.record_keyed(Connection, org_id, provider)
    if known is None:
        msg = "no such connection"
        raise NotFound(msg)
    await tx.drop_record(Connection, known.id)
