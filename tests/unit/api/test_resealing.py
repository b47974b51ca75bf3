"""Secrets that an older key sealed are sealed anew, page by page, and can be read afterwards."""

import asyncio
import threading
from uuid import uuid4

import msgspec
import pytest

from mainspring_api.adapters.memory.store import MemoryStore, organization_of
from mainspring_api.adapters.vault import EnvelopeVault
from mainspring_api.domain.limits import RESEAL_PERIOD_S
from mainspring_api.domain.mcp import OwnServer
from mainspring_api.domain.providers import OwnProvider
from mainspring_api.domain.records import Record
from mainspring_api.domain.secrets import Connection, SessionSecret, about
from mainspring_api.ports.store import Store
from mainspring_api.usecases import resealing
from mainspring_api.usecases.resealing import KINDS, reseal
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.ids import DEFAULT_ORG_ID, OrgId
from tests.contract.api.conftest import NOW_MS, Grants

OLD, NEW = "an old key that is long enough for it", "a new key that is long enough for it"
OTHER_ORG = OrgId(uuid4())
NOTHING = {"key_id": "", "wrapped": b"", "data": b""}
Secret = SessionSecret | Connection | OwnProvider | OwnServer


@pytest.fixture
async def store() -> Store:
    grants = Grants()
    store = MemoryStore(
        lock=threading.RLock(),
        log=grants,
        hold=grants,
        first=organization_of(DEFAULT_ORG_ID, "default", NOW_MS),
    )
    await store.create_organization(organization_of(OTHER_ORG, "another", NOW_MS))
    return store


def made(kind: type[Secret], key: str, org_id: OrgId = DEFAULT_ORG_ID) -> Secret:
    """What a kind does not know is left out."""
    members = {
        "org_id": org_id, "id": uuid4(), "owner_id": org_id, "key": key, "created_ms": NOW_MS,
        "updated_ms": NOW_MS, "driver": "openai", "config": {}, "sealed": NOTHING,
    }  # fmt: skip
    return msgspec.convert(members, kind)


async def keep(store: Store, vault: EnvelopeVault, *secrets: Secret) -> None:
    for one in secrets:
        sealed = vault.seal(f"hush {one.key}", about=about(one))
        async with store.transaction(one.org_id) as tx:
            await tx.put_record(msgspec.structs.replace(one, sealed=sealed))


async def opened(store: Store, vault: EnvelopeVault, one: Secret) -> str:
    async with store.transaction(one.org_id) as tx:
        found = await tx.record(type(one), one.id)
    assert found is not None
    assert found.sealed is not None
    return vault.open(found.sealed, about=about(found))


async def test_every_kind_of_secret_of_every_organization_needs_the_old_key_no_more(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resealing, "RESEALED_PER_PAGE_MAX", 2)
    secrets = [made(kind, f"{n}") for kind in KINDS for n in range(3)]
    secrets.append(made(Connection, "far", OTHER_ORG))
    await keep(store, EnvelopeVault([OLD]), *secrets)

    first = await reseal(store, EnvelopeVault([NEW, OLD]))
    again = await reseal(store, EnvelopeVault([NEW, OLD]))

    assert [await opened(store, EnvelopeVault([NEW]), one) for one in secrets] == [
        f"hush {one.key}" for one in secrets
    ]
    assert (first.looked_at, first.sealed_anew, first.unreadable) == (13, 13, 0)
    assert (again.looked_at, again.sealed_anew) == (13, 0)


async def test_one_that_nobody_can_read_keeps_no_other_back(store: Store) -> None:
    lost, found = (made(Connection, name) for name in ("lost", "found"))
    await keep(store, EnvelopeVault(["a key that nobody has any more, it seems"]), lost)
    await keep(store, EnvelopeVault([OLD]), found)

    done = await reseal(store, EnvelopeVault([NEW, OLD]))

    assert (done.sealed_anew, done.unreadable) == (1, 1)
    assert await opened(store, EnvelopeVault([NEW]), found) == "hush found"


async def test_what_is_not_sealed_is_left_as_it_is(store: Store) -> None:
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_record(_keyless())

    done = await reseal(store, EnvelopeVault([NEW, OLD]))

    assert (done.looked_at, done.sealed_anew) == (0, 0)


def _keyless() -> OwnProvider:
    return OwnProvider(
        org_id=DEFAULT_ORG_ID, id=uuid4(), owner_id=DEFAULT_ORG_ID, key="house", driver="llmsim",
        created_ms=NOW_MS, updated_ms=NOW_MS,
    )  # fmt: skip


async def test_it_goes_on_for_as_long_as_there_is_an_older_key(store: Store) -> None:
    clock, vault = ManualClock(), EnvelopeVault([NEW, OLD])
    late = made(Connection, "late")
    running = asyncio.create_task(resealing.run(store, vault, clock))
    await clock.until_sleeping()
    # Another replica still seals under the old key.
    await keep(store, EnvelopeVault([OLD]), late)

    clock.advance(RESEAL_PERIOD_S)
    await clock.until_sleeping()
    running.cancel()

    assert await opened(store, EnvelopeVault([NEW]), late) == "hush late"


async def test_with_one_key_there_is_nothing_to_do(store: Store) -> None:
    await resealing.run(store, EnvelopeVault([NEW]), ManualClock())


def test_every_record_that_holds_something_sealed_is_one_of_the_kinds() -> None:
    holding = {kind for kind in _all(Record) if "sealed" in kind.__struct_fields__}

    assert holding == set(KINDS)


def _all(kind: type) -> list[type]:
    below = kind.__subclasses__()
    return [*below, *(one for sub in below for one in _all(sub))]
