"""Code that ends before it was where something is recorded is another: it is held, not ended."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

import msgspec
import pytest

from mainspring import sleep, start_over, step, wait_for_signal, workflow
from mainspring.definitions import Workflow
from mainspring_schema.workflows import StepRecord
from tests.unit.sdk.fake import FakeEngine


@step
async def take(name: int) -> int:
    return name


@step
async def pause(passes: int) -> int:
    for _ in range(passes):
        await asyncio.sleep(0)
    return passes


def of(code: Callable[[], Awaitable[object]]) -> "Workflow[[], object]":
    @workflow(name="it")
    async def it() -> object:
        return await code()

    return it


async def waits_after_two() -> object:
    await take(1)
    await take(2)
    return await wait_for_signal("go")


async def recorded(code: Callable[[], Awaitable[object]] = waits_after_two) -> FakeEngine:
    """What it did until it waits."""
    engine = FakeEngine()
    result = await engine.run(of(code))
    assert result.outcome == "suspended"
    engine.waits += result.waits
    return engine


def comes(engine: FakeEngine, kind: str, nth: int) -> None:
    """What it waits for is found."""
    wait = next(one for one in engine.waits if one.kind == kind)
    engine.keep(
        [
            StepRecord(
                step=wait.step, name=wait.name, kind=wait.kind, input_hash=wait.input_hash,
                result=b'"came"', nth=nth,
            )
        ]
    )  # fmt: skip


async def returns_early() -> object:
    return await take(1)


async def raises_early() -> NoReturn:
    await take(1)
    message = "no stock"
    raise ValueError(message)


async def starts_over_early() -> NoReturn:
    await take(1)
    await start_over()


@pytest.mark.parametrize(
    ("code", "found"),
    [
        (returns_early, "its end"),
        (raises_early, "ValueError (no stock)"),
        (starts_over_early, "a start over"),
    ],
)
async def test_code_that_ends_before_a_recorded_step_is_held(
    code: Callable[[], Awaitable[object]], found: str
) -> None:
    engine = await recorded()

    result = await engine.run(of(code))

    assert result.outcome == "held"
    assert result.mismatch is not None
    assert (result.mismatch.step, result.mismatch.recorded, result.mismatch.found) == (
        "2", "step take", found,
    )  # fmt: skip


async def test_with_its_own_code_it_goes_on_where_it_was() -> None:
    engine = await recorded()
    await engine.run(of(returns_early))
    comes(engine, "signal", 1)

    result = await engine.run(of(waits_after_two))

    assert (result.outcome, result.result) == ("completed", b'"came"')


async def test_an_input_that_does_not_fit_any_more_holds_what_has_begun() -> None:
    @workflow(name="it")
    async def changed(order: str) -> str:
        return order

    begun, new = await recorded(), FakeEngine()

    held, failed = await begun.run(changed), await new.run(changed)

    assert held.outcome == "held"
    assert held.mismatch is not None
    assert "invalid_input (" in held.mismatch.found
    assert failed.outcome == "failed"


async def branches() -> object:
    async with asyncio.TaskGroup() as group:
        group.create_task(twice())
        group.create_task(twice())
    return await wait_for_signal("go")


async def twice() -> None:
    await take(1)
    await take(2)


async def test_a_branch_that_ends_early_holds_its_workflow() -> None:
    engine = await recorded(branches)

    async def shorter() -> object:
        async with asyncio.TaskGroup() as group:
            group.create_task(twice())
            group.create_task(returns_early())
        return 1

    result = await engine.run(of(shorter))

    assert result.outcome == "held"
    assert result.mismatch is not None


async def test_what_was_found_for_a_branch_that_was_left_is_passed_over_rightly() -> None:
    async def races() -> object:
        timer = asyncio.create_task(sleep(60))
        signal = asyncio.create_task(wait_for_signal("go"))
        await asyncio.wait((timer, signal), return_when=asyncio.FIRST_COMPLETED)
        timer.cancel()
        return await take(1)

    engine = await recorded(races)
    comes(engine, "signal", 1)
    comes(engine, "sleep", 2)

    result = await engine.run(of(races))

    assert (result.outcome, result.result) == ("completed", b"1")


async def test_what_the_next_generation_recorded_is_not_passed_over() -> None:
    """A query reads page by page; meanwhile the code may have started over."""

    async def rounds() -> NoReturn:
        await take(1)
        await start_over()

    engine = FakeEngine()
    await engine.run(of(rounds))
    engine.keep([StepRecord(step="a1~0", name="it", kind="input", result=b"[]")])
    engine.keep([StepRecord(step="a1~1", name="take", result=b"1", nth=1)])

    assert (await engine.run(of(rounds))).outcome == "renewed"


@pytest.mark.parametrize("passes", [0, 1, 5, 40, 100])
async def test_a_branch_that_the_end_leaves_in_its_midst_is_no_other_code(passes: int) -> None:
    """Cut off behind each of its records it goes on to its end."""

    async def leaves() -> object:
        aside = asyncio.create_task(aside_of(passes))
        found = [await take(1), await pause(passes // 2), await take(2)]
        return [*found, aside.done()]

    async def aside_of(count: int) -> None:
        for number in range(6):
            await pause(count)
            await take(number)

    engine = FakeEngine()
    await engine.run(of(leaves))
    whole = [one for one in engine.records.values() if one.kind != "input"]
    for kept in range(len(whole) + 1):
        again = FakeEngine()
        again.keep(whole[:kept])

        result = await again.run(of(leaves))

        assert result.outcome == "completed", (kept, msgspec.to_builtins(result.mismatch))


async def test_code_that_waits_for_the_world_beside_its_steps_is_no_other_code() -> None:
    """Its places may be others in a replay: what it came to first depends on the world."""

    async def aside() -> None:
        await asyncio.sleep(0.01)
        await take(3)

    async def beside_the_world() -> object:
        branch = asyncio.create_task(aside())
        found = [await pause(2000), await pause(2)]
        await branch
        return found

    engine = FakeEngine()
    await engine.run(of(beside_the_world))

    assert (await engine.run(of(beside_the_world))).outcome == "completed"


async def test_a_branch_that_the_code_leaves_earlier_than_before_is_no_other_code() -> None:
    async def heartbeat() -> None:
        while True:
            await asyncio.sleep(0.002)
            await take(9)

    async def with_a_heartbeat() -> object:
        beats = asyncio.create_task(heartbeat())
        try:
            return [await pause(500), await take(1)]
        finally:
            beats.cancel()

    engine = FakeEngine()
    await engine.run(of(with_a_heartbeat))

    assert (await engine.run(of(with_a_heartbeat))).outcome == "completed"


async def test_what_other_code_recorded_in_branches_holds_nothing_once_the_code_is_back() -> None:
    engine = await recorded()

    async def in_branches() -> object:
        await take(1)
        await asyncio.gather(take(7), take(8))
        return await wait_for_signal("go")

    await engine.run(of(in_branches))
    comes(engine, "signal", 1)

    result = await engine.run(of(waits_after_two))

    assert (result.outcome, result.result) == ("completed", b'"came"')
