"""Workspaces that begin as another one was: read where it lies, until something is written."""

from collections.abc import Sequence

import msgspec
import pytest

from mainspring_api.adapters.memory.store import organization_of
from mainspring_api.domain.resources import File
from mainspring_api.ports.store import Store
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.ids import DEFAULT_ORG_ID, RandomIds, SessionId, WorkspaceId
from mainspring_testkit import fixtures
from tests.contract.api.conftest import NOW_MS
from tests.contract.api.test_store_contract import new_session

CLOCK = SystemClock()
IDS = RandomIds(CLOCK)


def new_id() -> WorkspaceId:
    return WorkspaceId(IDS.uuid7())


def later() -> int:
    """A time behind everything written so far, and before what is written next.

    The database rounds its times, so they may be a millisecond ahead.
    """
    now_ms = CLOCK.wall_ms() + 1
    while (moment := CLOCK.wall_ms()) <= now_ms:
        pass
    return moment


async def write(store: Store, workspace_id: WorkspaceId, **contents: bytes) -> None:
    files = [
        File(
            org_id=DEFAULT_ORG_ID,
            workspace_id=workspace_id,
            path=f"/{name}",
            id=IDS.uuid7(),
            is_directory=False,
            is_readonly=False,
            size_bytes=len(content),
            content=content,
            created_ms=NOW_MS,
            updated_ms=NOW_MS,
        )
        for name, content in contents.items()
    ]
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_files(files)


async def fork(store: Store, parent: WorkspaceId, as_of_ms: int | None = None) -> WorkspaceId:
    child = new_id()
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.fork_workspace(child, parent, as_of_ms=as_of_ms)
    return child


async def seen(store: Store, workspace_id: WorkspaceId) -> dict[str, bytes | None]:
    """By each way to read."""
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        listed = await tx.files(workspace_id)
        paths = [file.path for file in listed]
        together = await tx.files_at(workspace_id, paths)
        singly = [await tx.file(workspace_id, path) for path in paths]
        assert await tx.size_bytes(workspace_id) == sum(file.size_bytes for file in listed)
    assert all(file.content is None for file in listed)
    assert [file.path for file in together] == paths == sorted(paths)
    assert list(together) == singly
    assert {file.workspace_id for file in together} <= {workspace_id}
    return {file.path: file.content for file in together}


async def remove(store: Store, workspace_id: WorkspaceId, paths: Sequence[str]) -> int:
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        return await tx.remove_files(workspace_id, paths)


async def test_a_fork_has_the_files_as_they_were_then(store: Store) -> None:
    parent = new_id()
    await write(store, parent, kept=b"1", changed=b"old", removed=b"gone", moved=b"m")
    moment = later()
    await write(store, parent, changed=b"new", added=b"later")
    await remove(store, parent, ["/removed"])
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.move_files(parent, [("/moved", "/elsewhere")], now_ms=NOW_MS)

    then, now = await fork(store, parent, moment), await fork(store, parent)

    old: dict[str, bytes | None] = {
        "/changed": b"old", "/kept": b"1", "/moved": b"m", "/removed": b"gone",
    }  # fmt: skip
    assert await seen(store, then) == old
    assert await seen(store, now) == await seen(store, parent)


async def test_a_fork_has_nothing_of_another_workspace(store: Store) -> None:
    parent, stranger = new_id(), new_id()
    await write(store, parent, a=b"1")
    await write(store, stranger, a=b"strange", b=b"strange")
    moment = later()
    await write(store, stranger, a=b"stranger", b=b"stranger")

    then, now = await fork(store, parent, moment), await fork(store, parent)

    assert await seen(store, then) == await seen(store, now) == {"/a": b"1"}


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
async def test_a_fork_of_the_very_moment_of_a_change_has_what_was_before(
    store: Store, database: fixtures.Database
) -> None:
    parent = new_id()
    await write(store, parent, a=b"old")
    later()
    await write(store, parent, a=b"new")
    moment = int(database.sql("select changed_ms from api.file"))
    later()
    await write(store, parent, a=b"newest")

    child = await fork(store, parent, moment)

    assert await seen(store, child) == {"/a": b"old"}
    assert await store.forget_file_past(before_ms=later(), limit=100) == 1
    assert await seen(store, child) == {"/a": b"old"}


async def test_another_organization_forks_and_finds_nothing(store: Store) -> None:
    """Also not by what a fork has from elsewhere, nor what there was before."""
    elsewhere = organization_of(IDS.uuid7(), "elsewhere", NOW_MS)
    await store.create_organization(elsewhere)
    parent = new_id()
    await write(store, parent, a=b"old")
    moment = later()
    await write(store, parent, a=b"new")
    mine = await fork(store, parent)
    stolen = new_id(), new_id()

    async with store.transaction(elsewhere.id) as tx:
        await tx.fork_workspace(stolen[0], parent, as_of_ms=None)
        await tx.fork_workspace(stolen[1], parent, as_of_ms=moment)
        await tx.fork_workspace(new_id(), mine, as_of_ms=None)
        for workspace_id in (parent, mine, *stolen):
            assert list(await tx.files(workspace_id)) == []
            assert await tx.file(workspace_id, "/a") is None
            assert await tx.size_bytes(workspace_id) == 0
            assert await tx.remove_files(workspace_id, ["/a"]) == 0
        assert await tx.release_forks(SessionId(mine), limit=9) == 1
        # Its own ones had theirs before something was removed, and others' are not to be seen.
        assert await tx.release_forks(SessionId(parent), limit=9) == 0

    assert await seen(store, parent) == await seen(store, mine) == {"/a": b"new"}


async def test_neither_sees_what_the_other_writes(store: Store) -> None:
    parent = new_id()
    await write(store, parent, shared=b"1", other=b"2")
    child = await fork(store, parent)
    later()

    await write(store, parent, shared=b"parent")
    await write(store, child, shared=b"child")
    await remove(store, child, ["/other"])

    assert await seen(store, parent) == {"/other": b"2", "/shared": b"parent"}
    assert await seen(store, child) == {"/shared": b"child"}


async def test_a_fork_of_a_fork_stays_as_it_began(store: Store) -> None:
    parent = new_id()
    await write(store, parent, a=b"1")
    child = await fork(store, parent)
    grandchild = await fork(store, child)
    later()

    await write(store, parent, a=b"parent")
    await write(store, child, a=b"child", b=b"own")

    assert await seen(store, grandchild) == {"/a": b"1"}


async def test_a_fork_keeps_its_files_when_its_parent_is_deleted(store: Store) -> None:
    session = new_session()
    parent = WorkspaceId(session.id)
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_session(session)
    await write(store, parent, a=b"1")
    child = await fork(store, parent)

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.begin_delete(SessionId(session.id))
        await tx.finish_delete(SessionId(session.id))

    assert await seen(store, child) == {"/a": b"1"}
    assert await seen(store, parent) == {}


async def test_forks_are_given_their_own_a_few_at_a_time(store: Store) -> None:
    session = SessionId(new_id())
    await write(store, WorkspaceId(session), a=b"1")
    forks = [await fork(store, WorkspaceId(session)) for _ in range(2)]
    with_values = SessionId(new_id())
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.fork_records(with_values, session, as_of_ms=None)

    released: list[int] = []
    for _ in range(3):
        async with store.transaction(DEFAULT_ORG_ID) as tx:
            released.append(await tx.release_forks(session, limit=2))
    await write(store, WorkspaceId(session), a=b"2")

    assert released == [2, 1, 0]
    assert [await seen(store, one) for one in forks] == [{"/a": b"1"}] * 2


async def test_files_as_they_were_are_forgotten_unless_a_fork_reads_them(store: Store) -> None:
    forked, alone = new_id(), new_id()
    for workspace_id in (forked, alone):
        await write(store, workspace_id, a=b"1")
    moment = later()
    child = await fork(store, forked, moment)
    for workspace_id in (forked, alone):
        await write(store, workspace_id, a=b"2")

    gone = await store.forget_file_past(before_ms=later(), limit=100)

    assert gone == 1
    assert await seen(store, child) == {"/a": b"1"}


async def test_a_pass_forgets_no_more_files_than_it_may_nor_younger_ones(store: Store) -> None:
    workspace_id = new_id()
    for content in (b"1", b"2", b"3"):
        await write(store, workspace_id, a=content)
        later()
    moment = later()
    await write(store, workspace_id, a=b"4")

    gone = [await store.forget_file_past(before_ms=moment, limit=1) for _ in range(3)]

    assert gone == [1, 1, 0]
    assert await store.forget_file_past(before_ms=later(), limit=9) == 1


async def test_where_a_session_was_forked_from_is_kept(store: Store) -> None:
    origin = SessionId(IDS.uuid7())
    session = msgspec.structs.replace(new_session(), forked_from=origin, forked_seq=7)

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_session(session)
        found = await tx.session(session.id)

    assert found == session


async def test_forks_of_another_organization_are_not_released(store: Store) -> None:
    parent, other = new_id(), organization_of(IDS.uuid7(), "other", NOW_MS)
    await store.create_organization(other)
    async with store.transaction(other.id) as tx:
        await tx.fork_workspace(new_id(), parent, as_of_ms=None)

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        foreign = await tx.release_forks(SessionId(parent), limit=2)
    async with store.transaction(other.id) as tx:
        own = await tx.release_forks(SessionId(parent), limit=2)

    assert (foreign, own) == (0, 1)


async def test_a_session_whose_deletion_did_not_begin_is_not_finished(store: Store) -> None:
    session = new_session()
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_session(session)
    await write(store, session.workspace_id, kept=b"1")

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.finish_delete(session.id)

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        assert await tx.session(session.id) == session
    assert await seen(store, session.workspace_id) == {"/kept": b"1"}
