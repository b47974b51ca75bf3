"""A signal that comes where the code has left its wait is for who waits for it next."""

import asyncio
from itertools import count
from random import Random

import msgspec
import pytest

from mainspring import WaitTimedOut, sleep, start_over, wait_for_signal, workflow
from mainspring.definitions import Workflow
from mainspring.succession import Succession
from mainspring_schema.workflows import (
    INPUT_STEP,
    Flaw,
    StepRecord,
    Wait,
    carried_of,
    prefix_of,
)
from tests.unit.sdk.fake import FakeEngine, double


def came(wait: Wait, *, nth: int, result: bytes = b"null") -> StepRecord:
    return StepRecord(
        step=wait.step, name=wait.name, kind=wait.kind, input_hash=wait.input_hash,
        result=result, nth=nth,
    )  # fmt: skip


@workflow
async def twice() -> list[object]:
    return [await either(), await either()]


async def either(timeout_s: float | None = None) -> object:
    """The signal's payload, or that the time came first."""
    news = asyncio.create_task(wait_for_signal("news", timeout_s=timeout_s))
    time = asyncio.create_task(sleep(60))
    await asyncio.wait({news, time}, return_when=asyncio.FIRST_COMPLETED)
    found = news.result() if news.done() else "time"
    news.cancel()
    time.cancel()
    return found


@workflow
async def after_a_step() -> object:
    found = await either()
    return [found, await double(4), await wait_for_signal("news")]


async def at_the_first_wait(
    it: "Workflow[..., object]", *arguments: object
) -> tuple[FakeEngine, Wait, Wait]:
    engine = FakeEngine(*arguments)
    (news, time) = (await engine.run(it)).waits
    return engine, news, time


async def test_a_signal_behind_the_time_that_won_is_taken_by_the_next_wait() -> None:
    engine, news, time = await at_the_first_wait(twice)
    engine.keep((came(time, nth=5), came(news, nth=9, result=b'"Ada"')))

    assert (await engine.run(twice)).result == b'["time","Ada"]'


async def test_one_that_comes_later_finds_who_waits_next() -> None:
    engine, news, time = await at_the_first_wait(twice)
    engine.keep((came(time, nth=5),))

    again = await engine.run(twice)

    assert news.step in {wait.step for wait in again.waits}
    engine.keep((came(news, nth=9, result=b'"Ada"'),))
    assert (await engine.run(twice)).result == b'["time","Ada"]'


async def test_code_that_stays_where_it_waits_takes_it_too() -> None:
    engine, news, time = await at_the_first_wait(twice)
    go = engine.go(twice)
    assert (await go.begin()).outcome == "suspended"
    late = {one.step: came(one, nth=nth, result=b'"Ada"') for nth, one in ((5, time), (9, news))}

    ended = await go.go_on(engine, late)
    await go.unwind()

    assert ended.result == b'["time","Ada"]'


async def test_one_that_came_while_nobody_waited_is_kept_for_whoever_does() -> None:
    engine, news, time = await at_the_first_wait(after_a_step)
    engine.keep((came(time, nth=5), came(news, nth=9, result=b'"Ada"')))

    first = await engine.run(after_a_step)

    assert first.result == b'["time",8,"Ada"]'
    assert (await engine.go(after_a_step).run()).result == first.result


async def test_a_history_in_which_each_wait_has_its_own_place_is_replayed_as_it_was() -> None:
    engine, news, time = await at_the_first_wait(twice)
    third = Wait(step="3/1", name="news", kind="signal", input_hash=news.input_hash)
    engine.keep((came(time, nth=5), came(third, nth=9, result=b'"Bob"')))

    assert (await engine.run(twice)).result == b'["time","Bob"]'


@workflow
async def twice_in_time() -> list[object]:
    return [await either(timeout_s=90), await either(timeout_s=90)]


async def test_a_bounded_wait_takes_over_from_one_with_the_same_bound() -> None:
    engine, news, time = await at_the_first_wait(twice_in_time)
    engine.keep((came(time, nth=5),))

    again = await engine.run(twice_in_time)

    assert [one.turn for one in again.waits if one.step == news.step] == [1]
    engine.keep((came(news, nth=9, result=b'"Ada"'),))
    assert (await engine.run(twice_in_time)).result == b'["time","Ada"]'


async def test_the_time_of_who_has_left_is_not_that_of_who_waits_now() -> None:
    engine, news, time = await at_the_first_wait(twice_in_time)
    late = Flaw(code="timeout", message="signal news did not come in time")
    over = msgspec.structs.replace(came(news, nth=9), flaw=late)
    engine.keep((came(time, nth=5), over))

    again = await engine.run(twice_in_time)

    (own,) = [one for one in again.waits if one.kind == "signal"]
    assert (own.step != news.step, own.turn) == (True, 0)
    engine.keep((came(own, nth=10, result=b'"Ada"'),))
    assert (await engine.run(twice_in_time)).result == b'["time","Ada"]'


async def test_its_own_time_is_over_where_it_took_a_place_over() -> None:
    engine, news, time = await at_the_first_wait(twice_in_time)
    engine.keep((came(time, nth=5),))
    (mine,) = [one for one in (await engine.run(twice_in_time)).waits if one.step == news.step]
    late = Flaw(code="timeout", message="signal news did not come in time")
    engine.keep((msgspec.structs.replace(came(mine, nth=9), flaw=late, attempts=2),))

    assert (await engine.run(twice_in_time)).flaw is not None


@workflow
async def with_another_time() -> object:
    found = await either()
    try:
        return [found, await wait_for_signal("news", timeout_s=1)]
    except WaitTimedOut:
        return [found, "late"]


async def test_a_wait_with_another_time_takes_the_place_over_with_its_own() -> None:
    engine, news, time = await at_the_first_wait(with_another_time)
    engine.keep((came(time, nth=5),))

    (wait,) = (await engine.run(with_another_time)).waits

    assert (wait.step, wait.delay_ms, wait.turn) == (news.step, 1000, 1)
    engine.keep((came(wait, nth=9, result=b'"Ada"'),))
    assert (await engine.run(with_another_time)).result == b'["time","Ada"]'


async def test_a_wait_with_another_time_takes_what_came_before_it() -> None:
    engine, news, time = await at_the_first_wait(with_another_time)
    engine.keep((came(time, nth=5), came(news, nth=9, result=b'"Ada"')))

    assert (await engine.run(with_another_time)).result == b'["time","Ada"]'


@workflow
async def on_and_on(goes: int) -> object:
    if goes:
        return [await wait_for_signal("news", timeout_s=5), await wait_for_signal("news")]
    await either()
    return await start_over(goes + 1)


async def test_code_that_starts_over_tells_where_a_signal_may_lie_that_it_never_took() -> None:
    engine, news, time = await at_the_first_wait(on_and_on, 0)
    engine.keep((came(time, nth=5),))

    over = await engine.run(on_and_on)

    assert (over.outcome, [wait.step for wait in over.waits]) == ("renewed", [news.step])


async def test_what_nobody_took_before_the_code_started_over_is_for_who_waits_first() -> None:
    engine, place = FakeEngine(), f"{prefix_of(1)}{INPUT_STEP}"
    engine.records = {place: StepRecord(step=place, name="it", kind="input", result=b"[1]")}
    for number, payload in ((1, b'"Ada"'), (2, b'"Bob"')):
        lies = Wait(step=carried_of(1, number), name="news", kind="signal")
        engine.keep((came(lies, nth=0, result=payload),))

    assert (await engine.run(on_and_on)).result == b'["Ada","Bob"]'


async def test_a_loop_that_is_held_up_does_not_lose_the_order_for_a_place_that_was_left() -> None:
    input_ = StepRecord(step="0", name="it", kind="input")
    left, next_ = (StepRecord(step=f"{n}/1", name="s", kind="signal", nth=n) for n in (1, 2))
    succession = Succession((input_, left, next_), lambda: None)
    succession.cancelled(left.step)

    succession._stands()
    succession.again(left.step)
    came: list[str] = []

    async def come(place: str) -> None:
        await succession.of(place)
        came.append(place)

    await asyncio.gather(come(next_.step), come(left.step))
    assert (came, succession.lost) == ([left.step, next_.step], False)


@pytest.mark.parametrize("timeout_s", [None, 90])
@pytest.mark.parametrize("seed", range(30))
async def test_no_signal_is_lost_whichever_comes_first_and_a_replay_sees_the_same(
    seed: int, timeout_s: float | None
) -> None:
    draws, nth, sent = Random(f"unclaimed {seed}"), count(1), count(1)

    @workflow
    async def racing() -> list[object]:
        seen: list[object] = []
        while sum(one != "time" for one in seen) < 5:
            seen.append(await either(timeout_s))
            if draws_of_the_code.random() < 0.3:
                await double(len(seen))
        return seen

    draws_of_the_code = Random(f"code {seed}")
    engine = FakeEngine()
    result = await engine.run(racing)
    while result.outcome != "completed":
        some = draws.sample(result.waits, draws.choice((1, 1, 2)))
        payloads = [b"null" if one.kind == "sleep" else b"%d" % next(sent) for one in some]
        engine.keep(
            [came(one, nth=next(nth), result=it) for one, it in zip(some, payloads, strict=True)]
        )
        draws_of_the_code = Random(f"code {seed}")
        result = await engine.run(racing)
    taken = [one for one in msgspec.json.decode(result.result, type=list[object]) if one != "time"]
    assert sorted(taken, key=str) == list(range(1, 6))
    draws_of_the_code = Random(f"code {seed}")
    assert (await engine.go(racing).run()).result == result.result
