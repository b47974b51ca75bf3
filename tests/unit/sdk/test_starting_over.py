"""Code that begins anew: with an empty record, other arguments, and the same id."""

from typing import NoReturn

import pytest

from mainspring import NotInWorkflow, sleep, start_over, step, workflow
from mainspring.checking import replay
from mainspring_schema.workflows import StepRecord
from tests.unit.sdk.fake import CALLS, FakeEngine, double


@pytest.fixture(autouse=True)
def no_calls() -> None:
    CALLS.clear()


@workflow
async def climbing(x: int) -> int:
    x = await double(x)
    if x < 100:
        await start_over(x)
    return x


def next_passage(engine: FakeEngine, generation: int, raw: bytes) -> None:
    """What an engine has of it once it is recorded that the code starts over."""
    place = f"a{generation}~0"
    engine.records = {place: StepRecord(step=place, name="it", kind="input", result=raw)}


async def test_what_was_finished_rides_with_the_new_arguments() -> None:
    engine = FakeEngine(10)

    result = await engine.run(climbing)

    assert (result.outcome, result.result) == ("renewed", b"[20]")
    assert [one.step for one in result.steps] == ["1"]
    assert (engine.names(), engine.frames) == ({"1": "double"}, [])


async def test_places_of_each_passage_are_its_own() -> None:
    engine = FakeEngine(10)
    result = await engine.run(climbing)
    for generation in (1, 2):
        next_passage(engine, generation, result.result)
        result = await engine.run(climbing)
    next_passage(engine, 3, result.result)

    ended = await engine.run(climbing)

    assert (ended.outcome, ended.result) == ("completed", b"160")
    assert list(engine.records) == ["a3~0", "a3~1"]
    assert CALLS == [10, 20, 40, 80]


async def test_a_passage_is_replayed_like_any_history() -> None:
    engine = FakeEngine(10)
    await engine.run(climbing)
    next_passage(engine, 1, b"[90]")
    await engine.run(climbing)
    CALLS.clear()

    again = await engine.go(climbing).run()
    problem = await replay(climbing, engine.records)

    assert (again.outcome, again.result, problem) == ("completed", b"180", None)
    assert CALLS == []


async def test_code_after_it_is_not_reached() -> None:
    reached: list[str] = []

    @workflow
    async def leaving() -> None:
        try:
            await start_over()
        except Exception:  # noqa: BLE001 - whatever might come
            reached.append("except")
        reached.append("after")

    result = await FakeEngine().run(leaving)

    assert (result.outcome, reached) == ("renewed", [])


async def test_named_arguments_and_those_that_do_not_fit() -> None:
    @workflow
    async def named(x: int, *, more: bool = False) -> None:
        if more:
            await start_over(x, less=True)
        await start_over(x=x + 1, more=True)

    engine = FakeEngine(1)
    first = await engine.run(named)
    next_passage(engine, 1, first.result)
    second = await engine.run(named)

    assert first.result == b'{"x":2,"more":true}'
    assert second.flaw is not None
    assert (second.outcome, second.flaw.type) == ("failed", "TypeError")


async def test_it_is_for_the_code_of_a_workflow() -> None:
    @step
    async def inner() -> NoReturn:
        await start_over()

    @workflow
    async def outer() -> None:
        await inner()

    result = await FakeEngine().run(outer)

    with pytest.raises(NotInWorkflow):
        await start_over()
    assert result.flaw is not None
    assert result.flaw.type == "NotInWorkflow"


async def test_a_passage_after_thousands_replays_only_its_own() -> None:
    @workflow
    async def waiting(x: int) -> int:
        x = await double(x)
        await sleep(60)
        return await double(x)

    engine = FakeEngine()
    next_passage(engine, 5, b"[1]")
    engine.records = {"d4321~0": StepRecord(step="d4321~0", name="it", kind="input", result=b"[1]")}

    result = await engine.run(waiting)

    assert [wait.step for wait in result.waits] == ["d4321~2"]
