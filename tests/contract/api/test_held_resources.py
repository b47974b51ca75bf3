"""What tools ask and change in the name of their task: both stores answer alike."""

from typing import TypeVar

import msgspec
import pytest

from mainspring_api.adapters.vault import EnvelopeVault
from mainspring_api.domain.edits import content_hash
from mainspring_api.domain.resources import Session
from mainspring_api.ports.store import Store
from mainspring_api.usecases import file_changes, held
from mainspring_api.usecases.keeper import Keeper
from mainspring_kernel import errors
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.ids import DEFAULT_ORG_ID, Prefix, RandomIds, SessionId, to_wire
from mainspring_schema.frames import Held
from mainspring_schema.holdings import (
    AnyOrder,
    AnyQuestion,
    ChangeFiles,
    CopyFile,
    Edit,
    EditFile,
    FileChange,
    FileContents,
    FileEdited,
    FileListing,
    FilePart,
    FilesChanged,
    GetSession,
    ListFiles,
    MakeDirectory,
    MoveFile,
    NameSession,
    PutFile,
    ReadFile,
    ReadFiles,
    Recall,
    Recalled,
    RemoveFile,
    SessionInfo,
)
from tests.contract.api.conftest import NOW_MS, Hold
from tests.contract.api.test_store_contract import new_session
from tests.contract.worker.test_worker_files import memory_schedules, nowhere

IDS = RandomIds(SystemClock())
VAULT = EnvelopeVault(["k" * 32])
A = TypeVar("A")


class Tool:
    """A call of a tool at work."""

    def __init__(self, store: Store, session: Session, task: Held) -> None:
        self.store, self.session, self.task, self.calls = store, session, task, 0
        self.keeper = Keeper(
            store=store,
            vault=VAULT,
            schedules=memory_schedules(),
            path=nowhere(store),
            ids=IDS,
        )

    async def ask(self, question: AnyQuestion, answer: type[A]) -> A:
        data = await held.ask(self.keeper, self.task, question, now_ms=NOW_MS)
        return msgspec.msgpack.decode(data, type=answer)

    async def order(self, order: AnyOrder, answer: type[A], key: str = "") -> A:
        self.calls += 1
        data = await held.change(
            self.keeper, self.task, order, key=key or f"call {self.calls}", now_ms=NOW_MS
        )
        return msgspec.msgpack.decode(data, type=answer)

    async def change(self, *changes: FileChange, key: str = "") -> FilesChanged:
        return await self.order(ChangeFiles(changes=changes), FilesChanged, key)

    async def put(self, path: str, content: str = "text") -> None:
        await self.change(PutFile(path=path, content=content.encode()))

    async def read(self, path: str) -> FilePart:
        return await self.ask(ReadFile(path=path, bytes_max=1000), FilePart)

    async def tree(self) -> list[str]:
        found = await self.ask(ListFiles(recursive=True, limit=100), FileListing)
        return [f"{e.path}/" if e.is_directory else e.path for e in found.entries]


@pytest.fixture
async def tool(store: Store, hold: Hold) -> Tool:
    session = new_session()
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_session(session)
    return Tool(store, session, Held(await hold(session.id), 1))


async def test_files_are_written_listed_and_read(tool: Tool) -> None:
    await tool.put("/workspace/src/a.py", "one")
    await tool.put("b.txt", "two")

    part = await tool.read("src/a.py")
    slice_ = await tool.ask(ReadFile(path="/b.txt", offset=1, bytes_max=1), FilePart)
    assert await tool.tree() == ["/b.txt", "/src/", "/src/a.py"]
    assert (part.content, part.content_hash) == (b"one", content_hash(b"one"))
    assert (slice_.content, slice_.content_hash) == (b"w", content_hash(b"two"))


async def test_people_see_the_same_files(tool: Tool) -> None:
    await tool.put("/a.txt", "from a tool")

    async with tool.store.transaction(DEFAULT_ORG_ID) as tx:
        file = await tx.file(tool.session.workspace_id, "/a.txt")
    assert file is not None
    assert file.content == b"from a tool"


async def test_a_listing_goes_on_where_it_was_cut(tool: Tool) -> None:
    for name in "abc":
        await tool.put(name)

    first = await tool.ask(ListFiles(limit=2), FileListing)
    rest = await tool.ask(ListFiles(limit=2, after=first.next), FileListing)
    assert [e.path for e in (*first.entries, *rest.entries)] == ["/a", "/b", "/c"]
    assert (first.next, rest.next) == ("/b", None)


async def test_several_files_are_read_as_far_as_they_fit(tool: Tool) -> None:
    for path, content in (("a", "1234"), ("b", "123456"), ("d/c", "12")):
        await tool.put(path, content)

    wanted = ReadFiles(paths=("/a", "/b", "/d", "d/c", "/gone"), bytes_max=8)
    found = await tool.ask(wanted, FileContents)
    assert [part.entry.path for part in found.files] == ["/a", "/d/c"]


async def test_the_same_key_gets_the_first_answer_and_changes_nothing(tool: Tool) -> None:
    first = await tool.change(PutFile(path="/a", content=b"1"), key="k")
    await tool.change(RemoveFile(path="/a"))

    again = await tool.change(PutFile(path="/a", content=b"1"), key="k")
    assert again == first
    assert first.created == 1
    assert await tool.tree() == []
    with pytest.raises(errors.IdempotencyMismatch):
        await tool.change(PutFile(path="/a", content=b"2"), key="k")


async def test_a_later_attempt_recalls_what_an_earlier_one_noted(tool: Tool) -> None:
    order = ChangeFiles(changes=(MakeDirectory(path="/d"),), note=b"done")
    before = await tool.ask(Recall(key="k"), Recalled)
    await tool.order(order, FilesChanged, key="k")

    after = await tool.ask(Recall(key="k"), Recalled)
    assert (before.note, after.note) == (None, b"done")


@pytest.mark.parametrize("fence", [0, 2])
async def test_who_does_not_hold_the_task_sees_and_changes_nothing(tool: Tool, fence: int) -> None:
    await tool.put("/a")
    tool.task = Held(tool.task.task_id, fence)

    with pytest.raises(errors.LeaseLost):
        await tool.tree()
    with pytest.raises(errors.LeaseLost):
        await tool.put("/b")


async def test_all_changes_of_an_order_happen_or_none(tool: Tool) -> None:
    await tool.put("/a", "1")

    with pytest.raises(errors.NotFound):
        await tool.change(PutFile(path="/b", content=b""), RemoveFile(path="/gone"))
    assert await tool.tree() == ["/a"]


async def test_a_change_on_other_content_than_expected_is_refused(tool: Tool) -> None:
    await tool.put("/a", "1")
    stale = content_hash(b"0")

    for change in (
        PutFile(path="/a", content=b"2", expected=stale),
        PutFile(path="/a", content=b"2", expected=""),
        PutFile(path="/b", content=b"2", expected=stale),
        RemoveFile(path="/a", expected=stale),
    ):
        with pytest.raises(errors.Conflict):
            await tool.change(change)
    await tool.change(PutFile(path="/a", content=b"2", expected=content_hash(b"1")))
    assert (await tool.read("/a")).content == b"2"


async def test_an_edit_names_the_content_it_was_made_for(tool: Tool) -> None:
    await tool.put("/a", "one two")
    order = EditFile(
        path="/a", expected=content_hash(b"one two"), edits=(Edit(old="two", new="2"),)
    )

    edited = await tool.order(order, FileEdited, key="k")
    again = await tool.order(order, FileEdited, key="k")
    assert (await tool.read("/a")).content == b"one 2"
    assert edited == again
    assert (edited.content_hash, edited.replacements) == (content_hash(b"one 2"), 1)
    with pytest.raises(errors.Conflict):
        await tool.order(order, FileEdited)


async def test_files_and_directories_move_and_are_copied(tool: Tool) -> None:
    await tool.put("/d/a", "1")
    await tool.put("/d/sub/b", "2")

    await tool.change(CopyFile(source="/d", target="/e"), MoveFile(source="/d/a", target="/x/a"))
    assert await tool.tree() == [
        "/d/", "/d/sub/", "/d/sub/b", "/e/", "/e/a", "/e/sub/", "/e/sub/b", "/x/", "/x/a",
    ]  # fmt: skip
    assert (await tool.read("/e/sub/b")).content == b"2"


async def test_a_target_that_is_taken_is_replaced_only_where_asked(tool: Tool) -> None:
    await tool.put("/a", "1")
    await tool.put("/b", "2")

    with pytest.raises(errors.Conflict):
        await tool.change(MoveFile(source="/a", target="/b"))
    await tool.change(MoveFile(source="/a", target="/b", overwrite=True))
    assert await tool.tree() == ["/b"]
    assert (await tool.read("/b")).content == b"1"


@pytest.mark.parametrize(
    "change",
    [
        MoveFile(source="/d", target="/d/inside"),
        CopyFile(source="/", target="/e"),
        MoveFile(source="/d", target="/d"),
        MoveFile(source="/d/a", target="/"),
        RemoveFile(path="/d"),
        RemoveFile(path="/", recursive=True),
        PutFile(path="/d", content=b""),
        PutFile(path="/d/a/b", content=b""),
        MakeDirectory(path="/d/a"),
    ],
)
async def test_what_cannot_be_is_refused(tool: Tool, change: FileChange) -> None:
    await tool.put("/d/a")

    with pytest.raises(errors.Conflict):
        await tool.change(change)
    assert await tool.tree() == ["/d/", "/d/a"]


async def test_a_readonly_file_stays(tool: Tool) -> None:
    await tool.put("/a", "1")
    async with tool.store.transaction(DEFAULT_ORG_ID) as tx:
        (file,) = await tx.files_at(tool.session.workspace_id, ["/a"])
        await tx.put_files([msgspec.structs.replace(file, is_readonly=True)])

    edit = EditFile(path="/a", expected=content_hash(b"1"), edits=(Edit(old="1", new="2"),))
    for change in (
        PutFile(path="/a", content=b"2"),
        RemoveFile(path="/a"),
        MoveFile(source="/a", target="/b"),
    ):
        with pytest.raises(errors.Conflict):
            await tool.change(change)
    with pytest.raises(errors.Conflict):
        await tool.order(edit, FileEdited)
    await tool.change(CopyFile(source="/a", target="/b"), PutFile(path="/b", content=b"2"))
    assert (await tool.read("/a")).content == b"1"


@pytest.mark.parametrize(
    "path", ["../x", "/a/../../x", "/workspace/../x", "a//b", "a\x00b", "a\\b"]
)
async def test_no_path_leads_outside(tool: Tool, path: str) -> None:
    with pytest.raises(errors.ValidationFailed):
        await tool.put(path)
    with pytest.raises(errors.ValidationFailed):
        await tool.read(path)
    with pytest.raises(errors.ValidationFailed):
        await tool.change(MoveFile(source="/a", target=path))


async def test_a_workspace_fills_up_to_its_bounds_and_may_shrink_above_them(
    tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tool.put("/a", "123456")
    await tool.put("/b", "123456")
    monkeypatch.setattr(file_changes, "WORKSPACE_BYTES_MAX", 10)
    monkeypatch.setattr(file_changes, "WORKSPACE_FILES_MAX", 2)

    with pytest.raises(errors.PayloadTooLarge):
        await tool.put("/a", "1234567")
    with pytest.raises(errors.Conflict):
        await tool.change(RemoveFile(path="/a"), MakeDirectory(path="/c"), MakeDirectory(path="/d"))
    await tool.put("/a", "12345")
    assert (await tool.read("/a")).content == b"12345"


async def test_a_session_that_is_gone_has_no_files(tool: Tool) -> None:
    async with tool.store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.begin_delete(SessionId(tool.session.id))

    with pytest.raises(errors.NotFound):
        await tool.tree()
    with pytest.raises(errors.NotFound):
        await tool.put("/a")


async def test_a_session_tells_what_it_is_and_takes_a_title(tool: Tool) -> None:
    named = await tool.order(NameSession(title="Holidays"), SessionInfo)

    told = await tool.ask(GetSession(), SessionInfo)
    assert told == named
    assert (told.title, told.session_id) == ("Holidays", to_wire(Prefix.SESSION, tool.session.id))
    for title in ("", " ", "x" * 201, "\x00"):
        with pytest.raises(errors.ValidationFailed):
            await tool.order(NameSession(title=title), SessionInfo)
