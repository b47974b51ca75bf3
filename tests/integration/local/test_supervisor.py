import asyncio
import io
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mainspring_local import identity
from mainspring_local.console import Console
from mainspring_local.errors import StartProblem
from mainspring_local.supervisor import Folders, Supervisor, end_orphans
from tests.integration.local import fakes

WAIT_SECONDS = 20.0
OWNER = """
import asyncio, pathlib, sys
from mainspring_local.console import Console
from mainspring_local.supervisor import Folders, Supervisor
from tests.integration.local import fakes
async def own():
    folder = pathlib.Path(sys.argv[1])
    supervisor = Supervisor(Folders(logs=folder, records=folder), Console(), draw=lambda: 0.0)
    await supervisor.start([fakes.program(folder, "orphan")])
    print(supervisor.child("orphan").pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(own())
"""


@pytest.fixture
def output() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
async def supervisor(tmp_path: Path, output: io.StringIO) -> AsyncIterator[Supervisor]:
    folders = Folders(logs=tmp_path, records=tmp_path)
    made = Supervisor(folders, Console(output), draw=lambda: 0.0)
    yield made
    await made.stop()


async def test_waves_start_in_order_and_stop_in_reverse(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    await supervisor.start([fakes.program(tmp_path, "store")])
    await supervisor.start([fakes.program(tmp_path, "api")])
    await supervisor.stop()

    assert fakes.journal(tmp_path) == [
        "store started",
        "api started",
        "api stopped",
        "store stopped",
    ]


async def test_killed_child_is_started_again(supervisor: Supervisor, tmp_path: Path) -> None:
    await supervisor.start([fakes.program(tmp_path, "worker")])
    child = supervisor.child("worker")
    first = child.pid
    assert first is not None

    os.kill(first, signal.SIGKILL)
    await asyncio.wait_for(child.wait_starts(2), WAIT_SECONDS)

    assert child.pid != first


async def test_killed_child_is_started_again_though_its_own_child_holds_the_pipe(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    await supervisor.start([fakes.program(tmp_path, "worker", fakes.PARENT)])
    child = supervisor.child("worker")
    assert child.pid is not None

    os.kill(child.pid, signal.SIGKILL)

    await asyncio.wait_for(child.wait_starts(2), WAIT_SECONDS)


async def test_stop_while_a_restart_waits_starts_nothing(tmp_path: Path) -> None:
    folders = Folders(logs=tmp_path, records=tmp_path)
    supervisor = Supervisor(folders, Console(io.StringIO()), draw=lambda: 0.999)
    await supervisor.start([fakes.program(tmp_path, "worker")])
    child = supervisor.child("worker")
    assert child.pid is not None

    os.kill(child.pid, signal.SIGKILL)
    await asyncio.wait_for(supervisor.stop(), WAIT_SECONDS)

    assert child.starts == 1
    assert identity.remembered(tmp_path) == []


async def test_refused_settings_name_the_variable_and_the_log(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    with pytest.raises(StartProblem) as caught:
        await supervisor.start([fakes.program(tmp_path, "engine", fakes.MISCONFIGURED)])

    assert "engine refused its settings: MAINSPRING_ENGINE_BIND" in str(caught.value)
    assert str(tmp_path / "engine.log") in str(caught.value)


async def test_refused_settings_are_those_of_this_run_and_not_of_the_one_before(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    before = "engine: MAINSPRING_LOG_LEVEL: must be one of DEBUG, INFO, WARNING, ERROR\n"
    (tmp_path / "engine.log").write_text(before)

    with pytest.raises(StartProblem, match="engine refused its settings: MAINSPRING_ENGINE_BIND"):
        await supervisor.start([fakes.program(tmp_path, "engine", fakes.MISCONFIGURED)])


async def test_child_that_never_gets_healthy_is_given_up_with_its_last_words(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    with pytest.raises(StartProblem, match=r"engine ends with status 1 each time.*no such table"):
        await supervisor.start([fakes.program(tmp_path, "engine", fakes.BROKEN)])

    assert supervisor.child("engine").starts > 1


async def test_child_that_does_not_drain_is_killed(
    supervisor: Supervisor, tmp_path: Path, output: io.StringIO
) -> None:
    await supervisor.start([fakes.program(tmp_path, "worker", fakes.STUBBORN, grace=0.1)])
    pid = supervisor.child("worker").pid
    assert pid is not None

    await supervisor.stop()

    assert identity.started(pid) is None
    assert "did not drain" in output.getvalue()


async def test_children_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    line = await asyncio.wait_for(read_pid(owner.stdout), WAIT_SECONDS)
    child = identity.of(int(line), name="orphan")

    owner.kill()
    await owner.wait()

    assert await asyncio.to_thread(identity.wait_gone, child, WAIT_SECONDS)


def test_orphans_are_ended_by_their_recorded_identity(tmp_path: Path) -> None:
    left = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    identity.remember(tmp_path, identity.of(left.pid, name="worker"))
    told: list[str] = []

    ended = end_orphans(tmp_path, told.append)

    assert ended == 1
    assert left.wait() == -signal.SIGTERM
    assert told == [f"ending worker (pid {left.pid}), left behind by a crashed predecessor"]


def test_a_reused_pid_is_left_alone(tmp_path: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    record = identity.Process(name="worker", pid=stranger.pid, started="another boot:1")
    identity.remember(tmp_path, record)

    ended = end_orphans(tmp_path, lambda _line: None)

    assert ended == 0
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


async def read_pid(stream: asyncio.StreamReader) -> str:
    while True:
        line = (await stream.readline()).decode().strip()
        if line.isdigit() or not line:
            return line
