"""How long a worker waits before its next stream, and that it leaves none behind."""

import asyncio
import logging

import pytest

from mainspring_kernel.backoff import RECONNECT, bound_s
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.draws import SeededDraws
from mainspring_workstream.attempt import Attempt
from mainspring_workstream.core import WorkerCore
from mainspring_workstream.limits import NO_ENGINE_TOLD_S, STEADY_S
from mainspring_workstream.link import EngineStream, LinkBroken
from mainspring_workstream.queue_link import QueueEngineLink
from mainspring_workstream.work import Worker
from tests.unit.worker.fake_engine import FakeEngine
from tests.unit.worker.making import identity


class Hasty(ManualClock):
    """Waits between streams are told and over at once; those within one wait for the test."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        task = asyncio.current_task()
        if seconds > RECONNECT.max_s or (task and task.get_name() == "look"):
            return await super().sleep(seconds)
        self.waits.append(seconds)
        self.advance(seconds)
        return None


class Middle(SeededDraws):
    def unit(self) -> float:
        return 0.5


async def idle(attempt: Attempt) -> bytes:
    raise NotImplementedError


async def test_streams_that_end_soon_after_their_attach_are_opened_ever_later() -> None:
    engine, clock = FakeEngine(), Hasty()
    worker = Worker(
        core=WorkerCore(identity(1)), link=QueueEngineLink(engine), clock=clock, draws=Middle(1)
    )
    running = asyncio.create_task(worker.run(idle))
    for _ in range(8):
        (await engine.attached()).hang_up()
    lasting = await engine.attached()
    waits = tuple(clock.waits)

    clock.advance(STEADY_S)
    lasting.hang_up()
    await engine.attached()

    assert waits == tuple(bound_s(RECONNECT, number) / 2 for number in range(1, 9))
    assert clock.waits[8:] == [RECONNECT.first_s / 2], "after one that lived"
    worker.halt()
    await running


class Ended(QueueEngineLink):
    """Knows whether its connections were closed."""

    closed = False

    async def close(self) -> None:
        self.closed = True


async def test_a_worker_that_is_ended_once_it_is_drained_closes_its_connections() -> None:
    engine = FakeEngine()
    link = Ended(engine)
    worker = Worker(
        core=WorkerCore(identity(1)), link=link, clock=ManualClock(), draws=SeededDraws(1)
    )
    running = asyncio.create_task(worker.run(idle))
    await engine.attached()

    await worker.drain()
    running.cancel()
    await asyncio.wait({running})

    assert link.closed


class NoEngine:
    """Nobody is there; `tries` are counted until `enough`."""

    def __init__(self, enough: int) -> None:
        self._left = enough
        self.enough = asyncio.Event()

    async def open(self) -> EngineStream:
        self._left -= 1
        if self._left <= 0:
            self.enough.set()
        reason = "nowhere:1 does not accept connections"
        raise LinkBroken(reason)

    async def close(self) -> None:
        return


async def test_an_engine_that_is_away_is_told_now_and_then_and_not_with_each_try(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "mainspring_workstream")
    link, clock = NoEngine(enough=100), Hasty()
    worker = Worker(core=WorkerCore(identity(1)), link=link, clock=clock, draws=Middle(1))
    running = asyncio.create_task(worker.run(idle))

    await link.enough.wait()
    worker.halt()
    await running

    assert len(caplog.messages) == 1 + sum(clock.waits) // NO_ENGINE_TOLD_S
    assert "nowhere:1" in caplog.messages[0]
