"""A go that starts other workflows."""

import asyncio
import gc

import pytest
from msgspec import Struct

from mainspring import StepFailed, WaitTimedOut, child, run_child, start_detached, workflow
from mainspring_schema.workflows import ChildStart, Flaw
from tests.unit.sdk.fake import CALLS, FakeEngine, double
from tests.unit.sdk.test_going_waits import came


class Paid(Struct):
    amount: int


@workflow
async def pay(amount: int) -> Paid:
    return Paid(amount)


@workflow
async def order(amount: int) -> int:
    paid = await run_child(pay, amount)
    return paid.amount


@pytest.fixture(autouse=True)
def no_calls() -> None:
    CALLS.clear()


async def test_a_childs_result_comes_in_the_next_go_with_its_type() -> None:
    engine = FakeEngine(7)

    first = await engine.run(order)
    (wait,) = first.waits
    engine.keep((came(wait, b'{"amount":7}'),))
    second = await engine.run(order)

    assert first.outcome == "suspended"
    assert (wait.kind, wait.child) == ("child", ChildStart(type="pay", input=b"[7]"))
    assert (second.outcome, second.result) == ("completed", b"7")


async def test_children_of_branches_are_waited_for_together() -> None:
    @workflow
    async def two() -> list[int]:
        paid = await asyncio.gather(run_child(pay, 1), run_child(pay, amount=2))
        return [each.amount for each in paid]

    engine = FakeEngine()

    result = await engine.run(two)

    assert [(w.step, w.child and w.child.input) for w in result.waits] == [
        ("1/1", b"[1]"),
        ("2/1", b'{"amount":2}'),
    ]


async def test_a_child_that_is_open_as_the_code_ends_is_left_without_a_word(
    caplog: pytest.LogCaptureFixture,
) -> None:
    left: list[str] = []

    @workflow
    async def hurried() -> int:
        async def branch() -> None:
            try:
                await run_child(pay, 1)
            finally:
                left.append("left")

        task = asyncio.create_task(branch())
        done = await double(2)
        return done if not task.done() else 0

    result = await FakeEngine().run(hurried)
    await asyncio.sleep(0)  # the branch takes its last turn
    gc.collect()  # a task that nobody ends would be told of now

    assert (result.outcome, result.result) == ("completed", b"4")
    assert (left, caplog.messages) == (["left"], [])


async def test_a_childs_failure_is_raised() -> None:
    engine = FakeEngine(7)
    (wait,) = (await engine.run(order)).waits
    engine.keep((came(wait, flaw=Flaw(code="no_money", message="none")),))

    result = await engine.run(order)

    assert result.flaw == Flaw(code="no_money", message="step 1 (child pay): none")


@pytest.mark.parametrize("timeout_s", [None, 60])
async def test_a_child_that_failed_of_a_timeout_of_its_own_has_failed_and_is_not_late(
    timeout_s: float | None,
) -> None:
    seen: list[str] = []

    @workflow
    async def parent() -> None:
        try:
            await child(pay, timeout_s=timeout_s).run(1)
        except StepFailed as error:
            seen.append(error.code)

    engine = FakeEngine()
    (wait,) = (await engine.run(parent)).waits
    flaw = Flaw(code="timeout", message="no letter came", type="WaitTimedOut")
    engine.keep((came(wait, flaw=flaw),))

    result = await engine.run(parent)

    assert (result.outcome, seen) == ("completed", ["timeout"])


async def test_options_of_a_child_travel_with_it() -> None:
    seen: list[type[BaseException]] = []

    @workflow
    async def impatient() -> None:
        try:
            await child(pay, queue="slow", timeout_s=2).run(1)
        except (WaitTimedOut, StepFailed) as error:
            seen.append(type(error))

    engine = FakeEngine()
    (wait,) = (await engine.run(impatient)).waits
    engine.keep((came(wait, flaw=Flaw(code="timeout", message="late")),))

    result = await engine.run(impatient)

    assert (wait.delay_ms, wait.child and wait.child.queue) == (2000, "slow")
    assert (result.outcome, seen) == ("completed", [WaitTimedOut])


async def test_a_detached_child_does_not_give_the_worker_back() -> None:
    @workflow
    async def lets_go(amount: int) -> list[object]:
        first = await double(amount)
        return [await start_detached(pay, first), await double(first)]

    engine = FakeEngine(1)
    go = engine.go(lets_go)
    going = asyncio.create_task(go.run())
    await engine.armed.wait()
    assert list(engine.records) == ["0", "1"]  # what came before it is recorded first
    (wait,) = engine.waits

    go.news((came(wait, b'"workflow_1"'),))

    result = await going
    assert (wait.kind, wait.child) == ("detached", ChildStart(type="pay", input=b"[2]"))
    assert (result.outcome, result.result) == ("completed", b'["workflow_1",4]')
