"""Users' workflows on the whole stack, with workers of their own that are killed."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainspring import ApiError, Client, Handle, WorkflowFailed
from tests.e2e import programs
from tests.e2e.follower import PATIENCE_S
from tests.e2e.rig import LOOK_S, Rig, until

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.xdist_group("durability"),
]
ROOT = Path(__file__).resolve().parents[2]


class Workers:
    """Processes with the programs' workflows."""

    def __init__(self, rig: Rig, calls: Path) -> None:
        self._engine = rig.stack.address("engine")
        self.calls = calls
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, **environment: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.programs", self._engine],
            env=os.environ
            | {"PROGRAM_CALLS": str(self.calls), "PYTHONPATH": str(ROOT)}
            | environment,
        )
        self._running.append(process)
        return process

    def count(self, name: str) -> int:
        path = self.calls / name
        return len(path.read_text().splitlines()) if path.exists() else 0

    def end(self) -> None:
        for process in self._running:
            process.kill()
            process.wait()


@pytest.fixture
def workers(rig: Rig, tmp_path: Path) -> Iterator[Workers]:
    workers = Workers(rig, tmp_path)
    yield workers
    workers.end()


async def test_finished_steps_are_not_called_again_after_a_kill(rig: Rig, workers: Workers) -> None:
    first = workers.start()
    async with Client(rig.stack.api_url) as client:
        handle = await client.starting(programs.checkout, key="order-1").start("A-17")
        await until(lambda: workers.count("pack") == 1, "the second step is at work")

        first.kill()
        killed_at = time.monotonic()
        workers.start()
        await until(lambda: workers.count("pack") == 2, "another worker has it")
        print(f"at work again {time.monotonic() - killed_at:.2f} s after the kill")
        (workers.calls / "gate").touch()

        assert await handle.result(timeout_s=30) == ["receipt of A-17", "shipped a-17"]
        again = await client.starting(programs.checkout, key="order-1").start("A-17")
    assert again.id == handle.id
    assert (workers.count("charge"), workers.count("ship")) == (1, 1)
    await rig.assert_sound()


async def test_a_workflow_sleeps_without_a_worker_and_goes_on_at_another(
    rig: Rig, workers: Workers
) -> None:
    first = workers.start()
    async with Client(rig.stack.api_url) as client:
        handle = await client.start(programs.patient, "A-18")
        await until(lambda: workers.count("charge") == 1, "its first step was called")
        await waiting_for(handle, "approve")
        before = await handle.describe()
        assert await handle.query("stage", "now: ") == "now: waits"
        assert await handle.describe() == before
        first.kill()
        first.wait()

        with pytest.raises(ApiError, match="no_worker"):
            await handle.query("stage", "now: ")
        await handle.signal("approve", "tom")
        described = await handle.describe()
        assert described.status == "running"
        workers.start()

        result = await handle.result(timeout_s=30)
        assert result == "receipt of A-18, approved by tom: shipped A-18"
        assert await handle.query("stage", prefix="then: ") == "then: waits"
        with pytest.raises(ApiError, match=r"query_failed .*unknown_query: price"):
            await handle.query("price")
    assert (workers.count("charge"), workers.count("ship")) == (1, 1)
    await rig.assert_sound()


async def test_a_workflow_outlives_every_service(rig: Rig, workers: Workers) -> None:
    workers.start()
    async with Client(rig.stack.api_url) as client:
        handle = await client.start(programs.checkout, "A-19")
        await until(lambda: workers.count("pack") == 1, "the second step is at work")
        for name in ("engine", "api", "postgres"):
            await rig.kill(name)()
        (workers.calls / "gate").touch()

        assert await handle.result(timeout_s=60) == ["receipt of A-19", "shipped a-19"]
    assert workers.count("charge") == 1
    await rig.assert_sound()


async def test_changed_code_holds_a_workflow_until_code_that_fits_comes(
    rig: Rig, workers: Workers
) -> None:
    first = workers.start()
    async with Client(rig.stack.api_url) as client:
        handle = await client.start(programs.checkout, "A-21")
        await until(lambda: workers.count("pack") == 1, "the second step is at work")
        first.kill()

        changed = workers.start(PROGRAM_CHANGED="1")
        async with asyncio.timeout(PATIENCE_S):
            while (await handle.describe()).status != "held":  # noqa: ASYNC110 - another process's state
                await asyncio.sleep(LOOK_S)
        explanation = (await handle.describe()).explanation
        (workers.calls / "gate").touch()
        fork = await client.fork(handle.id, programs.checkout, step="1", key="A-21 anew")
        assert await fork.result(timeout_s=30) == ["receipt of A-21", "shipped a-21"]
        assert (await fork.describe()).forked_from == handle.id
        changed.kill()
        workers.start()

        assert await handle.result(timeout_s=60) == ["receipt of A-21", "shipped a-21"]
    assert "step charge is recorded, step check_credit found" in explanation
    assert (workers.count("charge"), workers.count("check_credit")) == (1, 1)
    await rig.assert_sound()


async def test_code_that_starts_over_goes_on_under_one_id(rig: Rig, workers: Workers) -> None:
    workers.start()
    async with Client(rig.stack.api_url) as client:
        handle = await client.start(programs.climbing, 0, 36)

        assert await handle.result(timeout_s=30) == 36
        types = [event["type"] for event in await client.history(handle.id)]

    assert types.count("workflow.started_over") == 11
    assert workers.count("higher") == types.count("step.completed") == 36
    await rig.assert_sound()


async def test_a_fleet_replaces_a_process_that_is_killed_and_drains_together(
    rig: Rig, workers: Workers
) -> None:
    fleet = workers.start(PROGRAM_FLEET="1")
    async with Client(rig.stack.api_url) as client:
        handles = [await client.start(programs.placed, order) for order in ("A-1", "A-2")]
        await until(lambda: workers.count("where") == 2, "each process has one")
        first, second = map(int, (workers.calls / "where").read_text().split())

        os.kill(first, signal.SIGKILL)
        await until(lambda: workers.count("where") == 3, "the one that took its place has it")
        (workers.calls / "gate").touch()
        places = {await handle.result(timeout_s=30) for handle in handles}
    fleet.terminate()

    assert await asyncio.to_thread(fleet.wait, PATIENCE_S) == 0
    assert first != second
    assert second in places
    assert first not in places
    for place in places:
        with pytest.raises(ProcessLookupError):
            os.kill(place, 0)
    await rig.assert_sound()


async def test_those_beside_one_that_ends_its_workers_are_not_set_aside_with_it(
    rig: Rig, workers: Workers
) -> None:
    workers.start(PROGRAM_POISON="1")
    async with Client(rig.stack.api_url) as client:
        poison = await client.start(programs.poisoned, 12)
        beside = [await client.start(programs.innocent, f"{n}") for n in range(12)]
        await until(lambda: workers.count("beside") == 24, "all were begun twice")
        (workers.calls / "gate").touch()

        results = [await handle.result(timeout_s=60) for handle in beside]
        with pytest.raises(WorkflowFailed) as failed:
            await poison.result(timeout_s=60)

    assert results == [f"{n}" for n in range(12)]
    assert failed.value.code == "poison"
    assert workers.count("exploded") == 3
    await rig.assert_sound()


async def test_code_that_compensates_does_so_once_whatever_is_killed(
    rig: Rig, workers: Workers
) -> None:
    first = workers.start()
    async with Client(rig.stack.api_url) as client:
        handle = await client.start(programs.refundable, "A-7")
        await until(lambda: workers.count("pack") == 1, "the second step is at work")

        assert await handle.cancel("too slow")
        await until(lambda: workers.count("refund") == 1, "it compensates")
        assert (await handle.describe()).status == "running"
        assert await handle.cancel("again, for nobody answered")
        first.kill()
        workers.start()
        await until(lambda: workers.count("refund") == 2, "another worker has it")
        (workers.calls / "refunds").touch()

        with pytest.raises(WorkflowFailed) as failed:
            await handle.result(timeout_s=30)
        ended = (await client.history(handle.id))[-1]

    assert failed.value.code == "cancelled"
    assert (ended["type"], ended["data"]) == ("workflow.cancelled", {"reason": "too slow"})
    assert (workers.count("charge"), workers.count("pack")) == (1, 1)
    await rig.assert_sound()


async def test_force_leaves_code_where_it_stands(rig: Rig, workers: Workers) -> None:
    workers.start()
    async with Client(rig.stack.api_url) as client:
        handle = await client.start(programs.refundable, "A-8")
        await until(lambda: workers.count("pack") == 1, "the second step is at work")

        await handle.cancel(force=True)
        with pytest.raises(WorkflowFailed) as failed:
            await handle.result(timeout_s=30)

    assert failed.value.code == "cancelled"
    assert workers.count("refund") == 0
    await rig.assert_sound()


async def test_a_type_that_nobody_offers_waits_and_says_so(rig: Rig) -> None:
    async with Client(rig.stack.api_url) as client:
        started = await client.start_by_name("unheard_of", b"[]")
        described = await client.get(started.id)

        assert described.status == "running"
        assert "unheard_of" in described.explanation
        assert await client.cancel(started.id)
        assert (await client.get(started.id)).status == "cancelled"
    await rig.assert_sound()


async def test_what_nobody_offers_runs_once_a_worker_that_knows_it_comes(
    rig: Rig, workers: Workers
) -> None:
    workers.start(PROGRAM_OVENS="1")  # a worker that knows neither
    async with Client(rig.stack.api_url) as client:
        handle = await client.start(programs.scribe, 2)
        task = await client.submit(programs.copy_pages, 2)
        held = await handle.describe()
        assert held.status == "running"
        assert "knows the workflow scribe" in held.explanation
        assert (await task.describe()).status == "waiting"
        explained = await rig.call("GET", f"/durable/explain/{task.id}")
        assert (explained["state"], explained["session_id"]) == ("ready", None)

        workers.start(PROGRAM_SCRIBES="1")

        assert await handle.result(timeout_s=60) == 0
        assert await task.result(timeout_s=60) == 0
    assert workers.count("copy_pages") == 4
    await rig.assert_sound()


@pytest.mark.parametrize(
    ("page", "place", "printed"),
    [
        ("README.md", 0, "receipt of A-17"),
        ("docs/concepts/workflows.md", 0, "A-17 reserved, approved by Ada"),
        ("docs/concepts/workflows.md", 1, "refunded: receipt of A-17\nworkflow.cancelled"),
        ("docs/concepts/workflows.md", 2, "label of A-17, paid 1700"),
        ("docs/concepts/tasks.md", 0, "one apple\none apple\nno_stock\none pear"),
        ("docs/concepts/schedules.md", 0, "3 orders on a Sunday"),
    ],
)
async def test_a_documents_program_can_be_pasted(
    rig: Rig, tmp_path: Path, page: str, place: int, printed: str
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    pasted = [block for block in blocks if "@step" in block][place]
    script = tmp_path / "order.py"
    script.write_text(pasted)

    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(script),
        env=os.environ
        | {
            "MAINSPRING_ENGINE_ADDR": rig.stack.address("engine"),
            "MAINSPRING_URL": rig.stack.api_url,
        },
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()

    assert (process.returncode, out.decode().strip()) == (0, printed)


async def test_recorded_histories_are_checked_against_the_code_at_hand(
    rig: Rig, workers: Workers
) -> None:
    workers.start()
    (workers.calls / "gate").touch()
    async with Client(rig.stack.api_url) as client:
        handle = await client.start(programs.delivery, "A-20")
        await handle.result(timeout_s=30)

    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("mainspring")),
        "workflow",
        "check",
        "tests.e2e.programs:delivery",
        cwd=ROOT,
        env=os.environ | {"MAINSPRING_API_PORT": str(rig.stack.settings.api_port)},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()

    assert process.returncode == 0, out.decode()
    assert f"{handle.id}  completed     3 steps  fits" in out.decode()


async def waiting_for(handle: Handle[str], name: str) -> None:
    """And its worker was given back: what a go waits for is told while it is at work."""
    async with asyncio.timeout(PATIENCE_S):
        while not await is_waiting_for(handle, name):  # noqa: ASYNC110 - another process's state
            await asyncio.sleep(LOOK_S)


async def is_waiting_for(handle: Handle[str], name: str) -> bool:
    described = await handle.describe()
    return described.status == "waiting" and name in [wait.name for wait in described.waits]
