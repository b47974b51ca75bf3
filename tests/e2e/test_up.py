"""What a user sees of `./task up`: it starts, it stops, it survives its own crash."""

import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mainspring_local import identity, sockets
from mainspring_testkit.servers import free_port
from tests.e2e import stacks
from tests.e2e.stacks import Stack

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("stack"),
]
Starter = Callable[..., Stack]
SERVICES = {"api", "engine", "eventstore", "scheduler", "worker", "postgres", "nats", "task"}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starter]:
    """Starts stacks in one home and on one port; ends what a test leaves."""
    port = free_port()
    started: list[Stack] = []

    def make(*arguments: str, **environment: str) -> Stack:
        values = {"MAINSPRING_API_PORT": str(port)} | environment
        started.append(Stack(*arguments, home=tmp_path / "home", **values))
        return started[-1]

    yield make
    for stack in started:
        stack.end()


def test_it_says_where_own_workers_attach_and_show_what_their_tools_write(start: Starter) -> None:
    stack = start("up")
    stack.wait_line(stacks.READY)

    for variable in ("MAINSPRING_ENGINE_ADDR", "MAINSPRING_EVENTSTORE_ADDR"):
        address = stack.wait_line(variable).split(" at ")[-1].split()[0]
        host, port = address.split(":")
        with socket.create_connection((host, int(port))):
            pass


def send_to_pid(stack: Stack, number: signal.Signals) -> None:
    stack.send(number)


def send_to_group(stack: Stack, number: signal.Signals) -> None:
    stack.send_group(number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("send", [send_to_pid, send_to_group])
def test_a_signal_stops_everything_in_order(
    start: Starter, send: Callable[[Stack, signal.Signals], None], number: signal.Signals
) -> None:
    stack = start("up")
    stack.wait_line(stacks.READY)
    processes = stack.processes()

    send(stack, number)

    assert stack.wait() == 0
    assert {process.name for process in processes} == SERVICES
    assert stacks.living(processes) == []
    assert stack.lines[-1].endswith("stopped")


def test_up_shows_a_turn_with_tool_calls(start: Starter) -> None:
    stack = start("up")
    stack.wait_line(stacks.READY)

    assert any(line.startswith("tool ") and "get_weather" in line for line in stack.lines)
    assert any("turn.completed" in line for line in stack.lines)


def test_a_second_up_is_refused_and_a_later_one_finds_its_data(start: Starter) -> None:
    first = start("up")
    first.wait_line(stacks.READY)

    second = start("up")
    assert second.wait() == 1
    assert "another stack" in second.lines[-1]

    first.send(signal.SIGTERM)
    assert first.wait() == 0
    third = start("demo")
    assert third.wait() == 0
    assert not any("creating the database cluster" in line for line in third.lines)


def test_a_crashed_predecessor_is_tidied_up(start: Starter) -> None:
    crashed = start("up")
    crashed.wait_line(stacks.READY)
    processes = crashed.processes()
    crashed.send(signal.SIGKILL)
    crashed.wait()

    again = start("demo")

    assert again.wait() == 0
    assert any("did not stop cleanly" in line for line in again.lines)
    for process in processes:
        assert identity.wait_gone(process, 30)


def test_two_stacks_stand_side_by_side(start: Starter, tmp_path: Path) -> None:
    one = start("up")
    one.wait_line(stacks.READY)
    other = start(
        "up",
        MAINSPRING_HOME=str(tmp_path / "other"),
        MAINSPRING_API_PORT=str(free_port()),
    )
    other.wait_line(stacks.READY)
    ours, theirs = one.processes(), identity.remembered(tmp_path / "other" / "processes")

    other.send(signal.SIGTERM)

    assert other.wait() == 0
    assert {process.name for process in theirs} == SERVICES - {"task"}
    assert stacks.living(theirs) == []
    assert set(stacks.living(ours)) == SERVICES


def test_migrate_applies_to_the_stack_that_stands_and_to_one_that_does_not(
    start: Starter,
) -> None:
    stack = start("up")
    stack.wait_line(stacks.READY)

    beside = start("migrate")
    assert beside.wait() == 0
    stack.send(signal.SIGTERM)
    assert stack.wait() == 0
    alone = start("migrate")
    assert alone.wait() == 0

    for verb in (beside, alone):
        assert any(line.endswith("migrations applied") for line in verb.lines)
    assert stacks.living(alone.processes()) == []


def test_a_killed_service_comes_back(start: Starter) -> None:
    stack = start("up")
    stack.wait_line(stacks.READY)
    engine = next(p for p in stack.processes() if p.name == "engine")

    identity.send(engine, signal.SIGKILL)

    stack.wait_line("engine ended with status -9; restarting")
    stack.send(signal.SIGTERM)
    assert stack.wait() == 0


def test_a_demo_that_is_interrupted_says_so_by_its_status(start: Starter) -> None:
    stack = start("demo")
    stack.wait_line("starting Postgres and NATS")

    stack.send(signal.SIGINT)

    assert stack.wait() == 130
    assert stack.lines[-1].endswith("stopped")


def test_down_stops_a_running_stack(start: Starter) -> None:
    stack = start("up")
    stack.wait_line(stacks.READY)
    processes = stack.processes()

    down = start("down")

    assert down.wait() == 0
    assert stack.wait() == 0
    assert stacks.living(processes) == []


def test_a_taken_port_is_one_clear_line(start: Starter) -> None:
    with socket.create_server((sockets.LOOPBACK, 0)) as taken:
        stack = start("up", MAINSPRING_API_PORT=str(sockets.port_of(taken)))

        assert stack.wait() == 1
    assert stack.lines[-1].startswith("mainspring: port ")
    assert "MAINSPRING_API_PORT" in stack.lines[-1]


def test_another_bind_address_is_refused(start: Starter) -> None:
    stack = start("up", MAINSPRING_API_HOST="0.0.0.0")

    assert stack.wait() == 2
    assert "MAINSPRING_INSECURE_BIND=1" in stack.lines[-1]


def test_a_worker_killed_in_its_answer_ends_the_turn_once(start: Starter) -> None:
    stack = start("demo", "--kill-worker")

    assert stack.wait() == 0, "\n".join(stack.lines)
    assert any("killed the worker" in line for line in stack.lines)
    hashes = [line for line in stack.lines if "| step " in line and " hash " in line]
    assert len(hashes) == 3
    assert all("unchanged" in line for line in hashes)
    assert any("the answer's fence went up to 2" in line for line in stack.lines)
    assert any("taken up again" in line and "after the kill" in line for line in stack.lines)
    assert sum("outcome" in line and "turn." in line for line in stack.lines) == 1
