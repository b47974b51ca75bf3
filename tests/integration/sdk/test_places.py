"""Plain functions of steps: how many run at once, and when the time of one begins."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from mainspring import NO_RETRY, step
from mainspring.computing import Processes

SLOTS = 100
"""Of a worker, where nobody says otherwise."""
PATIENCE_S = 60
BRIEF_S = 2.0
CALLS = 6


@step(retry=NO_RETRY)
def meets(all_there: threading.Barrier) -> None:
    all_there.wait(PATIENCE_S)


@step(retry=NO_RETRY, cpu_bound=True, timeout_s=BRIEF_S)
def computes(seconds: float) -> float:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        sum(range(1000))
    return seconds


@pytest.fixture
def processes() -> Iterator[Processes]:
    made = Processes(1)
    yield made
    made.close()


async def test_as_many_plain_steps_run_at_once_as_a_worker_has_slots() -> None:
    """With asyncio's own threads six would wait for ever for the seventh."""
    all_there = threading.Barrier(SLOTS)

    await asyncio.gather(*(meets.call((all_there,), {}, None) for _ in range(SLOTS)))


async def test_the_time_of_a_step_that_waits_for_a_process_has_not_begun(
    processes: Processes,
) -> None:
    await computes.call((0.0,), {}, processes)  # the process is there
    each_s = BRIEF_S / 4

    done = await asyncio.gather(*(computes.call((each_s,), {}, processes) for _ in range(CALLS)))

    assert done == [each_s] * CALLS


async def test_a_step_that_computes_past_its_time_makes_room_for_the_next(
    processes: Processes,
) -> None:
    with pytest.raises(TimeoutError):
        await computes.call((PATIENCE_S,), {}, processes)

    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:  # the first ones may meet a process that is being made
                assert await computes.call((0.0,), {}, processes) == 0.0
            except TimeoutError:
                continue
            break
