"""Parents and children on the whole stack, whatever dies between them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mainspring import ApiError, Client, Description, WorkflowFailed
from tests.e2e import programs
from tests.e2e.follower import PATIENCE_S
from tests.e2e.rig import LOOK_S, Rig, until
from tests.e2e.test_workflows import Workers

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.xdist_group("durability"),
]


@pytest.fixture
def workers(rig: Rig, tmp_path: Path) -> Iterator[Workers]:
    workers = Workers(rig, tmp_path)
    yield workers
    workers.end()


@pytest.fixture
async def client(rig: Rig) -> AsyncIterator[Client]:
    async with Client(rig.stack.api_url) as client:
        yield client


async def child_of(client: Client, id_: str) -> str:
    """Which child it waits for, once it does."""
    (wait,) = (await status(client, id_, "waiting")).waits
    child = await begun(client, wait.workflow_id or "")
    assert child.parent_id == id_
    return child.id


async def begun(client: Client, id_: str) -> Description:
    """A child's id is known with its parent's commit; it begins with its own, a moment later."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await client.get(id_)
            except ApiError as error:
                if error.code != "not_found":
                    raise
                await asyncio.sleep(LOOK_S)


async def status(client: Client, id_: str, wanted: str) -> Description:
    async with asyncio.timeout(PATIENCE_S):
        while (found := await client.get(id_)).status != wanted:  # noqa: ASYNC110 - another process's state
            await asyncio.sleep(LOOK_S)
    return found


async def test_a_parent_gets_its_childrens_results_whatever_is_killed(
    rig: Rig, workers: Workers, client: Client
) -> None:
    first = workers.start()
    handle = await client.start(programs.family, ["A-1", "B-2"])
    await until(lambda: workers.count("pack") == 2, "both children are at work")
    parent = await status(client, handle.id, "waiting")
    assert {wait.kind for wait in parent.waits} == {"child"}
    children = [await begun(client, wait.workflow_id or "") for wait in parent.waits]
    assert {(child.type, child.parent_id) for child in children} == {("checkout", handle.id)}

    first.kill()
    for name in ("engine", "postgres"):
        await rig.kill(name)()
    workers.start()
    (workers.calls / "gate").touch()

    assert await handle.result(timeout_s=60) == [
        ["receipt of A-1", "shipped a-1"],
        ["receipt of B-2", "shipped b-2"],
    ]
    assert (workers.count("charge"), workers.count("ship")) == (2, 2)
    await rig.assert_sound()


async def test_a_childs_failure_is_caught_by_its_parent(
    rig: Rig, workers: Workers, client: Client
) -> None:
    workers.start()

    assert await client.run(programs.refused, "A-3") == "no_stock"

    await rig.assert_sound()


async def test_a_cancel_reaches_children_of_children(
    rig: Rig, workers: Workers, client: Client
) -> None:
    workers.start()
    handle = await client.start(programs.grandparent, "A-4")
    middle = await child_of(client, handle.id)
    last = await child_of(client, middle)
    await status(client, last, "waiting")

    assert await handle.cancel("enough")

    with pytest.raises(WorkflowFailed, match="cancelled"):
        await handle.result(timeout_s=30)
    assert (await client.get(middle)).status == "cancelled"
    assert (await client.get(last)).status == "cancelled"
    await rig.assert_sound()


async def test_a_detached_child_outlives_its_parent(
    rig: Rig, workers: Workers, client: Client
) -> None:
    workers.start()
    id_ = await client.run(programs.lets_go, "A-5")

    await begun(client, id_)
    child = client.handle(id_, programs.patient)
    await child.signal("approve", "ann")

    assert await child.result(timeout_s=30) == "receipt of A-5, approved by ann: shipped A-5"
    types = [event["type"] async for event in child.events()]
    assert (types[0], types[-1]) == ("workflow.started", "workflow.completed")
    await rig.assert_sound()
