"""What a worker writes in the name of its task: both stores answer alike."""

import msgspec
import pytest

from mainspring_api.domain.resources import File, Session
from mainspring_api.ports.store import Store
from mainspring_api.usecases import held_files
from mainspring_api.usecases.held_files import HeldWrite, write
from mainspring_kernel import errors
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.ids import DEFAULT_ORG_ID, RandomIds, SessionId, TaskId
from mainspring_kernel.limits import TOOL_RESULT_BYTES_MAX
from tests.contract.api.conftest import NOW_MS, Hold
from tests.contract.api.test_store_contract import new_session

IDS = RandomIds(SystemClock())


@pytest.fixture
async def session(store: Store) -> Session:
    session = new_session()
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_session(session)
    return session


@pytest.fixture
async def task(session: Session, hold: Hold) -> TaskId:
    return await hold(session.id)


def wanted(task: TaskId, **more: object) -> HeldWrite:
    plain = HeldWrite(
        task_id=task, fence=1, key="k", path="/outputs/call_1.txt", content=b"much text"
    )
    return msgspec.structs.replace(plain, **more)


async def put(store: Store, one: HeldWrite) -> str:
    return await write(store, one, IDS, now_ms=NOW_MS)


async def found(store: Store, session: Session, path: str = "/outputs/call_1.txt") -> File | None:
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        return await tx.file(session.workspace_id, path)


async def test_a_holder_writes_into_its_sessions_workspace(
    store: Store, session: Session, task: TaskId
) -> None:
    path = await put(store, wanted(task, path="/workspace/outputs/call_1.txt"))

    file, folder = await found(store, session), await found(store, session, "/outputs")
    assert path == "/outputs/call_1.txt"
    assert file is not None
    assert (file.content, file.size_bytes, file.is_readonly) == (b"much text", 9, False)
    assert folder is not None
    assert folder.is_directory


@pytest.mark.parametrize("fence", [0, 2])
async def test_another_fence_writes_nothing(
    store: Store, session: Session, task: TaskId, fence: int
) -> None:
    with pytest.raises(errors.LeaseLost):
        await put(store, wanted(task, fence=fence))

    assert await found(store, session) is None


async def test_the_same_key_again_changes_nothing(
    store: Store, session: Session, task: TaskId
) -> None:
    await put(store, wanted(task))
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.remove_files(session.workspace_id, ["/outputs/call_1.txt"])

    await put(store, wanted(task))

    assert await found(store, session) is None


async def test_a_key_used_for_something_else_is_refused(
    store: Store, session: Session, task: TaskId
) -> None:
    await put(store, wanted(task))

    with pytest.raises(errors.IdempotencyMismatch):
        await put(store, wanted(task, content=b"other"))

    file = await found(store, session)
    assert file is not None
    assert file.content == b"much text"


async def test_a_later_attempt_writes_over_what_an_earlier_one_left(
    store: Store, session: Session, task: TaskId
) -> None:
    await put(store, wanted(task))

    await put(store, wanted(task, key="k2", content=b"anew"))

    file = await found(store, session)
    assert file is not None
    assert file.content == b"anew"


async def test_a_readonly_file_stays(store: Store, session: Session, task: TaskId) -> None:
    await put(store, wanted(task))
    file = await found(store, session)
    assert file is not None
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.put_files([msgspec.structs.replace(file, is_readonly=True)])

    with pytest.raises(errors.Conflict):
        await put(store, wanted(task, key="k2", content=b"anew"))


async def test_a_session_being_deleted_takes_no_file(
    store: Store, session: Session, task: TaskId
) -> None:
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        await tx.begin_delete(session.id)

    with pytest.raises(errors.NotFound):
        await put(store, wanted(task))


async def test_a_workspace_fills_up_to_its_bound(
    store: Store, session: Session, task: TaskId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_files, "WORKSPACE_BYTES_MAX", 15)
    await put(store, wanted(task))

    with pytest.raises(errors.PayloadTooLarge):
        await put(store, wanted(task, key="k2", path="/outputs/call_2.txt"))

    assert await found(store, session, "/outputs/call_2.txt") is None
    async with store.transaction(DEFAULT_ORG_ID) as tx:
        assert await tx.size_bytes(session.workspace_id) == 9


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"key": ""}, errors.InvalidParameter),
        ({"key": "k" * 256}, errors.InvalidParameter),
        ({"key": "k\x00"}, errors.InvalidParameter),
        ({"path": "/outputs/../x"}, errors.ValidationFailed),
        ({"content": bytes(TOOL_RESULT_BYTES_MAX + 1)}, errors.PayloadTooLarge),
    ],
)
async def test_bad_writes_are_refused(
    store: Store, task: TaskId, more: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await put(store, wanted(task, **more))


async def test_a_task_of_a_session_that_api_does_not_know_writes_nothing(
    store: Store, hold: Hold
) -> None:
    task = await hold(SessionId(IDS.uuid7()))

    with pytest.raises(errors.NotFound):
        await put(store, wanted(task))
