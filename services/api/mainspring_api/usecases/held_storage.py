"""Values and secrets of a session, as its tools read and change them."""

import re
from typing import Final, TypeVar, assert_never

import msgspec

from mainspring_api.domain.records import Record
from mainspring_api.domain.secrets import SessionSecret, SessionValue
from mainspring_api.ports.store import Holding, Transaction
from mainspring_api.ports.vault import Vault
from mainspring_api.usecases import secrets
from mainspring_api.usecases.known import known_record, known_session
from mainspring_kernel.errors import Conflict, NotFound, PayloadTooLarge, ValidationFailed
from mainspring_kernel.ids import Ids, SessionId
from mainspring_schema.holdings import (
    Dropped,
    DropSecret,
    DropValue,
    GetValue,
    ListKeys,
    ListSecrets,
    MakeSecret,
    OpenedSecret,
    OpenSecret,
    PutValue,
    StoredKeys,
    StoredValue,
)
from mainspring_schema.limits import (
    STORED_KEY_CHARS_MAX,
    STORED_VALUE_BYTES_MAX,
    STORED_VALUES_MAX,
)

StorageQuestion = GetValue | ListKeys | ListSecrets | OpenSecret
StorageOrder = PutValue | DropValue | MakeSecret | DropSecret
_SECRET_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")
R = TypeVar("R", bound=Record)


async def answer(holding: Holding, vault: Vault, question: StorageQuestion) -> object:
    """Raises NotFound for a session that is gone, SecretUnreadable."""
    tx, session_id = holding.tx, holding.session_id
    match question:
        case GetValue():
            return await _value(tx, session_id, question.key)
        case ListKeys():
            found = await values(tx, session_id)
            return StoredKeys(keys=tuple(v.key for v in found if v.key.startswith(question.prefix)))
        case ListSecrets():
            return await _names(tx, session_id)
        case OpenSecret():
            return OpenedSecret(value=await secrets.opened(tx, vault, session_id, question.name))
        case _:
            assert_never(question)


async def carry_out(
    holding: Holding, vault: Vault, order: StorageOrder, ids: Ids, *, now_ms: int
) -> object:
    """Raises NotFound, Conflict, ValidationFailed, PayloadTooLarge, EncryptionUnconfigured."""
    match order:
        case PutValue():
            return await _put(holding, order, ids, now_ms=now_ms)
        case DropValue():
            return await _drop(holding, SessionValue, order.key)
        case MakeSecret():
            return await _make(holding, vault, order.name, ids, now_ms=now_ms)
        case DropSecret():
            return await _drop(holding, SessionSecret, order.name)
        case _:
            assert_never(order)


async def values(tx: Transaction, session_id: SessionId) -> list[SessionValue]:
    """By key. Raises NotFound."""
    await known_session(tx, session_id)
    found = await tx.records(SessionValue, session_id, limit=STORED_VALUES_MAX)
    return sorted(found, key=lambda value: value.key)


async def _value(tx: Transaction, session_id: SessionId, key: str) -> StoredValue:
    known = await known_record(tx, SessionValue, session_id, key)
    if known is None:
        return StoredValue(key=key)
    return StoredValue(key=key, value=known.value, updated_ms=known.updated_ms)


async def _put(holding: Holding, order: PutValue, ids: Ids, *, now_ms: int) -> StoredValue:
    tx, session_id = holding.tx, holding.session_id
    _check(order)
    # Its lock lets the session's writers in one by one, so that the bound holds.
    if await tx.session(session_id, lock=True) is None:
        msg = "the session is gone"
        raise NotFound(msg)
    known = await tx.record_keyed(SessionValue, session_id, order.key)
    if known is None and await tx.count_records(SessionValue, session_id) >= STORED_VALUES_MAX:
        msg = f"a session stores at most {STORED_VALUES_MAX} values; delete one, or write a file"
        raise Conflict(msg)
    value = known or SessionValue(
        org_id=holding.org_id,
        id=ids.uuid7(),
        owner_id=session_id,
        key=order.key,
        value="",
        created_ms=now_ms,
        updated_ms=now_ms,
    )
    await tx.put_record(msgspec.structs.replace(value, value=order.value, updated_ms=now_ms))
    return StoredValue(key=order.key, value=order.value, updated_ms=now_ms)


def _check(order: PutValue) -> None:
    if not 0 < len(order.key) <= STORED_KEY_CHARS_MAX or not order.key.isprintable():
        msg = f"a key has 1 to {STORED_KEY_CHARS_MAX} printable characters"
        raise ValidationFailed(msg)
    if len(order.value.encode(errors="replace")) > STORED_VALUE_BYTES_MAX:
        what = "a stored value"
        raise PayloadTooLarge(what, STORED_VALUE_BYTES_MAX)


async def _names(tx: Transaction, session_id: SessionId) -> StoredKeys:
    return StoredKeys(keys=tuple(one.key for one in await secrets.names(tx, session_id)))


async def _make(holding: Holding, vault: Vault, name: str, ids: Ids, *, now_ms: int) -> StoredKeys:
    if _SECRET_NAME.fullmatch(name) is None:
        msg = "a secret's name has 1 to 128 letters, digits, dots, dashes and underscores"
        raise ValidationFailed(msg)
    await holding.tx.session(holding.session_id, lock=True)
    if await holding.tx.record_keyed(SessionSecret, holding.session_id, name) is not None:
        msg = f"there is a secret {name!r} already"
        raise Conflict(msg)
    await secrets.put_all(
        holding.tx, vault, holding.session_id, {name: vault.make()}, ids=ids, now_ms=now_ms
    )
    return await _names(holding.tx, holding.session_id)


async def _drop(holding: Holding, type_: type[Record], key: str) -> Dropped:
    if type_.by_time:
        await holding.tx.own_records(holding.session_id)
    known = await known_record(holding.tx, type_, holding.session_id, key)
    if known is not None:
        await holding.tx.drop_record(type_, known.id)
    return Dropped(dropped=known is not None)
