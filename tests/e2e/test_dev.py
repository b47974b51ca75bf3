"""What a user sees of `./task dev`: one process that starts, stops and leaves nothing."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from mainspring_local import sockets, trace
from mainspring_testkit.servers import free_port
from tests.e2e import stacks
from tests.e2e.stacks import Stack

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("dev")]
COMMAND = Path(sys.executable).with_name("mainspring")
Starter = Callable[..., Stack]
ORDER = """
import asyncio
from mainspring import Client, Worker, sleep, step, workflow

@step
async def double(x: int) -> int:
    return 2 * x

@workflow
async def it(x: int) -> list[int]:
    first = await double(x)
    await sleep(0.05)
    return [first, await double(x + first)]

async def main():
    async with Worker([it]), Client() as client:
        print(await client.run(it, 1))

asyncio.run(main())
"""


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def start(tmp_path: Path, port: int) -> Iterator[Starter]:
    started: list[Stack] = []

    def make(**environment: str) -> Stack:
        values = {"MAINSPRING_API_PORT": str(port)} | environment
        started.append(Stack("dev", home=tmp_path / "home", **values))
        return started[-1]

    yield make
    for stack in started:
        stack.end()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("send", [Stack.send, Stack.send_group], ids=["pid", "group"])
def test_a_signal_ends_it_with_status_0(
    start: Starter, send: Callable[[Stack, signal.Signals], None], number: signal.Signals
) -> None:
    stack = start()
    stack.wait_line(stacks.READY)

    send(stack, number)

    assert stack.wait() == 0
    assert stack.lines[-1].endswith("gone")
    assert stack.processes()[1:] == []


def test_it_shows_a_turn_with_tool_calls_and_keeps_its_spans(start: Starter) -> None:
    stack = start()
    stack.wait_line(stacks.READY)
    turn = stack.wait_line("turn.completed after")
    session = next(word for word in turn.split() if word.startswith("session_")).rstrip(":")

    stack.send(signal.SIGTERM)

    assert stack.wait() == 0
    assert any(line.startswith("tool ") and "get_weather" in line for line in stack.lines)
    spans = trace.of_one(trace.load(stack.home / "traces"), session)
    names = {span.name for span in spans}
    assert {"invoke_agent demo-assistant", "execute_tool get_weather"} <= names


def test_its_data_are_gone_at_its_end(start: Starter, port: int) -> None:
    url = f"http://127.0.0.1:{port}/api/v1/sessions"
    first = start()
    first.wait_line(stacks.READY)
    before = httpx.get(url, trust_env=False).json()["data"]
    first.send(signal.SIGTERM)
    first.wait()

    second = start(MAINSPRING_API_PORT=str(port))
    second.wait_line(stacks.READY)
    after = httpx.get(url, trust_env=False).json()["data"]

    assert len(before) == len(after) == 1
    assert before[0]["id"] != after[0]["id"]


def test_a_taken_port_is_one_clear_line(start: Starter) -> None:
    with socket.create_server((sockets.LOOPBACK, 0)) as taken:
        stack = start(MAINSPRING_API_PORT=str(sockets.port_of(taken)))

        assert stack.wait() == 1
    assert stack.lines[-1].startswith("mainspring: port ")


def test_another_bind_address_is_refused(start: Starter) -> None:
    stack = start(MAINSPRING_API_HOST="0.0.0.0")

    assert stack.wait() == 2
    assert "MAINSPRING_INSECURE_BIND=1" in stack.lines[-1]


def test_a_bad_setting_is_one_clear_line(start: Starter) -> None:
    stack = start(MAINSPRING_TRACE_RATIO="2")

    assert stack.wait() == 2
    assert stack.lines[-1].startswith("mainspring: MAINSPRING_TRACE_RATIO")


def test_org_create_prints_an_id_that_selects_it_and_list_shows_it(
    start: Starter, port: int
) -> None:
    stack = start()
    stack.wait_line(stacks.READY)

    made = org(port, "create", "acme").stdout.strip()
    listed = org(port, "list").stdout.splitlines()
    answer = httpx.get(
        f"http://127.0.0.1:{port}/api/v1/orgs/{made}",
        headers={"X-Org-Id": made},
        trust_env=False,
    )

    assert made.startswith("org_")
    assert answer.json()["name"] == "acme"
    assert [line.split()[1] for line in listed] == ["default", "acme"]
    assert listed[1].split()[0] == made


def test_org_without_a_stack_is_one_clear_line(port: int) -> None:
    asked = org(port, "list", check=False)

    assert asked.returncode == 1
    assert asked.stderr.startswith("mainspring: nothing answers at ")
    assert asked.stderr.count("\n") == 1


def org(port: int, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(COMMAND), "org", *arguments],
        env={"MAINSPRING_API_PORT": str(port), "PATH": ""},
        capture_output=True,
        text=True,
        check=check,
    )


def test_a_worker_of_ones_own_attaches(start: Starter, port: int) -> None:
    stack = start()
    stack.wait_line(stacks.READY)
    engine = stack.wait_line("attach at").split()[-1]

    done = subprocess.run(
        [sys.executable, "-c", ORDER],
        check=False,
        env=os.environ
        | {"MAINSPRING_ENGINE_ADDR": engine, "MAINSPRING_URL": f"http://127.0.0.1:{port}"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.stdout == "[2, 6]\n", done.stderr
