"""An engine's wall clock jumps: work goes on, and what is written bears the database's time."""

import pytest

from mainspring_kernel.clock import SystemClock
from mainspring_schema.frames import Verdict
from tests.integration.engine.house import House
from tests.integration.engine.scripted_worker import ScriptedWorker

HOUR_MS = 3_600_000


class JumpingClock(SystemClock):
    off_ms = 0

    def wall_ms(self) -> int:
        return super().wall_ms() + self.off_ms


async def answer(worker: ScriptedWorker) -> Verdict:
    task, _ = await worker.next_reason()
    worker.reply(task, "hi")
    return (await worker.acknowledged()).verdict


@pytest.mark.parametrize("hours", [-3, 3], ids=["back", "ahead"])
async def test_turns_end_and_bear_the_time_of_the_database(house: House, hours: int) -> None:
    clock, session = JumpingClock(), await house.session()
    worker = ScriptedWorker(house.ids)
    async with house.working(clock=clock) as engine:
        await worker.attach(engine.conversations)
        await house.say(engine, session, "before")
        clock.off_ms = hours * HOUR_MS  # in the middle of a turn

        assert await answer(worker) is Verdict.COMMITTED
        await house.say(engine, session, "after")
        assert await answer(worker) is Verdict.COMMITTED
        await worker.leave()

    assert (await house.types(session)).count("turn.completed") == 2
    far = "abs(ts_ms - extract(epoch from clock_timestamp()) * 1000) > 600000"
    assert await house.count(f"log.event where {far}") == 0


@pytest.mark.parametrize("hours", [-3, 3], ids=["back", "ahead"])
async def test_an_engine_that_starts_with_a_wrong_clock_learns_the_right_one(
    house: House, hours: int
) -> None:
    clock, session = JumpingClock(), await house.session()
    clock.off_ms = hours * HOUR_MS
    worker = ScriptedWorker(house.ids)

    async with house.working(clock=clock) as engine:
        await worker.attach(engine.conversations)
        await house.say(engine, session, "hello")
        assert await answer(worker) is Verdict.COMMITTED
        await worker.leave()

    assert (await house.types(session)).count("turn.completed") == 1
