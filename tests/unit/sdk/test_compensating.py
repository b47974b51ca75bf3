"""Code that hears of its cancel: what it does then counts, and is done once."""

import asyncio
from collections import Counter

import pytest

from mainspring import going, run_child, sleep, step, wait_for_signal, workflow
from mainspring.going import Go
from mainspring.limits import LEFT_RAISES_MAX, UNWIND_S
from mainspring.standing import Standing
from mainspring_schema.tasks import WorkflowResult
from mainspring_schema.workflows import CANCEL_NAME, StepRecord, Wait
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


class SlowEngine(FakeEngine):
    """Whose commits land once the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.told, self.lands = asyncio.Event(), asyncio.Event()

    async def checkpoint(self, steps: tuple[StepRecord, ...], waits: tuple[Wait, ...]) -> None:
        self.told.set()
        await self.lands.wait()
        await super().checkpoint(steps, waits)


async def test_nothing_is_done_before_its_cancel_would_be_heard() -> None:
    engine = SlowEngine()
    running = asyncio.create_task(engine.run(order))
    await engine.told.wait()
    for _ in range(100):
        await asyncio.sleep(0)
    before = Counter(CALLED)

    engine.lands.set()

    assert (await running).outcome == "suspended"
    assert (before, CALLED) == ({}, {"charge": 1})


async def test_code_that_does_not_compensate_any_more_is_held_by_its_cancel() -> None:
    @workflow
    async def changed() -> str:
        receipt = await charge()
        await wait_for_signal("packed")
        return receipt

    engine = FakeEngine()
    is_cancelled(engine, await engine.run(order))

    result = await engine.run(changed)

    assert result.outcome == "held"
    assert result.mismatch is not None
    assert result.mismatch.found == "no compensates=True"


@pytest.mark.parametrize("compensates", [False, True])
async def test_code_that_catches_each_cancel_does_not_hold_up_its_worker(
    compensates: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(going, "UNWIND_S", 0.05)

    @workflow(compensates=compensates)
    async def stubborn() -> object:
        while True:
            try:
                return await wait_for_signal("stop")
            except asyncio.CancelledError:
                CALLED["caught"] += 1

    go = FakeEngine().go(stubborn)
    await go.begin()

    await asyncio.wait_for(go.unwind(), 5)

    assert 0 < CALLED["caught"] <= LEFT_RAISES_MAX + 1


async def test_branches_that_compensate_are_left_at_once() -> None:
    async def part() -> None:
        try:
            await sleep(3600)
        finally:
            await wait_for_signal("confirmed")
            CALLED["confirmed"] += 1

    @workflow(compensates=True)
    async def branches() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(part())
            group.create_task(part())

    engine = FakeEngine()
    is_cancelled(engine, await engine.run(branches))
    go = engine.go(branches)
    assert (await go.begin()).outcome == "suspended"
    looked = asyncio.get_running_loop().time()

    await go.unwind()

    assert asyncio.get_running_loop().time() - looked < UNWIND_S
    assert CALLED == {}


async def test_a_result_of_the_very_moment_in_which_all_stands_still_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @workflow(compensates=True)
    async def it() -> object:
        await charge()
        return await wait_for_signal("x")

    engine = FakeEngine()
    look = Standing._look

    def looks(standing: Standing) -> None:
        wait = next((one for one in engine.waits if one.name == "x"), None)
        if wait is not None and wait.step not in engine.records:
            came = StepRecord(
                step=wait.step, name="x", kind="signal", input_hash=wait.input_hash, nth=1
            )
            engine.keep([came])
            go.news((came,))
        look(standing)

    monkeypatch.setattr(Standing, "_look", looks)
    go = engine.go(it)

    assert (await go.run()).outcome == "completed"
