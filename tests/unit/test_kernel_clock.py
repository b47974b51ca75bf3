import asyncio

from mainspring_kernel.clock import ManualClock, SystemClock


async def test_sleepers_wake_in_the_order_of_their_due_times() -> None:
    clock = ManualClock()
    woke: list[str] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woke.append(name)

    tasks = [asyncio.create_task(sleeper("late", 2)), asyncio.create_task(sleeper("early", 1))]
    await clock.until_sleeping(2)
    clock.advance(2)
    await asyncio.gather(*tasks)

    assert woke == ["early", "late"]


async def test_a_sleeper_stays_asleep_until_its_time_has_come() -> None:
    clock = ManualClock()
    task = asyncio.create_task(clock.sleep(1.0))
    await clock.until_sleeping()

    clock.advance(0.999)
    await asyncio.sleep(0)

    assert not task.done()
    clock.advance(0.001)
    await task


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    clock = ManualClock()
    task = asyncio.create_task(clock.sleep(1.0))
    await clock.until_sleeping()

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert clock.sleepers == 0
    clock.advance(5)


def test_wall_time_steps_back_and_monotonic_time_does_not() -> None:
    clock = ManualClock(wall_ms=5_000)
    before = clock.mono()

    clock.step_wall(-3_000)

    assert clock.wall_ms() == 2_000
    assert clock.mono() == before


async def test_sleeping_for_nothing_only_yields() -> None:
    clock = ManualClock()

    await clock.sleep(0)
    await SystemClock().sleep(-1)

    assert clock.sleepers == 0
