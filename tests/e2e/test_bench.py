"""The load tool against a stack that is there already, in its smallest sizes."""

import asyncio
import socket
import sys
from pathlib import Path

import msgspec
import pytest

from mainspring_local.environment import project_root
from tests.e2e.rig import Rig

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.xdist_group("durability"),
]


class Report(msgspec.Struct):
    figures: dict[str, float]
    counts: dict[str, int]
    settings: dict[str, str]


async def bench(rig: Rig, *words: str) -> str:
    """What it printed, without a word of failure."""
    engine, postgres = rig.stack.address("engine"), rig.stack.reading_postgres.url()
    where = ("--target", rig.stack.api_url, "--engine", engine, "--postgres", postgres)
    status, said = await ran(*words, *where)
    assert status == 0, said
    return said


async def ran(*words: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.load.bench", *words, cwd=project_root(),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_a_soak_and_a_queue_of_a_running_stack_are_measured_and_recounted(
    rig: Rig, tmp_path: Path
) -> None:
    json, html = tmp_path / "report.json", tmp_path / "report.html"

    printed = await bench(
        rig, "soak", "throughput", "--quick", "--minutes", "0.05", "--rate", "10",
        "--tasks", "200", "--json", str(json), "--html", str(html),
    )  # fmt: skip

    report = msgspec.json.decode(json.read_bytes(), type=Report)
    assert report.counts["tasks of throughput"] == 200
    assert report.counts["turns of the soak"] > 0
    assert report.figures.keys() >= {"soak_p99_ms", "tasks_per_s", "wal_bytes_per_task"}
    assert report.settings["target"] == rig.stack.api_url.removeprefix("http://")
    assert "tasks_per_s" in printed
    assert "<svg" in html.read_text()
    await rig.assert_sound()


async def test_what_would_stop_processes_is_refused_on_a_stack_of_others(rig: Rig) -> None:
    with pytest.raises(AssertionError, match="needs a stack of its own"):
        await bench(rig, "replicas")


async def test_a_target_that_is_not_there_is_told_in_a_line() -> None:
    with socket.socket() as nobody:  # bound, so that nobody else takes the port; it never listens
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]

        status, said = await ran("turns", "--target", f"http://127.0.0.1:{port}")

    assert status == 1
    assert "bench: failed: " in said
    assert str(port) in said
    assert "Traceback" not in said
