"""What a fork has of the values that its session stored: as they were, until it writes its own."""

import asyncio

import pytest

from mainspring_api.adapters.memory.store import organization_of
from mainspring_api.domain.mcp import PinnedTools
from mainspring_api.domain.secrets import SessionSecret, SessionValue, about
from mainspring_api.ports.store import Store
from mainspring_api.usecases import mcp_servers, secrets
from mainspring_kernel.ids import DEFAULT_ORG_ID, SessionId
from mainspring_testkit.fixtures import Database
from tests.contract.api.conftest import NOW_MS, Waits
from tests.contract.api.test_forked_files import IDS, later
from tests.contract.api.test_held_mcp import PIN
from tests.contract.api.test_held_resources import VAULT
from tests.contract.api.test_store_contract import new_session


def new_id() -> SessionId:
    return SessionId(IDS.uuid7())


async def put(store: Store, owner: SessionId, **values: str) -> None:
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        for key, value in values.items():
            known = await tx.record_keyed(SessionValue, owner, key)
            await tx.put_record(
                SessionValue(
                    org_id=DEFAULT_ORG_ID,
                    id=known.id if known else IDS.uuid7(),
                    owner_id=owner,
                    key=key,
                    value=value,
                    created_ms=NOW_MS,
                    updated_ms=NOW_MS,
                )
            )


async def drop(store: Store, owner: SessionId, key: str) -> None:
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.own_records(owner)
        known = await tx.record_keyed(SessionValue, owner, key)
        assert known is not None
        assert await tx.drop_record(SessionValue, known.id)


async def fork(store: Store, parent: SessionId, as_of_ms: int | None = None) -> SessionId:
    child = new_id()
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.fork_records(child, parent, as_of_ms=as_of_ms)
    return child


async def seen(store: Store, owner: SessionId) -> dict[str, str]:
    """By each way to read."""
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        listed = await tx.records(SessionValue, owner, limit=100)
        singly = [await tx.record_keyed(SessionValue, owner, one.key) for one in listed]
        page = await tx.records(SessionValue, owner, offset=1, limit=1)
        assert await tx.count_records(SessionValue, owner) == len(listed)
    assert list(listed) == singly
    assert list(page) == list(listed[1:2])
    assert {one.owner_id for one in listed} <= {owner}
    return {one.key: one.value for one in listed}


async def test_a_fork_has_the_values_as_they_were_then(store: Store) -> None:
    parent = new_id()
    await put(store, parent, kept="1", changed="old", dropped="gone")
    moment = later()
    await put(store, parent, changed="new", added="later")
    await drop(store, parent, "dropped")

    then, now = await fork(store, parent, moment), await fork(store, parent)

    assert await seen(store, then) == {"kept": "1", "changed": "old", "dropped": "gone"}
    assert await seen(store, now) == {"kept": "1", "changed": "new", "added": "later"}


async def test_a_fork_has_nothing_of_another_session(store: Store) -> None:
    parent, stranger = new_id(), new_id()
    await put(store, parent, a="1")
    await put(store, stranger, a="strange", b="strange", c="strange")
    moment = later()
    await put(store, stranger, b="stranger")
    await drop(store, stranger, "c")

    then, now = await fork(store, parent, moment), await fork(store, parent)

    assert await seen(store, then) == await seen(store, now) == {"a": "1"}


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
async def test_a_fork_of_the_very_moment_of_a_change_has_what_was_before(
    store: Store, database: Database
) -> None:
    parent = new_id()
    await put(store, parent, a="old")
    later()
    await put(store, parent, a="new")
    moment = int(database.sql("select changed_ms from api.record"))
    later()
    await put(store, parent, a="newest")

    child = await fork(store, parent, moment)

    assert await seen(store, child) == {"a": "old"}
    assert await store.forget_record_past(before_ms=later(), limit=100) == 1
    assert await seen(store, child) == {"a": "old"}


async def test_another_organization_forks_and_finds_nothing(store: Store) -> None:
    """Also not by what a fork has from elsewhere, nor what there was before."""
    elsewhere = organization_of(IDS.uuid7(), "elsewhere", NOW_MS)
    await store.create_organization(elsewhere)
    parent = new_id()
    await put(store, parent, a="old")
    moment = later()
    await put(store, parent, a="new")
    mine = await fork(store, parent)
    stolen = new_id(), new_id()

    async with store.transaction(elsewhere.id) as tx:
        await tx.fork_records(stolen[0], parent, as_of_ms=None)
        await tx.fork_records(stolen[1], parent, as_of_ms=moment)
        await tx.fork_records(new_id(), mine, as_of_ms=None)
        for owner in (parent, mine, *stolen):
            assert list(await tx.records(SessionValue, owner, limit=9)) == []
            assert await tx.record_keyed(SessionValue, owner, "a") is None
            assert await tx.count_records(SessionValue, owner) == 0
        assert await tx.release_forks(mine, limit=9) == 1
        assert await tx.release_forks(parent, limit=9) == 2

    assert await seen(store, parent) == await seen(store, mine) == {"a": "new"}


async def test_neither_sees_what_the_other_stores(store: Store) -> None:
    parent = new_id()
    await put(store, parent, shared="1", other="2")
    child = await fork(store, parent)
    later()

    await put(store, parent, shared="parent")
    await drop(store, child, "other")
    await put(store, child, shared="child")

    assert await seen(store, parent) == {"shared": "parent", "other": "2"}
    assert await seen(store, child) == {"shared": "child"}


async def test_what_a_session_keeps_of_one_kind_is_none_of_another(store: Store) -> None:
    """Both kinds are read through what a fork has from elsewhere."""
    owner = new_id()
    pinned = PinnedTools(
        org_id=DEFAULT_ORG_ID, id=IDS.uuid7(), owner_id=owner, key="a", pin=PIN,
        created_ms=NOW_MS, updated_ms=NOW_MS,
    )  # fmt: skip
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_record(pinned)
        assert await tx.record_keyed(SessionValue, owner, "a") is None

    await put(store, owner, b="2")

    assert await seen(store, owner) == {"b": "2"}
    assert await seen(store, await fork(store, owner)) == {"b": "2"}
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        assert await tx.record_keyed(PinnedTools, owner, "a") == pinned


async def test_what_a_fork_has_keeps_its_id_when_it_becomes_its_own(store: Store) -> None:
    parent = new_id()
    await put(store, parent, a="1")
    child = await fork(store, parent)
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        before = await tx.record_keyed(SessionValue, child, "a")
        above = await tx.record_keyed(SessionValue, parent, "a")

    await put(store, child, b="2")

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        assert await tx.record_keyed(SessionValue, child, "a") == before
    assert before is not None
    assert above is not None
    assert before.id != above.id


async def test_a_fork_of_a_fork_stays_as_it_began(store: Store) -> None:
    parent = new_id()
    await put(store, parent, a="1")
    child = await fork(store, parent)
    grandchild = await fork(store, child)
    later()

    await put(store, parent, a="parent")
    await put(store, child, a="child", b="own")

    assert await seen(store, grandchild) == {"a": "1"}


async def test_a_value_that_goes_as_another_comes_does_not_come_back(
    store: Store, waits: Waits
) -> None:
    """Both make the fork's values its own, and both at one moment."""
    parent = new_id()
    await put(store, parent, a="1", b="2")
    child = await fork(store, parent)

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.own_records(child)
        known = await tx.record_keyed(SessionValue, child, "a")
        assert known is not None
        await tx.drop_record(SessionValue, known.id)
        other = asyncio.ensure_future(put(store, child, c="3"))
        await waits(other)
    await other

    assert await seen(store, child) == {"b": "2", "c": "3"}


async def test_a_fork_keeps_its_values_when_its_parent_is_deleted(store: Store) -> None:
    parent = new_id()
    await put(store, parent, a="1")
    child = await fork(store, parent)

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.drop_owned(parent)

    assert await seen(store, child) == {"a": "1"}
    assert await seen(store, parent) == {}


async def test_values_as_they_were_are_forgotten_unless_a_fork_reads_them(store: Store) -> None:
    forked, alone = new_id(), new_id()
    for owner in (forked, alone):
        await put(store, owner, a="1")
    moment = later()
    child = await fork(store, forked, moment)
    for owner in (forked, alone):
        await put(store, owner, a="2")

    gone = await store.forget_record_past(before_ms=later(), limit=100)

    assert gone == 1
    assert await seen(store, child) == {"a": "1"}


async def test_a_pass_forgets_no_more_values_than_it_may_nor_younger_ones(store: Store) -> None:
    owner = new_id()
    for value in ("1", "2", "3"):
        await put(store, owner, a=value)
        later()
    moment = later()
    await put(store, owner, a="4")

    gone = [await store.forget_record_past(before_ms=moment, limit=1) for _ in range(3)]

    assert gone == [1, 1, 0]
    assert await store.forget_record_past(before_ms=later(), limit=9) == 1


async def test_of_secrets_a_fork_has_what_is_there_now_sealed_anew(store: Store) -> None:
    source, target = new_session(), new_session()
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_session(source)
        await tx.put_session(target)
        held = {"KEPT": "hunter2", "GONE": "old"}
        await secrets.put_all(tx, VAULT, source.id, held, ids=IDS, now_ms=NOW_MS)
        await secrets.drop(tx, source.id, "GONE")
        await secrets.copy_all(tx, VAULT, source.id, target.id, ids=IDS)
        (mine,) = await tx.records(SessionSecret, source.id, limit=10)
        (copy,) = await tx.records(SessionSecret, target.id, limit=10)

    assert (copy.key, copy.owner_id, copy.sealed.data == mine.sealed.data) == (
        "KEPT",
        target.id,
        False,
    )
    assert VAULT.open(copy.sealed, about=about(copy)) == "hunter2"


async def test_a_secret_that_does_not_open_is_left_behind(store: Store) -> None:
    source, target = new_session(), new_session()
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_session(source)
        await tx.put_session(target)
        await secrets.put_all(tx, VAULT, source.id, {"A": "1"}, ids=IDS, now_ms=NOW_MS)
        (mine,) = await tx.records(SessionSecret, source.id, limit=10)
        broken = type(mine.sealed)(key_id="lost", wrapped=b"x" * 40, data=b"y" * 40)
        await tx.put_record(
            SessionSecret(
                org_id=DEFAULT_ORG_ID, id=mine.id, owner_id=source.id, key="A", sealed=broken,
                created_ms=NOW_MS, updated_ms=NOW_MS,
            )
        )  # fmt: skip
        await secrets.copy_all(tx, VAULT, source.id, target.id, ids=IDS)

        assert await tx.records(SessionSecret, target.id, limit=10) == []


async def test_a_fork_unpins_what_it_has_from_its_session(store: Store) -> None:
    parent, child = new_session(), new_session()
    pinned = PinnedTools(
        org_id=DEFAULT_ORG_ID, id=IDS.uuid7(), owner_id=parent.id, key=PIN.server, pin=PIN,
        created_ms=NOW_MS, updated_ms=NOW_MS,
    )  # fmt: skip
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_session(parent)
        await tx.put_session(child)
        await tx.put_record(pinned)
        await tx.fork_records(child.id, parent.id, as_of_ms=None)

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await mcp_servers.unpin(tx, child.id, PIN.server)

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        assert await mcp_servers.pins(tx, child.id) == []
        assert await mcp_servers.pins(tx, parent.id) == [pinned]


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
async def test_what_a_version_without_forked_records_wrote_counts(
    store: Store, database: Database
) -> None:
    parent = new_id()
    await put(store, parent, a="1", b="2")
    child = await fork(store, parent)

    database.sql(
        "insert into api.record (org_id, kind, id, owner_id, key, data, created_ms, updated_ms) "
        f"select org_id, kind, '{new_id()}', '{child}', key, "
        "convert_to(replace(convert_from(data, 'utf8'), '\"1\"', '\"old\"'), 'utf8'), 1, 1 "
        f"from api.record where owner_id = '{parent}' and key = 'a'"
    )

    assert await seen(store, child) == {"a": "old", "b": "2"}
    await put(store, child, c="3")
    assert await seen(store, child) == {"a": "old", "b": "2", "c": "3"}
