"""A go at a workflow: what is recorded is not done again, and what waits gives its worker back."""

import asyncio
from typing import NamedTuple

import pytest

from mainspring import (
    NO_RETRY,
    GiveUp,
    NotInWorkflow,
    Retry,
    StepFailed,
    report,
    sleep,
    step,
    workflow,
)
from mainspring_kernel.limits import WORKFLOW_VALUE_BYTES_MAX
from mainspring_schema.workflows import Flaw
from tests.unit.sdk.fake import CALLS, FakeEngine, Lost, double


@pytest.fixture(autouse=True)
def no_calls() -> None:
    CALLS.clear()


@step
def plain(x: int) -> int:
    CALLS.append(x)
    return x + 1


@workflow
async def three(x: int) -> int:
    return await double(await plain(await double(x)))


async def test_finished_steps_are_not_called_again() -> None:
    engine = FakeEngine(5)
    first = await engine.run(three)
    assert (first.outcome, first.result, CALLS) == ("completed", b"22", [5, 10, 11])

    again = await engine.run(three)

    assert again.result == b"22"
    assert CALLS == [5, 10, 11]
    assert engine.names() == {"1": "double", "2": "plain", "3": "double"}


async def test_the_last_step_rides_with_the_result() -> None:
    engine = FakeEngine(5)

    result = await engine.go(three).run()

    assert [one.step for frame in engine.frames for one in frame] == ["1", "2"]
    assert [one.step for one in result.steps] == ["3"]


async def test_a_step_begins_when_the_one_before_is_recorded() -> None:
    engine = FakeEngine(5)
    engine.lost = True

    with pytest.raises(Lost):
        await engine.run(three)

    assert CALLS == [5]


async def test_a_pipelined_step_does_not_wait_for_the_record() -> None:
    @workflow(pipelined=True)
    async def quick(x: int) -> int:
        return await double(await double(x))

    engine = FakeEngine(1)
    result = await engine.run(quick)

    assert result.result == b"4"
    assert sorted(engine.names()) == ["1", "2"]


async def test_records_of_pipelined_steps_that_are_quick_share_a_frame() -> None:
    @workflow(pipelined=True)
    async def quick(x: int) -> int:
        return await double(await double(await double(x)))

    engine = FakeEngine(1)
    result = await engine.go(quick).run()

    assert [one.step for one in result.steps] == ["1", "2", "3"]
    assert engine.frames == []


async def test_the_record_of_a_pipelined_step_is_sent_while_a_later_one_takes_its_time() -> None:
    engine = FakeEngine()

    @step
    async def slow() -> None:
        await engine.saved.wait()

    @workflow(pipelined=True)
    async def mixed() -> None:
        await double(1)
        await slow()

    result = await engine.go(mixed).run()

    assert [one.step for frame in engine.frames for one in frame] == ["1"]
    assert [one.step for one in result.steps] == ["2"]


async def branch(x: int, *, slow: bool) -> int:
    first = await double(x)
    if slow:
        await asyncio.sleep(0.01)
    return await double(first)


async def test_parallel_branches_have_the_same_places_however_they_overtake() -> None:
    @workflow
    async def both(slow: int) -> list[int]:
        return await asyncio.gather(*(branch(n, slow=n == slow) for n in (0, 1, 2)))

    one, two = FakeEngine(0), FakeEngine(2)
    results = [await one.run(both), await two.run(both)]

    assert [result.result for result in results] == [b"[0,4,8]"] * 2
    assert one.names().keys() == two.names().keys() == {f"{b}/{s}" for b in "123" for s in "12"}
    assert len(one.frames) < 6  # what came meanwhile rode together
    CALLS.clear()
    assert (await one.run(both)).result == b"[0,4,8]"
    assert CALLS == []


async def test_a_step_is_tried_as_its_policy_says() -> None:
    @step(retry=Retry(attempts=3, first_s=0.001))
    async def flaky() -> int:
        CALLS.append("try")
        if len(CALLS) < 3:
            raise OSError
        return 7

    @workflow
    async def it() -> int:
        return await flaky()

    engine = FakeEngine()

    assert (await engine.run(it)).result == b"7"
    assert engine.records["1"].attempts == 3


async def test_a_failed_step_fails_alike_in_a_replay() -> None:
    @step(retry=NO_RETRY)
    async def refuse() -> None:
        CALLS.append("refuse")
        message = "never"
        raise ValueError(message)

    @workflow
    async def it() -> str:
        try:
            await refuse()
        except StepFailed as error:
            return f"{error.code} {error.type} {error.message}"
        return ""

    engine = FakeEngine()
    first, again = await engine.run(it), await engine.run(it)

    assert first.result == again.result == b'"step_failed ValueError never"'
    assert CALLS == ["refuse"]


async def test_giving_up_is_not_retried_and_keeps_its_code() -> None:
    @step
    async def sell() -> None:
        CALLS.append("sell")
        raise GiveUp("no_stock", "none left")

    @workflow
    async def it() -> None:
        await sell()

    result = await FakeEngine().run(it)

    assert result.flaw == Flaw(code="no_stock", message="step 1 (sell): none left", type="GiveUp")
    assert CALLS == ["sell"]


async def test_what_fails_in_a_group_keeps_its_code() -> None:
    @step
    async def sell() -> None:
        raise GiveUp("no_stock", "none left")

    @workflow
    async def it() -> None:
        async with asyncio.TaskGroup() as outer:
            async with asyncio.TaskGroup() as inner:
                inner.create_task(sell())
            outer.create_task(double(1))

    engine = FakeEngine()
    first, again = await engine.run(it), await engine.run(it)

    assert (
        first.flaw
        == again.flaw
        == Flaw(code="no_stock", message="step 1/1 (sell): none left", type="GiveUp")
    )


@pytest.mark.parametrize(
    "value", [object(), "x" * WORKFLOW_VALUE_BYTES_MAX], ids=["no JSON", "over the bound"]
)
async def test_a_result_that_cannot_be_kept_fails_the_step(value: object) -> None:
    @step
    async def odd() -> object:
        return value

    @workflow
    async def it() -> None:
        await odd()

    result = await FakeEngine().run(it)

    assert result.outcome == "failed"
    assert result.flaw is not None
    assert result.flaw.code == "unserializable"


class Item(NamedTuple):
    name: str
    cents: int


async def test_values_keep_their_types_now_and_in_a_replay() -> None:
    @step
    async def look_up(name: str) -> Item:
        return Item(name, 5)

    @workflow
    async def it(item: Item) -> int:
        found = await look_up(item.name)
        assert isinstance(item, Item)
        assert isinstance(found, Item)
        return found.cents

    engine = FakeEngine(Item("pen", 1))

    assert (await engine.run(it)).result == b"5"
    assert (await engine.run(it)).result == b"5"


async def test_changed_code_is_held_at_the_first_step_that_differs() -> None:
    engine = FakeEngine(5)
    await engine.run(three)
    CALLS.clear()

    @workflow
    async def changed(x: int) -> int:
        return await plain(await double(x) + 1)

    result = await engine.run(changed)

    assert result.outcome == "held"
    assert result.mismatch is not None
    assert result.mismatch.step == "2"
    assert result.mismatch.found == "step plain with another input"
    assert CALLS == []


async def test_a_report_is_recorded_once_with_its_neighbours() -> None:
    @workflow
    async def it() -> int:
        await report({"done": 1})
        await report({"done": 2})
        return await double(1)

    engine = FakeEngine()
    await engine.run(it)
    await engine.run(it)

    assert engine.names() == {"1": "report", "2": "report", "3": "double"}
    assert [len(frame) for frame in engine.frames] == [2]


async def test_steps_within_a_step_are_plain_calls() -> None:
    @step
    async def outer() -> int:
        return await double(4)

    @workflow
    async def it() -> int:
        return await outer()

    engine = FakeEngine()

    assert (await engine.run(it)).result == b"8"
    assert engine.names() == {"1": "outer"}


@pytest.mark.parametrize("given", [("five",), (5, 6, 7, 8)])
async def test_input_that_does_not_fit_fails_the_workflow(given: tuple[object, ...]) -> None:
    result = await FakeEngine(*given).run(three)

    assert result.outcome == "failed"
    assert result.flaw is not None
    assert result.flaw.code == "invalid_input"


async def test_outside_of_a_workflow_a_step_is_a_plain_call() -> None:
    assert await double(3) == 6
    assert await three(5) == 22
    with pytest.raises(NotInWorkflow):
        await sleep(1)


async def test_a_cancelled_go_leaves_the_code() -> None:
    begun, left = asyncio.Event(), asyncio.Event()

    @step
    async def stuck() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    @workflow
    async def it() -> None:
        await stuck()

    running = asyncio.create_task(FakeEngine().run(it))
    await begun.wait()
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    assert left.is_set()
