"""Steps as tasks of their own on the whole stack: on workers that offer them, and nowhere else."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from mainspring import Client, Handle, TaskHandle
from mainspring_kernel.limits import LEASE_S
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


def alive(pid: int) -> bool:
    """Not one that nobody has buried yet."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, check=False)
    state = found.stdout.strip()
    return bool(state) and not state.startswith(b"Z")


async def test_a_step_goes_to_its_queue_and_survives_its_worker(rig: Rig, workers: Workers) -> None:
    workers.start()
    oven = workers.start(PROGRAM_OVENS="1")
    async with Client(rig.stack.api_url) as client:
        handle = await client.start(programs.bakery, "rye")
        await until(lambda: workers.count("bake") == 1, "the oven is at work")
        (wait,) = (await handle.describe()).waits
        assert wait.name == "step:bake"

        oven.kill()
        workers.start(PROGRAM_OVENS="1")
        await until(lambda: workers.count("bake") == 2, "another oven has it")
        (workers.calls / "gate").touch()

        assert await handle.result(timeout_s=30) == "receipt of rye: rye baked"
    assert workers.count("charge") == 1
    await rig.assert_sound()


async def test_steps_that_hold_the_loop_or_compute_past_a_lease_are_called_once(
    rig: Rig, workers: Workers
) -> None:
    worker = workers.start()
    async with Client(rig.stack.api_url) as client:
        pid = await client.run(programs.busy, LEASE_S + 1)

    assert pid != worker.pid
    worker.kill()
    await until(lambda: not alive(pid), "the computing process ended with its worker")
    assert (workers.count("stubborn"), workers.count("computed")) == (1, 1)
    await rig.assert_sound()


async def test_a_client_submits_single_steps(rig: Rig, workers: Workers) -> None:
    workers.start(PROGRAM_OVENS="1")
    (workers.calls / "gate").touch()
    async with Client(rig.stack.api_url) as client:
        handles = [await client.submit(programs.bake, f"loaf {n}") for n in range(5)]

        results = [await handle.result(timeout_s=30) for handle in handles]

    assert results == [f"loaf {n} baked" for n in range(5)]
    assert workers.count("bake") == 5
    await rig.assert_sound()


@pytest.mark.parametrize("plain", [True, False], ids=["task", "workflow"])
async def test_a_step_goes_on_from_its_last_heartbeat_when_its_worker_dies(
    rig: Rig, workers: Workers, *, plain: bool
) -> None:
    first = workers.start(PROGRAM_SCRIBES="1")
    async with Client(rig.stack.api_url) as client:
        handle = await begun(client, plain=plain)
        id_ = UUID(handle.id.rpartition("_")[2])
        await until(lambda: workers.count("copy_pages") == 4, "the fourth page is at work")
        await rig.until_sql(
            "select convert_from(p.details, 'UTF8') from engine.progress p"
            f" join engine.task t on t.id = p.task_id where t.workflow_id = '{id_}'",
            [["3"]],
        )

        first.kill()
        (workers.calls / "gate").touch()
        workers.start(PROGRAM_SCRIBES="1")

        assert await handle.result(timeout_s=60) == 3
    assert workers.count("copy_pages") == 6
    await rig.assert_sound()


async def begun(client: Client, *, plain: bool) -> TaskHandle[int] | Handle[int]:
    if plain:
        return await client.submit(programs.copy_pages, 5)
    return await client.start(programs.scribe, 5)
