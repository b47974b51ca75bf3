"""Code that is one task is given its results at once; one that makes tasks is waited for."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextvars import Context
from typing import Final, TypeVar

import pytest

from mainspring import workflow
from mainspring.alone import Work
from tests.unit.sdk.fake import FakeEngine, double

T = TypeVar("T")
MANY: Final = 200


@workflow
async def doubled(beside: bool) -> int:
    task = asyncio.create_task(asyncio.Event().wait()) if beside else None
    found = 1
    for _ in range(MANY):
        found = await double(found) % 7
    if task is not None:
        task.cancel()
    return found


@pytest.fixture
async def loop() -> AsyncIterator[asyncio.AbstractEventLoop]:
    """The present one, whose factory is there again afterwards."""
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    loop.set_task_factory(None)
    yield loop
    loop.set_task_factory(before)


async def passes_of_a_replay(engine: FakeEngine) -> int:
    count = 0

    async def counting() -> None:
        nonlocal count
        while True:
            count += 1
            await asyncio.sleep(0)

    counter = asyncio.create_task(counting())
    result = await engine.go(doubled).run()
    counter.cancel()
    assert (result.outcome, result.steps) == ("completed", ())
    return count


async def test_a_long_history_of_one_task_takes_few_passes_and_lets_others_on() -> None:
    engine = FakeEngine(False)
    await engine.run(doubled)

    passes = await passes_of_a_replay(engine)

    assert 3 < passes < MANY / 4


async def test_a_task_that_awaits_no_step_may_begin_one_so_it_is_waited_for() -> None:
    engine = FakeEngine(True)
    await engine.run(doubled)

    assert await passes_of_a_replay(engine) > 10 * MANY


@pytest.mark.usefixtures("loop")
async def test_steps_and_what_carries_their_records_are_none_of_the_codes_tasks() -> None:
    engine = FakeEngine(False)
    go = engine.go(doubled)
    told: list[None] = []
    go.branches = lambda: told.append(None)

    await go.run()

    assert len(engine.frames) > 1
    assert told == []


async def test_the_loops_own_factory_still_makes_the_tasks(
    loop: asyncio.AbstractEventLoop,
) -> None:
    made: list[str] = []

    def own(
        loop: asyncio.AbstractEventLoop, work: Work[T], /, *, context: Context | None = None
    ) -> "asyncio.Future[T]":
        assert isinstance(work, Coroutine)
        made.append(work.__qualname__)
        return asyncio.Task(work, loop=loop, context=context)

    loop.set_task_factory(own)
    engine = FakeEngine(True)

    await engine.run(doubled)

    assert {"Event.wait", "Go._code"} <= set(made)


async def test_where_somebody_sets_another_factory_the_code_is_waited_for(
    loop: asyncio.AbstractEventLoop,
) -> None:
    async def late() -> int:
        for _ in range(20):
            await asyncio.sleep(0)
        return await double(1)

    @workflow
    async def with_its_own() -> list[int]:
        loop.set_task_factory(None)
        task = asyncio.create_task(late())
        return [await double(2), await double(3), await task]

    engine = FakeEngine()

    first = await engine.run(with_its_own)

    again = await engine.go(with_its_own).run()
    assert (again.result, again.steps) == (first.result, ())
