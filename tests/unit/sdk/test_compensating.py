"""Code that hears of its cancel: what it does then counts, and is done once."""

import asyncio
from collections import Counter

import pytest

from mainspring import run_child, sleep, step, wait_for_signal, workflow
from mainspring.going import Go
from mainspring_schema.tasks import WorkflowResult
from mainspring_schema.workflows import CANCEL_NAME, StepRecord
from tests.unit.sdk.fake import FakeEngine

CALLED: Counter[str] = Counter()
AT_WORK = asyncio.Event()


@pytest.fixture(autouse=True)
def nothing_yet() -> None:
    CALLED.clear()
    AT_WORK.clear()


@step
async def charge() -> str:
    CALLED["charge"] += 1
    return "paid"


@step
async def refund(receipt: str) -> str:
    CALLED["refund"] += 1
    return f"{receipt} back"


@step
async def bake() -> None:
    CALLED["bake"] += 1
    AT_WORK.set()
    await asyncio.Event().wait()


@workflow(compensates=True)
async def order() -> str:
    receipt = await charge()
    try:
        return str(await wait_for_signal("packed"))
    except asyncio.CancelledError:
        await refund(receipt)
        raise


@workflow(compensates=True)
async def at_work() -> None:
    receipt = await charge()
    try:
        await bake()
    finally:
        await refund(receipt)


def is_cancelled(engine: FakeEngine, result: WorkflowResult | None = None, nth: int = 1) -> None:
    """The engine finds the cancel where its code waits for it."""
    waits = engine.waits if result is None else result.waits
    wait = next(one for one in waits if one.name == CANCEL_NAME)
    engine.keep([StepRecord(step=wait.step, name=wait.name, kind="signal", nth=nth)])


async def test_code_at_rest_is_cancelled_and_compensates() -> None:
    engine = FakeEngine()
    rests = await engine.run(order)
    is_cancelled(engine, rests)

    result = await engine.run(order)

    assert (rests.outcome, result.outcome) == ("suspended", "cancelled")
    assert sorted(wait.name for wait in rests.waits) == [CANCEL_NAME, "packed"]
    assert CALLED == {"charge": 1, "refund": 1}


async def test_code_at_work_is_cancelled_in_its_step() -> None:
    engine = FakeEngine()
    go = engine.go(at_work)
    running = asyncio.create_task(go.run())
    await AT_WORK.wait()
    await engine.armed.wait()

    is_cancelled(engine)
    go.news(tuple(one for one in engine.records.values() if one.name == CANCEL_NAME))

    result = await running
    assert result.outcome == "cancelled"
    assert CALLED == {"charge": 1, "bake": 1, "refund": 1}


async def test_what_it_compensated_is_not_done_again_after_a_crash() -> None:
    """Cut off behind each of its records it comes to the same end."""
    engine = FakeEngine()
    go = engine.go(at_work)
    running = asyncio.create_task(go.run())
    await AT_WORK.wait()
    await engine.armed.wait()
    is_cancelled(engine)
    go.news(tuple(one for one in engine.records.values() if one.name == CANCEL_NAME))
    engine.keep((await running).steps)
    whole = [one for one in engine.records.values() if one.kind != "input"]
    heard = next(at for at, one in enumerate(whole) if one.name == CANCEL_NAME)

    for kept in range(heard + 1, len(whole) + 1):
        CALLED.clear()
        again = FakeEngine()
        again.keep(whole[:kept])
        result = await again.run(at_work)

        done = {one.name for one in whole[:kept]}
        assert result.outcome == "cancelled"
        assert CALLED["charge"] == ("charge" not in done)
        assert CALLED["refund"] == ("refund" not in done)


async def test_without_a_cancel_it_is_a_workflow_like_any() -> None:
    engine = FakeEngine()
    rests = await engine.run(order)
    packed = next(one for one in rests.waits if one.name == "packed")
    engine.keep(
        [
            StepRecord(
                step=packed.step, name="packed", kind="signal", input_hash=packed.input_hash,
                result=b'"box"', nth=1,
            )
        ]
    )  # fmt: skip

    result = await engine.run(order)

    assert (result.outcome, result.result) == ("completed", b'"box"')


async def test_code_that_waits_for_nothing_durable_does_not_rest() -> None:
    gate = asyncio.Event()

    @workflow(compensates=True)
    async def holds() -> str:
        receipt = await charge()
        await gate.wait()
        return receipt

    engine = FakeEngine()
    running = asyncio.create_task(engine.run(holds))
    await engine.armed.wait()
    done, _ = await asyncio.wait((running,), timeout=0.05)
    assert not done
    gate.set()

    assert (await running).outcome == "completed"


async def test_code_may_go_on_after_its_cancel() -> None:
    @workflow(compensates=True)
    async def stubborn() -> str:
        try:
            await sleep(3600)
        except asyncio.CancelledError:
            return await charge()
        return "slept"

    engine = FakeEngine()
    is_cancelled(engine, await engine.run(stubborn))

    result = await engine.run(stubborn)

    assert (result.outcome, result.result) == ("completed", b'"paid"')


async def test_compensation_may_wait() -> None:
    @workflow(compensates=True)
    async def asks() -> None:
        try:
            await sleep(3600)
        finally:
            await wait_for_signal("confirmed")

    engine = FakeEngine()
    is_cancelled(engine, await engine.run(asks))

    rests = await engine.run(asks)

    assert rests.outcome == "suspended"
    assert [wait.name for wait in rests.waits] == ["confirmed"]


async def test_a_compensation_that_fails_fails_the_workflow() -> None:
    @workflow(compensates=True)
    async def breaks() -> None:
        try:
            await sleep(3600)
        except asyncio.CancelledError:
            message = "no refund"
            raise ValueError(message) from None

    engine = FakeEngine()
    is_cancelled(engine, await engine.run(breaks))

    result = await engine.run(breaks)

    assert result.outcome == "failed"
    assert result.flaw is not None
    assert result.flaw.message == "no refund"


async def test_branches_are_cancelled_with_it() -> None:
    async def one_more() -> None:
        try:
            await sleep(3600)
        finally:
            await refund("part")

    @workflow(compensates=True)
    async def branches() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(one_more())
            group.create_task(one_more())

    engine = FakeEngine()
    is_cancelled(engine, await engine.run(branches))

    assert (await engine.run(branches)).outcome == "cancelled"
    assert CALLED == {"refund": 2}


async def test_where_it_is_left_nothing_is_done() -> None:
    """Its worker has no room for it any more: that is no cancel."""
    engine = FakeEngine()
    go = engine.go(order)
    assert (await go.begin()).outcome == "suspended"

    await asyncio.wait_for(go.unwind(), 1)

    assert CALLED == {"charge": 1}


async def test_a_warm_go_hears_of_its_cancel() -> None:
    engine = FakeEngine()
    go: Go = engine.go(order)
    rests = await go.begin()
    engine.keep(rests.steps)
    is_cancelled(engine, rests)
    came = {place: engine.records[place] for place in go.places if place in engine.records}

    result = await go.go_on(engine, came)
    await go.unwind()

    assert result.outcome == "cancelled"
    assert CALLED == {"charge": 1, "refund": 1}


async def test_a_parent_waits_for_its_child_and_for_its_cancel() -> None:
    @workflow
    async def child() -> int:
        return 1

    @workflow(compensates=True)
    async def parent() -> int:
        return await run_child(child)

    rests = await FakeEngine().run(parent)

    assert {wait.kind for wait in rests.waits} == {"child", "signal"}
