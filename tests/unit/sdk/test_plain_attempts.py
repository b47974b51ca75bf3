"""Plain tasks at a worker: begun over the stream, done on the user's loop, told over the stream."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec
import pytest

from mainspring import step
from mainspring.definitions import Step
from mainspring.worker import Runner
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.draws import SystemDraws
from mainspring_schema.frames import Task, ToWorker
from mainspring_schema.tasks import PlainResult, PlainTask
from mainspring_workstream.attempt import Attempt
from mainspring_workstream.core import WorkerCore
from mainspring_workstream.queue_link import QueueEngineLink
from mainspring_workstream.work import Worker
from tests.unit.worker.fake_engine import WAIT_S, Conversation, FakeEngine
from tests.unit.worker.making import held, identity, task

RESULT = msgspec.msgpack.Decoder(PlainResult)
BEGUN, STOPPED = asyncio.Event(), asyncio.Event()


@pytest.fixture(autouse=True)
def nothing_begun() -> None:
    BEGUN.clear()
    STOPPED.clear()


@step
async def double(number: int) -> int:
    return 2 * number


@step
async def hangs() -> None:
    BEGUN.set()
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        STOPPED.set()


@asynccontextmanager
async def attached() -> AsyncGenerator[tuple[Conversation, Worker]]:
    engine, draws = FakeEngine(), SystemDraws()
    worker = Worker(
        core=WorkerCore(identity(4)), link=QueueEngineLink(engine), clock=SystemClock(), draws=draws
    )
    plain: dict[str, Step[..., object]] = {double.name: double, hangs.name: hangs}
    runner = Runner({}, asyncio.get_running_loop(), draws, None, plain=plain)
    running = asyncio.create_task(worker.run(runner, runner))
    try:
        yield await engine.attached(), worker
    finally:
        worker.halt()
        await asyncio.gather(running, return_exceptions=True)


def given(name: str, *arguments: object) -> Task:
    return task(held(), PlainTask(task_type=name, input=msgspec.json.encode(arguments)))


async def reached(event: asyncio.Event) -> None:
    async with asyncio.timeout(WAIT_S):
        await event.wait()


async def test_a_step_is_begun_once_its_lease_is_sure_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun_before: list[bool] = []

    async def leased(_attempt: Attempt) -> None:
        begun_before.append(BEGUN.is_set())

    monkeypatch.setattr(Attempt, "is_leased", False)
    monkeypatch.setattr(Attempt, "leased", leased)
    async with attached() as (engine, _):
        engine.give(given("hangs"))
        await reached(BEGUN)

    assert begun_before == [False]


async def test_what_came_in_one_frame_is_answered_task_by_task() -> None:
    tasks = {held(n): n for n in range(4)}
    async with attached() as (engine, _):
        engine.give(
            *(msgspec.structs.replace(given("double", n), held=h) for h, n in tasks.items())
        )
        found: dict[int, object] = {}
        while len(found) < len(tasks):
            frame = await engine.until(lambda f: f.results)
            for one in frame.results:
                found[tasks[one.held]] = msgspec.json.decode(RESULT.decode(one.body).result)

    assert found == {0: 0, 1: 2, 2: 4, 3: 6}


async def test_a_step_that_this_worker_does_not_offer_is_handed_back() -> None:
    async with attached() as (engine, _):
        one = given("halve", 2)
        engine.give(one)
        frame = await engine.until(lambda f: f.returned)

    assert frame.returned == (one.held,)


async def test_a_lost_task_is_stopped_and_its_slot_is_free_again() -> None:
    async with attached() as (engine, _):
        one = given("hangs")
        engine.give(one)
        await reached(BEGUN)
        engine.say(ToWorker(lost=(one.held,)))
        await reached(STOPPED)
        frame = await engine.until(lambda f: f.credits)

    assert (frame.credits, frame.results, frame.returned) == (1, (), ())


async def test_a_cancelled_task_is_stopped_and_handed_back() -> None:
    async with attached() as (engine, _):
        one = given("hangs")
        engine.give(one)
        await reached(BEGUN)
        engine.say(ToWorker(cancelled=(one.held,)))
        await reached(STOPPED)
        frame = await engine.until(lambda f: f.returned)

    assert frame.returned == (one.held,)


async def test_a_worker_that_drains_waits_for_a_task_that_has_begun() -> None:
    async with attached() as (engine, worker):
        one = given("double", 4)
        engine.give(one)
        draining = asyncio.create_task(worker.drain())
        result = await engine.result()
        assert not draining.done()
        engine.acknowledge(one.held)
        async with asyncio.timeout(WAIT_S):
            await draining

    assert RESULT.decode(result.body).result == b"8"
