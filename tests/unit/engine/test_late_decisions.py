"""Decisions that take longer than their date holds."""

from collections.abc import Callable, Iterator

import pytest
from typing_extensions import override

from mainspring_engine.domain import decide as decisions
from mainspring_engine.domain.answers import Answer
from mainspring_engine.domain.intents import Intent
from mainspring_engine.domain.limits import COMMIT_LATE_MAX
from mainspring_engine.domain.materials import Materials
from mainspring_engine.domain.plan import Plan
from mainspring_engine.usecases import flights
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.errors import Unavailable
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_kernel.limits import CLOCK_DRIFT_MS_MAX
from mainspring_messaging import MemoryBus
from mainspring_schema.workflows import StartWorkflow
from tests.unit.engine.whole import IDS, whole_engine

LONG_S = 1.2 * CLOCK_DRIFT_MS_MAX / 1000


class LeapingClock(SystemClock):
    """Of the engine and of its store."""

    leapt_s = 0.0

    @override
    def wall_ms(self) -> int:
        return super().wall_ms() + round(self.leapt_s * 1000)

    @override
    def mono(self) -> float:
        return super().mono() + self.leapt_s


@pytest.fixture
def clock() -> LeapingClock:
    return LeapingClock()


@pytest.fixture
def slow(clock: LeapingClock, monkeypatch: pytest.MonkeyPatch) -> Callable[[Iterator[float]], None]:
    """Each next decision takes so long; StopIteration where there is one too many."""

    def install(seconds: Iterator[float]) -> None:
        def decide(plan: Plan, intent: Intent, materials: Materials) -> Answer:
            clock.leapt_s += next(seconds)
            return decisions.decide(plan, intent, materials)

        monkeypatch.setattr(flights, "decide", decide)

    return install


def start() -> StartWorkflow:
    return StartWorkflow(
        org_id=DEFAULT_ORG_ID, workflow_id=IDS.uuid7(), type="order", input=b"[]"
    )  # fmt: skip


async def test_what_was_refused_for_its_date_is_dated_when_it_will_be_decided(
    clock: LeapingClock, slow: Callable[[Iterator[float]], None]
) -> None:
    slow(left := iter([LONG_S, LONG_S]))
    async with whole_engine(MemoryBus(), clock) as engine:
        command = start()

        assert (await engine.workflows.start(command)).workflow_id == command.workflow_id

        assert list(left) == []


async def test_one_that_takes_long_only_once_is_dated_as_ever(
    clock: LeapingClock, slow: Callable[[Iterator[float]], None]
) -> None:
    slow(left := iter([LONG_S, 0.0, 0.0]))
    async with whole_engine(MemoryBus(), clock) as engine:
        await engine.workflows.start(start())

        assert list(left) == []


async def test_what_takes_ever_longer_to_decide_is_refused_after_a_few_times(
    clock: LeapingClock, slow: Callable[[Iterator[float]], None]
) -> None:
    takes = [LONG_S * 3**times for times in range(COMMIT_LATE_MAX)]
    slow(left := iter([*takes, 0.0]))
    async with whole_engine(MemoryBus(), clock) as engine:
        with pytest.raises(Unavailable, match="to decide"):
            await engine.workflows.start(start())

        await engine.workflows.start(start())
        assert list(left) == []
