"""Processes of a fleet are kept at work, started again with backoff, and drained together."""

import asyncio
import errno

import pytest

from mainspring import Fleet
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.draws import SeededDraws
from mainspring_kernel.limits import DRAIN_S
from tests.unit.sdk.fake import double


class FakeProcess:
    def __init__(self, number: int, *, obedient: bool) -> None:
        self.number = number
        self.asked: list[str] = []
        self._obedient = obedient
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def ended(self) -> int:
        return await asyncio.shield(self._code)

    def end(self, code: int) -> None:
        if not self._code.done():
            self._code.set_result(code)

    def terminate(self) -> None:
        self.asked.append("terminate")
        if self._obedient:
            self.end(0)

    def kill(self) -> None:
        self.asked.append("kill")
        self.end(-9)


class Yard:
    """Spawns fakes, and a fleet over them."""

    def __init__(self, *, processes: int, obedient: bool = True) -> None:
        self.clock = ManualClock()
        self.spawned: list[FakeProcess] = []
        self.full = False
        """Whether the machine has no room for a process more."""
        self._obedient = obedient
        self._came = asyncio.Condition()
        self.fleet = Fleet(
            [double],
            processes=processes,
            spawn=self._spawn,
            clock=self.clock,
            draws=SeededDraws(4),
        )
        self.working = asyncio.create_task(self.fleet.run())

    def _spawn(self, number: int) -> FakeProcess:
        if self.full:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        process = FakeProcess(number, obedient=self._obedient)
        self.spawned.append(process)
        return process

    async def until_spawned(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.spawned) < count:  # noqa: ASYNC110 - the loop alone moves it
                await asyncio.sleep(0)

    async def stop(self) -> None:
        self.working.cancel()
        await asyncio.wait({self.working})


async def test_a_process_that_ends_is_started_again_later_each_time() -> None:
    yard = Yard(processes=1)
    waits: list[float] = []
    for count in range(1, 5):
        await yard.until_spawned(count)
        yard.spawned[-1].end(1)
        await yard.clock.until_sleeping()
        before = yard.clock.mono()
        while len(yard.spawned) == count:
            yard.clock.advance(0.05)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        waits.append(yard.clock.mono() - before)

    assert max(waits) <= 0.5 * 2**3 + 0.1
    assert [process.number for process in yard.spawned] == [0] * 5
    await yard.stop()


async def test_the_others_go_on_when_one_ends() -> None:
    yard = Yard(processes=3)
    await yard.until_spawned(3)

    yard.spawned[1].end(-9)
    await yard.clock.until_sleeping()
    yard.clock.advance(1.0)
    await yard.until_spawned(4)

    assert [process.number for process in yard.spawned] == [0, 1, 2, 1]
    assert not any(process.asked for process in yard.spawned)
    await yard.stop()


async def test_a_process_that_could_not_be_started_is_started_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    yard = Yard(processes=1)
    await yard.until_spawned(1)
    yard.full = True
    yard.spawned[0].end(1)
    await yard.clock.until_sleeping()
    yard.clock.advance(1.0)
    async with asyncio.timeout(10):
        await yard.clock.until_sleeping()

    yard.full = False
    yard.clock.advance(2.0)
    await yard.until_spawned(2)

    assert "worker process 0 was not started (BlockingIOError: [Errno 11]" in caplog.text
    await yard.stop()


async def test_a_stop_drains_all_and_starts_none_again() -> None:
    yard = Yard(processes=2)
    await yard.until_spawned(2)

    await yard.stop()

    assert [process.asked for process in yard.spawned] == [["terminate"], ["terminate"]]


async def test_what_does_not_drain_in_time_is_killed() -> None:
    yard = Yard(processes=1, obedient=False)
    await yard.until_spawned(1)

    yard.working.cancel()
    await yard.clock.until_sleeping()
    yard.clock.advance(DRAIN_S)
    await asyncio.wait({yard.working})

    assert yard.spawned[0].asked == ["terminate", "kill"]


@pytest.mark.parametrize("processes", [0, -1, 257])
def test_a_fleet_of_nobody_or_too_many_is_refused(processes: int) -> None:
    with pytest.raises(ValueError, match="1 to 256"):
        Fleet([double], processes=processes)
