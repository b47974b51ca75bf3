"""What computes in processes of its own: one that dies, hangs or raises oddly costs no other."""

import asyncio
import errno
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NoReturn, TypeVar

import pytest

from mainspring import (
    NO_RETRY,
    GiveUp,
    Retry,
    RetryAfter,
    Step,
    heartbeat,
    heartbeat_details,
    step,
    workflow,
)
from mainspring.computing import ProcessDied, Processes, RaisedThere
from mainspring.going import Go
from mainspring.plain import attempt_plain
from mainspring.values import encode
from mainspring_kernel.draws import SeededDraws
from mainspring_schema.tasks import PlainResult
from mainspring_workstream.exits import Escaped
from tests.unit.sdk.fake import FakeEngine
from tests.unit.sdk.test_heartbeats import Shelf

T = TypeVar("T")
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


def tells_and_waits(told: str, gate: str) -> str:
    try:
        Path(told).write_text(str(os.getpid()))
        with Path(gate).open() as opened:
            return opened.readline()
    except KeyboardInterrupt:
        return "interrupted"


def is_picky() -> None:
    raise Picky(7, reason="no stock")


def gives_up() -> None:
    raise GiveUp("declined", "the card was declined")


def comes_later() -> None:
    raise RetryAfter(5, "come at noon")


def has_no_room(process: object) -> NoReturn:
    raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")


@step(cpu_bound=True)
def finds_nothing() -> int:
    return next(number for number in () if number)


async def compute(processes: Processes, call: Callable[[], T]) -> T:
    async with asyncio.timeout(PATIENCE_S), processes.lent() as process:
        return await process.compute(call)


@pytest.fixture
async def processes() -> AsyncIterator[Processes]:
    made = Processes(2)
    yield made
    made.close()


@pytest.fixture
def gate(tmp_path: Path) -> str:
    """Whoever reads it waits for who writes it."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    return str(path)


async def text_of(gate: str) -> str:
    return await asyncio.to_thread(Path(gate).read_text)


async def ended(process: int) -> None:
    """Signalled by the system; it is no child that could be waited for twice."""
    with suppress(ProcessLookupError):
        told = os.pidfd_open(process)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await readable(told)
        finally:
            os.close(told)


async def readable(descriptor: int) -> None:
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, told.set)
    await told.wait()
    loop.remove_reader(descriptor)


async def test_a_process_that_is_killed_fails_its_own_call_alone(
    processes: Processes, gate: str
) -> None:
    other = asyncio.create_task(compute(processes, partial(waits, gate)))

    with pytest.raises(ProcessDied):
        await compute(processes, dies)
    after = [await compute(processes, partial(pow, 2, n)) for n in range(3)]
    assert after == [1, 2, 4]
    Path(gate).write_text("done")

    assert await other == "done"


async def test_a_process_that_died_at_rest_is_replaced() -> None:
    processes = Processes(1)
    os.kill(await compute(processes, os.getpid), signal.SIGKILL)
    # This one may still meet it: nobody can tell that nothing of it was begun.
    with suppress(ProcessDied):
        await compute(processes, os.getpid)

    assert await compute(processes, partial(pow, 2, 3)) == 8
    processes.close()


async def test_a_call_that_is_cancelled_ends_its_process_and_makes_room(gate: str) -> None:
    processes = Processes(1)
    hanging = asyncio.create_task(compute(processes, partial(hangs, gate)))
    process = int(await text_of(gate))
    waiting = asyncio.create_task(compute(processes, os.getpid))

    hanging.cancel()

    assert await waiting != process
    await ended(process)
    processes.close()


@pytest.mark.parametrize("older", [False, True], ids=["at first", "after one that died"])
async def test_a_process_that_could_not_be_started_is_not_taken_for_the_next(
    gate: str, monkeypatch: pytest.MonkeyPatch, older: bool
) -> None:
    processes = Processes(1)
    if older:
        with suppress(ProcessDied):
            await compute(processes, dies)
    with monkeypatch.context() as full:
        full.setattr("multiprocessing.context.SpawnProcess._Popen", staticmethod(has_no_room))
        with pytest.raises(BlockingIOError):
            await compute(processes, partial(pow, 2, 3))
    hanging = asyncio.create_task(compute(processes, partial(hangs, gate)))
    process = int(await text_of(gate))

    hanging.cancel()

    with pytest.raises(asyncio.CancelledError):
        await hanging
    await ended(process)
    processes.close()


async def test_what_computes_outlives_ctrl_c_until_its_worker_says_so(
    processes: Processes, gate: str, tmp_path: Path
) -> None:
    told = str(tmp_path / "told")
    os.mkfifo(told)
    computing = asyncio.create_task(compute(processes, partial(tells_and_waits, told, gate)))
    process = int(await text_of(told))

    os.kill(process, signal.SIGINT)
    entry = os.open(gate, os.O_RDWR)  # waits for no reader, who may have been interrupted
    os.write(entry, b"done\n")

    assert await computing == "done\n"
    os.close(entry)


async def test_a_stop_iteration_in_a_process_fails_its_step(processes: Processes) -> None:
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(Escaped, match="it raised StopIteration"):
            await finds_nothing.call((), {}, processes)

    assert await compute(processes, partial(pow, 2, 3)) == 8


async def test_an_exception_that_cannot_be_sent_is_told_and_breaks_nothing(
    processes: Processes,
) -> None:
    with pytest.raises(RaisedThere, match=r"^Picky: order 7: no stock$"):
        await compute(processes, is_picky)

    assert await compute(processes, partial(pow, 2, 3)) == 8


async def test_what_a_step_raises_to_be_told_keeps_its_meaning(processes: Processes) -> None:
    with pytest.raises(GiveUp, match=r"^the card was declined$") as gave_up:
        await compute(processes, gives_up)
    with pytest.raises(RetryAfter, match=r"^come at noon$") as later:
        await compute(processes, comes_later)

    assert gave_up.value.code == "declined"
    assert later.value.seconds == 5


async def test_with_the_worker_what_computes_is_ended_and_nothing_more_begins(gate: str) -> None:
    processes = Processes(1)
    hanging = asyncio.create_task(compute(processes, partial(hangs, gate)))
    process = int(await text_of(gate))
    waiting = asyncio.create_task(compute(processes, partial(pow, 2, 3)))

    processes.close()
    processes.close()

    await ended(process)
    with pytest.raises(ProcessDied):
        await hanging
    with pytest.raises(RuntimeError, match="the worker has ended"):
        await waiting


# ── heartbeats ──────────────────────────────────────────────────────────────────────────────────


@step(cpu_bound=True, retry=Retry(attempts=3, first_s=0.001))
def resize() -> list[int]:
    """Two rows for each attempt, which is all that one has time for."""
    begun = heartbeat_details(int) or 0
    for row in range(begun, 5):
        if row == begun + 2:
            message = f"no time for row {row}"
            raise TimeoutError(message)
        heartbeat(row + 1)
    return [begun, 5]


@step(cpu_bound=True, retry=NO_RETRY, heartbeat_s=0.3)
def falls_silent(told: str) -> None:
    heartbeat()
    hangs(told)


@step(cpu_bound=True, retry=NO_RETRY, heartbeat_s=5)
def speaks_often() -> int:
    for row in range(20_000):
        heartbeat({"row": row})
    return 20_000


@step(cpu_bound=True, retry=NO_RETRY)
def speaks_and_hangs(told: str) -> None:
    for row in range(3):
        heartbeat({"row": row})
    hangs(told)


@workflow
async def resized() -> list[int]:
    return await resize()


async def attempted(one: "Step[..., object]", input_: bytes, shelf: Shelf) -> PlainResult:
    processes = Processes(1)
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await attempt_plain(
                one, input_, failures=0, draws=SeededDraws(1), processes=processes, beats=shelf
            )
    finally:
        processes.close()


async def test_what_computes_goes_on_from_what_its_last_attempt_said() -> None:
    processes = Processes(1)
    engine = FakeEngine()

    go = Go(resized, dict(engine.records), engine, draws=SeededDraws(1), processes=processes)
    result = await go.run()

    processes.close()
    assert result.result == b"[4,5]"


async def test_one_that_falls_silent_is_ended(tmp_path: Path) -> None:
    told = str(tmp_path / "told")

    result = await attempted(falls_silent, encode([told]), Shelf())

    assert result.flaw is not None
    assert result.flaw.code == "timeout.heartbeat"
    await ended(int(Path(told).read_text()))


async def test_one_that_speaks_all_the_time_is_not_held_up() -> None:
    shelf = Shelf()

    result = await attempted(speaks_often, b"[]", shelf)

    assert result.result == b"20000"
    assert len(shelf.said) < 1000


async def test_what_it_said_last_is_heard_though_it_says_no_more(gate: str) -> None:
    shelf = Shelf()
    running = asyncio.create_task(attempted(speaks_and_hangs, encode([gate]), shelf))
    process = int(await text_of(gate))
    async with asyncio.timeout(PATIENCE_S):
        while ("", b'{"row":2}') not in shelf.said:
            shelf.told.clear()
            await shelf.told.wait()

    os.kill(process, signal.SIGKILL)

    flaw = (await running).flaw
    assert flaw is not None
    assert flaw.type == "ProcessDied"
