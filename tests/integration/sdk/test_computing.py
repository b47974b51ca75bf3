"""What computes in processes of its own: one that dies, hangs or raises oddly costs no other."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

from mainspring import GiveUp, RetryAfter
from mainspring.computing import ProcessDied, Processes, RaisedThere

PATIENCE_S = 60


class Picky(Exception):
    """Cannot be made of its message alone, so a plain pool would break over it for good."""

    def __init__(self, order: int, *, reason: str) -> None:
        super().__init__(f"order {order}: {reason}")


def dies() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hangs(told: str) -> None:
    Path(told).write_text(str(os.getpid()))
    signal.pause()


def waits(gate: str) -> str:
    return Path(gate).read_text()


def is_picky() -> None:
    raise Picky(7, reason="no stock")


def gives_up() -> None:
    raise GiveUp("declined", "the card was declined")


def comes_later() -> None:
    raise RetryAfter(5, "come at noon")


@pytest.fixture
def processes() -> Iterator[Processes]:
    made = Processes(2)
    yield made
    made.shutdown(cancel_futures=True)


@pytest.fixture
def gate(tmp_path: Path) -> str:
    """Whoever reads it waits for who writes it."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    return str(path)


def test_a_process_that_is_killed_fails_its_own_call_alone(processes: Processes, gate: str) -> None:
    other = processes.submit(waits, gate)

    with pytest.raises(ProcessDied):
        processes.submit(dies).result(PATIENCE_S)
    after = [processes.submit(pow, 2, n) for n in range(3)]
    assert [one.result(PATIENCE_S) for one in after] == [1, 2, 4]
    Path(gate).write_text("done")

    assert other.result(PATIENCE_S) == "done"


def test_a_process_that_died_at_rest_is_replaced(processes: Processes) -> None:
    os.kill(processes.submit(os.getpid).result(PATIENCE_S), signal.SIGKILL)
    # This one may still meet it: nobody can tell that nothing of it was begun.
    processes.submit(os.getpid).exception(PATIENCE_S)

    assert processes.submit(pow, 2, 3).result(PATIENCE_S) == 8


def test_a_call_that_is_cancelled_ends_its_process_and_makes_room(gate: str) -> None:
    processes = Processes(1)
    hanging = processes.submit(hangs, gate)
    process = int(Path(gate).read_text())

    assert hanging.cancel()
    assert processes.submit(os.getpid).result(PATIENCE_S) != process

    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    processes.shutdown()


def test_an_exception_that_cannot_be_sent_is_told_and_breaks_nothing(processes: Processes) -> None:
    with pytest.raises(RaisedThere, match=r"^Picky: order 7: no stock$"):
        processes.submit(is_picky).result(PATIENCE_S)

    assert processes.submit(pow, 2, 3).result(PATIENCE_S) == 8


def test_what_a_step_raises_to_be_told_keeps_its_meaning(processes: Processes) -> None:
    with pytest.raises(GiveUp, match=r"^the card was declined$") as gave_up:
        processes.submit(gives_up).result(PATIENCE_S)
    with pytest.raises(RetryAfter, match=r"^come at noon$") as later:
        processes.submit(comes_later).result(PATIENCE_S)

    assert gave_up.value.code == "declined"
    assert later.value.seconds == 5


def test_with_the_worker_what_waits_is_given_up_and_nothing_more_begins(gate: str) -> None:
    processes = Processes(1)
    hanging = processes.submit(hangs, gate)
    Path(gate).read_text()
    waiting = processes.submit(pow, 2, 3)

    processes.shutdown(wait=False, cancel_futures=True)

    with pytest.raises(CancelledError):
        waiting.result(PATIENCE_S)
    with pytest.raises(RuntimeError):
        processes.submit(pow, 2, 3)
    hanging.cancel()
