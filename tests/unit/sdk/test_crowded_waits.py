"""More branches wait than an engine keeps waits of: they take turns, in every replay alike."""

import asyncio

from mainspring import run_child, wait_for_signal, workflow
from mainspring.checking import replay
from mainspring_kernel.limits import WORKFLOW_WAITS_MAX
from mainspring_schema.workflows import StepRecord, Wait
from tests.unit.sdk.fake import FakeEngine, double

MORE = 20


@workflow
async def leaf(n: int) -> int:
    return n


@workflow
async def many(n: int) -> int:
    return sum(await asyncio.gather(*(run_child(leaf, i) for i in range(n))))


def came(wait: Wait) -> StepRecord:
    return StepRecord(
        step=wait.step, name=wait.name, kind=wait.kind, input_hash=wait.input_hash, result=b"1"
    )


async def test_who_has_no_room_begins_to_wait_when_others_are_over() -> None:
    count = WORKFLOW_WAITS_MAX + MORE
    engine = FakeEngine(count)

    first = await engine.run(many)
    assert len(first.waits) == WORKFLOW_WAITS_MAX
    engine.keep([came(wait) for wait in first.waits])
    then = await engine.run(many)

    assert len(then.waits) == MORE
    engine.keep([came(wait) for wait in then.waits])
    assert (await engine.run(many)).result == b"%d" % count


async def test_code_that_stays_where_it_waits_goes_on_to_those_without_room() -> None:
    engine = FakeEngine(WORKFLOW_WAITS_MAX + MORE)
    go = engine.go(many)
    first = await go.begin()

    then = await go.go_on(engine, {wait.step: came(wait) for wait in first.waits})
    await go.unwind()

    assert len(then.waits) == MORE


async def test_one_that_is_cancelled_without_room_makes_way_for_the_next() -> None:
    @workflow
    async def it() -> int:
        some = [
            asyncio.create_task(wait_for_signal(f"{number}"))
            for number in range(WORKFLOW_WAITS_MAX + 2)
        ]
        await asyncio.wait(some, return_when=asyncio.FIRST_COMPLETED)
        some[WORKFLOW_WAITS_MAX].cancel()
        return len(await asyncio.gather(*some, return_exceptions=True))

    engine = FakeEngine()
    (first, *_) = (await engine.run(it)).waits
    engine.keep([came(first)])

    then = await engine.run(it)

    assert f"{WORKFLOW_WAITS_MAX + 1}" in {wait.name for wait in then.waits}


async def test_a_replay_that_calls_nothing_is_not_refused_for_its_many_steps() -> None:
    @workflow
    async def wide() -> int:
        try:
            return sum(await asyncio.gather(*(double(n) for n in range(WORKFLOW_WAITS_MAX + 1))))
        except ValueError:
            return -1

    assert await replay(wide, FakeEngine().records) is None
