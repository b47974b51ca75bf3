"""An engine looks at what it made due itself, at its time."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from mainspring_engine.domain.changes import Changes, CloseTask, Timer
from mainspring_engine.domain.rows import Closing, Head, TaskState
from mainspring_engine.usecases.alarms import Alarms
from mainspring_engine.usecases.sweeps import SweepKind, Swept
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.errors import Unavailable
from mainspring_schema.grants import SessionStatus

ID = UUID(int=1)
HEAD = Head(
    session_id=ID, org_id=ID, last_seq=0, hash=b"", ts_ms=0, status=SessionStatus.STARTED
)  # fmt: skip


def timer(delay_ms: int) -> Changes:
    new = Timer(id=ID, workflow_id=ID, kind="wait", delay_ms=delay_ms)
    return Changes(expected=HEAD, after=HEAD, timers=(new,))


def retry(delay_ms: int) -> Changes:
    close = CloseTask(
        task_id=ID, fence=1, expected=TaskState.LEASED, closing=Closing.RETRIED, delay_ms=delay_ms
    )
    return Changes(expected=HEAD, after=HEAD, closes=(close,))


class Sweeper:
    """Notes the sweeps, each with the answer it is given."""

    def __init__(self) -> None:
        self.made: list[SweepKind] = []
        self._more = asyncio.Condition()
        self.answers: list[Swept | Exception] = []

    async def sweep(self, kind: SweepKind) -> Swept:
        self.made.append(kind)
        async with self._more:
            self._more.notify_all()
        answer = self.answers.pop(0) if self.answers else Swept(1, more=False)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def until(self, count: int) -> list[SweepKind]:
        async with self._more:
            await self._more.wait_for(lambda: len(self.made) >= count)
        return self.made


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def sweeper() -> Sweeper:
    return Sweeper()


@pytest.fixture
async def alarms(clock: ManualClock, sweeper: Sweeper) -> AsyncIterator[Alarms]:
    alarms = Alarms(clock)
    working = asyncio.create_task(alarms.work(sweeper.sweep))
    yield alarms
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def test_it_looks_when_a_timer_is_due_and_not_before(
    alarms: Alarms, clock: ManualClock, sweeper: Sweeper
) -> None:
    alarms.committed(timer(1000))
    await clock.until_sleeping()

    clock.advance(0.9)
    await clock.until_sleeping()
    assert sweeper.made == []
    clock.advance(0.2)

    assert await sweeper.until(1) == [SweepKind.TIMERS]


async def test_an_earlier_alarm_comes_first(
    alarms: Alarms, clock: ManualClock, sweeper: Sweeper
) -> None:
    alarms.committed(timer(60_000))
    await clock.until_sleeping()
    alarms.committed(retry(100))

    clock.advance(0.2)

    assert await sweeper.until(1) == [SweepKind.RETRIES]


async def test_what_is_due_together_is_one_look(
    alarms: Alarms, clock: ManualClock, sweeper: Sweeper
) -> None:
    for _ in range(100):
        alarms.committed(timer(50))
    await clock.until_sleeping()

    clock.advance(0.1)
    await sweeper.until(1)
    alarms.committed(timer(10))
    clock.advance(0.1)

    assert await sweeper.until(2) == [SweepKind.TIMERS] * 2


async def test_a_full_pass_is_followed_by_another(
    alarms: Alarms, clock: ManualClock, sweeper: Sweeper
) -> None:
    sweeper.answers = [Swept(500, more=True), Swept(1, more=False)]
    alarms.committed(timer(50))
    await clock.until_sleeping()

    clock.advance(0.1)

    assert await sweeper.until(2) == [SweepKind.TIMERS] * 2


async def test_an_absent_store_is_left_to_the_sweep(
    alarms: Alarms, clock: ManualClock, sweeper: Sweeper
) -> None:
    sweeper.answers = [Unavailable("away")]
    alarms.committed(timer(50))
    await clock.until_sleeping()

    clock.advance(0.1)
    await sweeper.until(1)
    alarms.committed(timer(200))
    clock.advance(0.3)

    assert len(await sweeper.until(2)) == 2
