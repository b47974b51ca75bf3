"""Who writes into one workspace at one moment comes in one by one, whatever way it comes.

Children without files of their own write into their parent's, and people write by REST: neither
has the session in common, only the workspace.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from mainspring_api.domain.edits import content_hash
from mainspring_api.domain.resources import Session
from mainspring_api.ports.store import Store
from mainspring_api.usecases import files
from mainspring_api.usecases.files import FileDraft, Write
from mainspring_api.usecases.held_files import HeldWrite, write
from mainspring_api.usecases.mounting import Mounts
from mainspring_kernel.errors import Conflict
from mainspring_kernel.ids import DEFAULT_ORG_ID, TaskId
from mainspring_schema.agents import InitialFile
from mainspring_schema.frames import Held
from mainspring_schema.holdings import Edit, EditFile, FileEdited, PutFile
from mainspring_testkit import fixtures
from tests.contract.api.conftest import NOW_MS, Hold, Waits
from tests.contract.api.test_held_resources import IDS, Tool
from tests.contract.api.test_store_contract import new_session


@pytest.fixture
async def tool(store: Store, hold: Hold) -> Tool:
    """Of a child that writes into its parent's workspace."""
    parent = new_session()
    child = new_session(workspace_id=parent.workspace_id)
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_session(parent)
        await tx.put_session(child)
    return Tool(store, child, Held(await hold(child.id), 1))


def people(session: Session) -> Write:
    return Write(org_id=DEFAULT_ORG_ID, workspace_id=session.workspace_id, now_ms=NOW_MS)


def text(content: str) -> FileDraft:
    return FileDraft(content=content.encode())


async def content_at(tool: Tool, path: str = "/f") -> bytes | None:
    async with tool.store.transaction(DEFAULT_ORG_ID) as tx:
        return (await files.read(tx, tool.session.workspace_id, path)).content


async def by_tool(tool: Tool) -> object:
    return await tool.change(PutFile(path="/f", content=b"second", expected=""))


async def by_people(tool: Tool) -> object:
    async with tool.store.transaction(DEFAULT_ORG_ID) as tx:
        return await files.create(tx, people(tool.session), "/f", text("second"), IDS)


@pytest.mark.parametrize("second", [by_tool, by_people])
async def test_of_two_who_make_one_new_file_the_second_is_refused(
    tool: Tool, waits: Waits, second: Callable[[Tool], Awaitable[object]]
) -> None:
    async with tool.store.transaction(DEFAULT_ORG_ID) as tx:
        await files.create(tx, people(tool.session), "/f", text("first"), IDS)
        other = asyncio.ensure_future(second(tool))
        await waits(other)

    with pytest.raises(Conflict):
        await other
    assert await content_at(tool) == b"first"


async def test_a_flag_takes_no_content_back(tool: Tool, waits: Waits) -> None:
    await tool.put("/f", "old")

    async def flagged() -> object:
        """By REST, which sends the flag alone."""
        async with tool.store.transaction(DEFAULT_ORG_ID) as tx:
            return await files.update(tx, people(tool.session), "/f", FileDraft(is_readonly=True))

    async with tool.store.transaction(DEFAULT_ORG_ID) as tx:
        await files.update(tx, people(tool.session), "/f", text("new"))
        other = asyncio.ensure_future(flagged())
        await waits(other)
    await other

    assert await content_at(tool) == b"new"


async def test_an_edit_stands_on_what_another_has_just_written(tool: Tool, waits: Waits) -> None:
    await tool.put("/f", "one two")
    edit = Edit(old="two", new="2")
    order = EditFile(path="/f", expected=content_hash(b"one two"), edits=(edit,))

    async with tool.store.transaction(DEFAULT_ORG_ID) as tx:
        await files.update(tx, people(tool.session), "/f", text("1 two"))
        other = asyncio.ensure_future(tool.order(order, FileEdited))
        await waits(other)
    await other

    assert await content_at(tool) == b"1 2"


async def test_a_mounted_file_takes_nothing_of_peoples_place(tool: Tool, waits: Waits) -> None:
    mounts = Mounts(tool.store, IDS)
    mounted = [InitialFile(path="/f", content="mounted", encoding="text")]

    async with tool.store.transaction(DEFAULT_ORG_ID) as tx:
        await files.create(tx, people(tool.session), "/f", text("people's"), IDS)
        other = asyncio.ensure_future(
            mounts.ensure(DEFAULT_ORG_ID, tool.session.id, mounted, NOW_MS)
        )
        await waits(other)
    await other

    assert await content_at(tool) == b"people's"


async def test_a_large_answer_is_kept_beside_what_another_writes(tool: Tool, waits: Waits) -> None:
    wanted = HeldWrite(
        task_id=TaskId(tool.task.task_id), fence=1, key="k", path="/f/out.txt", content=b"much"
    )

    async with tool.store.transaction(DEFAULT_ORG_ID) as tx:
        await files.create(tx, people(tool.session), "/f", text("a file"), IDS)
        other = asyncio.ensure_future(write(tool.store, wanted, IDS, now_ms=NOW_MS))
        await waits(other)

    with pytest.raises(Conflict):
        await other
    assert await content_at(tool) == b"a file"


async def test_two_who_write_in_opposite_orders_never_wait_for_each_other(
    tool: Tool, waits: Waits
) -> None:
    other_way = [PutFile(path=path, content=b"2") for path in ("/b", "/a")]

    async with tool.store.transaction(DEFAULT_ORG_ID) as tx:
        await files.replace(tx, people(tool.session), "/a", b"1", IDS)
        other = asyncio.ensure_future(tool.change(*other_way))
        await waits(other)
        await files.replace(tx, people(tool.session), "/b", b"1", IDS)
    await other

    assert [await content_at(tool, path) for path in ("/a", "/b")] == [b"2", b"2"]


async def test_readers_wait_for_no_writer(
    tool: Tool, waits: Waits, database: fixtures.Database | None
) -> None:
    await tool.put("/f", "old")

    async with tool.store.transaction(DEFAULT_ORG_ID) as tx:
        await files.update(tx, people(tool.session), "/f", text("new"))
        other = asyncio.ensure_future(content_at(tool))
        await waits(other)

    # The twin's transactions wait for each other as a whole.
    assert await other == (b"new" if database is None else b"old")


async def test_a_session_that_is_deleted_leaves_no_files_of_who_was_writing(
    store: Store, waits: Waits
) -> None:
    session = new_session()
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_session(session)

    async def deleted() -> None:
        async with store.transaction(DEFAULT_ORG_ID) as tx:
            await tx.begin_delete(session.id)
        async with store.transaction(DEFAULT_ORG_ID) as tx:
            await tx.finish_delete(session.id)

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await files.create(tx, people(session), "/f", text("late"), IDS)
        other = asyncio.ensure_future(deleted())
        await waits(other)
    await other

    async with store.transaction(DEFAULT_ORG_ID) as tx:
        assert list(await tx.files(session.workspace_id)) == []
