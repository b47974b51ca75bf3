"""A go that waits: what it gives back, and how it goes on."""

import asyncio
import gc
from collections.abc import Callable

import pytest

from mainspring import (
    WaitTimedOut,
    sleep,
    step,
    wait_for_signal,
    workflow,
)
from mainspring.limits import ASK_S, LINGER_S
from mainspring.standing import Standing
from mainspring_schema.workflows import Flaw, StepRecord, Wait
from tests.unit.sdk.fake import CALLS, FakeEngine, double


@pytest.fixture(autouse=True)
def no_calls() -> None:
    CALLS.clear()


@workflow
async def patient(x: int) -> str:
    first = await double(x)
    await sleep(3600)
    who = await wait_for_signal("approve", type=str)
    return f"{who} {await double(first)}"


def came(wait: Wait, result: bytes = b"null", flaw: Flaw | None = None) -> StepRecord:
    return StepRecord(
        step=wait.step, name=wait.name, kind=wait.kind, input_hash=wait.input_hash, result=result,
        flaw=flaw,
    )  # fmt: skip


async def test_a_wait_gives_the_worker_back_and_goes_on_in_the_next_go() -> None:
    engine = FakeEngine(1)

    first = await engine.run(patient)
    (nap,) = first.waits
    engine.keep((came(nap),))
    second = await engine.run(patient)
    (approval,) = second.waits
    engine.keep((came(approval, b'"tom"'),))
    third = await engine.run(patient)

    assert (first.outcome, nap.kind, nap.delay_ms) == ("suspended", "sleep", 3_600_000)
    assert (second.outcome, approval.name) == ("suspended", "approve")
    assert (third.outcome, third.result) == ("completed", b'"tom 4"')
    assert CALLS == [1, 2]


async def test_what_a_branch_waits_for_is_armed_while_another_is_at_work() -> None:
    release = asyncio.Event()

    @step
    async def long() -> int:
        await release.wait()
        return 1

    async def nap() -> str:
        return await wait_for_signal("go", type=str)

    @workflow
    async def it() -> list[object]:
        return list(await asyncio.gather(long(), nap()))

    engine = FakeEngine()
    go = engine.go(it)
    running = asyncio.create_task(go.run())
    await engine.armed.wait()
    (wait,) = engine.waits
    go.news((came(wait, b'"now"'),))
    release.set()
    result = await running

    assert result.result == b'[1,"now"]'


async def test_a_signal_that_lies_there_does_not_cost_the_worker() -> None:
    @workflow
    async def it() -> list[object]:
        return [await wait_for_signal("go") for _ in range(3)]

    engine = FakeEngine()
    go = engine.go(it)
    running = asyncio.create_task(go.run())
    for number in range(3):
        await engine.armed.wait()
        engine.armed.clear()
        go.news((came(engine.waits[number], b"%d" % number),))
    result = await running

    assert (result.outcome, result.result, result.waits) == ("completed", b"[0,1,2]", ())


async def test_a_loop_that_was_held_up_lets_every_branch_come_to_its_step() -> None:
    async def hands_over() -> int:
        over = asyncio.get_running_loop().time() + 2 * LINGER_S
        while asyncio.get_running_loop().time() < over:
            pass  # computes for longer than a workflow has to stand still
        for _ in range(3):
            await asyncio.sleep(0)
        return await double(1)

    @workflow
    async def it() -> list[object]:
        return list(await asyncio.gather(sleep(3600), hands_over()))

    engine = FakeEngine()

    result = await engine.run(it)

    assert (result.outcome, len(result.waits)) == ("suspended", 1)
    assert CALLS == [1]


async def test_news_without_steps_are_asked_for() -> None:
    release = asyncio.Event()

    @step
    async def long() -> int:
        await release.wait()
        return 1

    @workflow
    async def it() -> object:
        taken = await asyncio.gather(long(), wait_for_signal("go"))
        return taken[1]

    engine = FakeEngine()
    go = engine.go(it)
    running = asyncio.create_task(go.run())
    await engine.armed.wait()
    engine.keep((came(engine.waits[0], b"3"),))
    go.news(())
    release.set()

    assert (await running).result == b"3"


class Timers:
    """Those of ASK_S, which fire when the test says so; and when a go was found to stand still."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asks: list[Callable[[], object]] = []
        self._loop = asyncio.get_running_loop()
        self._call_later, self._looked = self._loop.call_later, asyncio.Event()
        look = Standing._look

        def watched(standing: Standing) -> None:
            look(standing)
            self._looked.set()

        monkeypatch.setattr(self._loop, "call_later", self._later)
        monkeypatch.setattr(Standing, "_look", watched)

    async def until_still(self) -> None:
        self._looked.clear()
        await self._looked.wait()

    def _later(
        self, delay: float, callback: Callable[..., object], *args: object
    ) -> asyncio.TimerHandle:
        if delay < ASK_S:
            return self._call_later(delay, callback, *args)
        self.asks.append(callback)
        return asyncio.TimerHandle(delay, callback, args, self._loop)


async def test_beside_a_busy_branch_a_wait_is_asked_for_by_one_timer_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    timers = Timers(monkeypatch)

    @step
    async def stands_still(*, fires: bool) -> None:
        if fires:
            timers.asks[-1]()
        await timers.until_still()

    @workflow
    async def busy() -> None:
        waiting = asyncio.create_task(wait_for_signal("stop"))
        for number in range(9):
            await stands_still(fires=number == 4)
        waiting.cancel()

    result = await FakeEngine().run(busy)

    assert result.outcome == "completed"
    assert len(timers.asks) == 2, "the one that fired, and the next"


async def test_a_wait_that_timed_out_raises() -> None:
    @workflow
    async def it() -> str:
        try:
            await wait_for_signal("go", timeout_s=1)
        except WaitTimedOut:
            return "late"
        return ""

    engine = FakeEngine()
    (wait,) = (await engine.run(it)).waits
    engine.keep((came(wait, flaw=Flaw(code="timeout", message="")),))

    assert (await engine.run(it)).result == b'"late"'


async def test_code_that_does_not_catch_it_fails_with_its_code() -> None:
    @workflow
    async def it() -> object:
        return await wait_for_signal("go", timeout_s=1)

    engine = FakeEngine()
    (wait,) = (await engine.run(it)).waits
    engine.keep((came(wait, flaw=Flaw(code="timeout", message="")),))

    flaw = (await engine.run(it)).flaw
    assert flaw is not None
    assert (flaw.code, flaw.type) == ("timeout", "WaitTimedOut")


@pytest.mark.parametrize("bounded", ["timeout", "wait_for", "wait"])
async def test_code_at_rest_that_goes_on_by_a_timer_of_its_own_is_told_of(
    bounded: str, caplog: pytest.LogCaptureFixture
) -> None:
    @workflow
    async def hasty() -> str:
        match bounded:
            case "timeout":
                async with asyncio.timeout(0.02):
                    await wait_for_signal("approve")
            case "wait_for":
                await asyncio.wait_for(wait_for_signal("approve"), 0.02)
            case _:
                await asyncio.wait({asyncio.create_task(wait_for_signal("approve"))}, timeout=0.02)
                await sleep(1)
        return "late"

    gc.collect()  # what other tests left behind is told of now, and not below
    caplog.clear()
    told = asyncio.Event()
    caplog.handler.addFilter(lambda _: told.set() or True)
    go = FakeEngine().go(hasty)

    result = await go.begin()
    assert (result.outcome, go.rests) == ("suspended", True)
    async with asyncio.timeout(5):
        await told.wait()
    assert not go.rests
    await go.unwind()
    del go
    gc.collect()  # what nobody asked for would be told of now

    (line,) = caplog.messages
    assert "went on by itself where it waits for signal approve" in line


async def test_code_that_is_left_where_it_rests_has_not_gone_on_by_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @workflow
    async def patient() -> object:
        return await wait_for_signal("approve")

    go = FakeEngine().go(patient)

    await go.begin()
    await go.unwind()

    assert caplog.messages == []
