"""A service as a process of its own: its exit status, its signals, its lines."""

import asyncio
import json
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from mainspring_kernel.limits import OPEN_FILES_MAX

SERVICE = """
import asyncio, os, resource, signal, sys
from mainspring_runtime.lifecycle import Service, run_service
from mainspring_runtime.settings import Bind, ProcessSettings
from mainspring_kernel.errors import Unavailable
from mainspring_runtime import lifecycle, names

class Settings(ProcessSettings, frozen=True, kw_only=True):
    test_bind: Bind
    mode: str = "well"

async def closing(mode):
    print("closed", flush=True)
    if mode == "hangs":
        await asyncio.Event().wait()

async def fails():
    raise ZeroDivisionError("task broke")

async def start(settings, service):
    trace = service.telemetry.new_trace()
    with service.telemetry.span(names.SPAN_READ, parent=trace):
        pass
    service.stack.push_async_callback(closing, settings.mode)
    match settings.mode:
        case "files":
            print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], flush=True)
        case "unavailable":
            raise Unavailable("Postgres is away")
        case "bug":
            raise ZeroDivisionError("start broke")
        case "slow":
            print("starting", flush=True)
            await asyncio.Event().wait()
        case "task":
            service.spawn("loop", fails())
        case "waits":
            service.spawn("loop", asyncio.Event().wait())
    print("started", flush=True)

class Lingering:
    def __del__(self, write=os.write, read=os.read):
        write(1, b"lingers\\n")  # Python has put its own handlers back by now
        read(0, 1)

if os.environ.get("MAINSPRING_MODE") == "lingers":
    sys.lingering = Lingering()
lifecycle.limits.DRAIN_S = 0.2
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
sys.exit(run_service("test", Settings, start, os.environ, sys.argv[1:]))
"""


class Process:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def line(self) -> str:
        assert self._process.stdout is not None
        async with asyncio.timeout(20):
            return (await self._process.stdout.readline()).decode().strip()

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()

    async def end(self) -> tuple[int, list[str], list[str]]:
        """Exit status, the rest of stdout, the lines of stderr."""
        async with asyncio.timeout(20):
            out, err = await self._process.communicate(b"")
        assert self._process.returncode is not None
        return self._process.returncode, out.decode().split("\n"), err.decode().splitlines()


Launch = Callable[..., Awaitable[Process]]


@pytest.fixture
async def launch() -> AsyncIterator[Launch]:
    started: list[Process] = []

    async def start(**variables: str) -> Process:
        given = {f"MAINSPRING_{name}": value for name, value in variables.items()}
        environment = {**os.environ, "MAINSPRING_TEST_BIND": "127.0.0.1:0", **given}
        process = Process(
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                SERVICE,
                env=environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()


def messages(lines: list[str]) -> list[object]:
    return [json.loads(line)["message"] for line in lines]


async def test_a_service_may_open_as_many_files_as_the_machine_allows(launch: Launch) -> None:
    process = await launch(MODE="files")

    allowed = int(await process.line())

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert allowed == (
        OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES_MAX)
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("mode", ["well", "waits"])
async def test_a_signal_drains_and_ends_well(
    launch: Launch, number: signal.Signals, mode: str
) -> None:
    process = await launch(MODE=mode)
    assert await process.line() == "started"

    process.send(number)
    process.send(number)
    status, out, err = await process.end()

    assert (status, out[0]) == (0, "closed")
    # The signal may come before the process could say that it is ready.
    assert messages(err)[-2:] == ["test drains", "test stopped"]


async def test_a_signal_that_comes_again_at_the_very_end_changes_nothing(launch: Launch) -> None:
    process = await launch(MODE="lingers")
    assert await process.line() == "started"
    process.send(signal.SIGTERM)
    assert await process.line() == "closed"
    assert await process.line() == "lingers"

    process.send(signal.SIGTERM)
    process.send(signal.SIGINT)
    status, _, err = await process.end()

    assert status == 0
    assert messages(err)[-1] == "test stopped"


async def test_a_signal_during_the_start_ends_it(launch: Launch) -> None:
    process = await launch(MODE="slow")
    assert await process.line() == "starting"

    process.send(signal.SIGTERM)
    status, out, _ = await process.end()

    assert (status, out[0]) == (0, "closed")


@pytest.mark.parametrize(("words", "status"), [(["--help"], 0), (["--port", "9001"], 2)])
async def test_words_behind_a_service_start_nothing(words: list[str], status: int) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVICE, *words),
        env={**os.environ, "MAINSPRING_TEST_BIND": "127.0.0.1:0"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )

    async with asyncio.timeout(20):
        out, err = await process.communicate()

    assert (process.returncode, out) == (status, b"")
    assert err.startswith(b"usage: python -m mainspring_test")


async def test_bad_settings_are_told_in_one_line_each(launch: Launch) -> None:
    process = await launch(TEST_BIND="0.0.0.0:1", TRACE_RATIO="9")

    status, _, err = await process.end()

    assert status == 2
    assert [line.split(":")[:2] for line in err] == [
        ["test", " MAINSPRING_TEST_BIND"],
        ["test", " MAINSPRING_TRACE_RATIO"],
    ]


@pytest.mark.parametrize(
    ("mode", "said"), [("unavailable", "Postgres is away"), ("bug", "ZeroDivisionError")]
)
async def test_a_start_that_fails_is_told_and_cleaned_up(
    launch: Launch, mode: str, said: str
) -> None:
    process = await launch(MODE=mode)

    status, out, err = await process.end()

    assert (status, out[0]) == (1, "closed")
    assert said in err[0]
    assert ("exception" in err[0]) is (mode == "bug")


async def test_a_task_that_fails_stops_the_service(launch: Launch) -> None:
    process = await launch(MODE="task")

    status, out, err = await process.end()

    assert (status, out[:2]) == (1, ["started", "closed"])
    assert any("task broke" in line for line in err)


async def test_a_drain_that_hangs_is_given_up(launch: Launch) -> None:
    process = await launch(MODE="hangs")
    assert await process.line() == "started"

    process.send(signal.SIGTERM)
    status, _, err = await process.end()

    assert status == 1
    assert "did not drain" in err[-1]


def services_in(folder: Path) -> list[object]:
    lines = [line for path in folder.iterdir() for line in path.read_text().splitlines()]
    return [json.loads(line)["service"] for line in lines]


async def test_spans_are_in_the_file_after_the_end(launch: Launch, tmp_path: Path) -> None:
    process = await launch(TRACE_DIR=str(tmp_path))
    assert await process.line() == "started"

    process.send(signal.SIGTERM)
    await process.end()

    assert services_in(tmp_path) == ["test"]
