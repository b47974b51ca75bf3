"""Declared workflows on the whole stack: the engine runs them, whoever is killed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mainspring import ApiError, Client, Handle, WorkflowFailed
from tests.e2e import programs
from tests.e2e.rig import Rig, until
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


async def recorded(handle: Handle[list[str]], name: str) -> None:
    """Returns once this step stands in the history."""
    async for event in handle.events():
        told = event["data"]
        if isinstance(told, dict) and told.get("name") == name:
            return


async def test_it_outlives_its_worker_and_its_engine_and_repeats_no_finished_step(
    rig: Rig, workers: Workers
) -> None:
    first = workers.start()
    async with Client(rig.stack.api_url) as client:
        handle = await client.starting(programs.declared_checkout, key="order-d1").start("D-1")
        await until(lambda: workers.count("pack") == 1, "a branch is at work")
        await recorded(handle, "charge")

        first.kill()
        await rig.kill("engine")()
        workers.start()
        await until(lambda: workers.count("pack") == 2, "another worker has it")
        (workers.calls / "gate").touch()

        assert await handle.result(timeout_s=60) == ["receipt of D-1", "shipped d-1"]
        again = await client.starting(programs.declared_checkout, key="order-d1").start("D-1")
        history = await client.history(handle.id)
    assert again.id == handle.id
    assert (workers.count("charge"), workers.count("ship")) == (1, 1)
    types = [str(event["type"]) for event in history]
    assert types == ["workflow.started", *["step.completed"] * 3, "workflow.completed"]
    await rig.assert_sound()


async def test_it_waits_for_its_child_and_a_cancel_reaches_the_one_of_another(
    rig: Rig, workers: Workers
) -> None:
    workers.start()
    async with Client(rig.stack.api_url) as client:
        parent = await client.start(programs.declared_family, "D-3")
        other = await client.start(programs.declared_family, "D-4")
        await until(lambda: workers.count("pack") == 2, "both children are at work")
        (wait,) = (await other.describe()).waits
        assert (wait.kind, wait.name) == ("child", "declared_checkout")
        child = client.handle(wait.workflow_id or "", programs.declared_checkout)

        assert await other.cancel("enough")
        await rig.kill("engine")()
        for handle in (other, child):
            with pytest.raises(WorkflowFailed) as failed:
                await handle.result(timeout_s=60)
            assert failed.value.code == "cancelled"
        (workers.calls / "gate").touch()

        receipt, shipped, left = await parent.result(timeout_s=60)
        assert (receipt, shipped) == ("receipt of D-3", ["receipt of D-3", "shipped d-3"])
        assert await client.handle(str(left), programs.refused).result(timeout_s=30) == "no_stock"
    await rig.assert_sound()


async def test_it_is_started_by_its_name_and_cancelled_at_once(rig: Rig, workers: Workers) -> None:
    workers.start()
    async with Client(rig.stack.api_url) as client:
        started = await client.start_by_name("declared_checkout", b'["D-2"]')
        assert started.version == ""  # no worker has said yet what it is
        handle = client.handle(started.id, programs.declared_checkout)
        await until(lambda: workers.count("pack") == 1, "a branch is at work")
        assert len((await handle.describe()).version) == 12

        with pytest.raises(ApiError, match="conflict"):
            await handle.signal("approve")
        assert await handle.cancel("enough")

        assert (await handle.describe()).status == "cancelled"
        with pytest.raises(WorkflowFailed):
            await handle.result(timeout_s=30)
    assert workers.count("ship") == 0
    await rig.assert_sound()
