"""Which of many have ended: one question for all, and one answer as soon as one has."""

import asyncio
from uuid import UUID

import pytest

from mainspring_api.adapters.endings import BusEndings
from mainspring_api.usecases import ends
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.ids import SeededIds
from tests.unit.api.test_overlooked_ends import Engine

IDS = SeededIds(ManualClock(), seed=1)
ORG = IDS.uuid7()


class Desk:
    """An engine that has some tasks and workflows open, and who asks which have ended."""

    def __init__(self) -> None:
        self.clock, self.engine, self.endings = ManualClock(), Engine(), BusEndings()
        self.tasks = frozenset(IDS.uuid7() for _ in range(3))
        self.workflows = frozenset(IDS.uuid7() for _ in range(2))
        self.engine.open = set(self.tasks | self.workflows)

    async def ended(self, wait_s: float) -> frozenset[UUID]:
        awaited = ends.Awaited(org_id=ORG, task_ids=self.tasks, workflow_ids=self.workflows)
        return await ends.ended(self.engine, self.endings, self.clock, awaited, wait_s=wait_s)


@pytest.mark.parametrize("kind", ["tasks", "workflows"])
async def test_those_that_end_are_told_as_soon_as_one_has(kind: str) -> None:
    desk = Desk()
    asking = asyncio.create_task(desk.ended(30.0))
    await desk.clock.until_sleeping()

    (one, *_) = desk.tasks if kind == "tasks" else desk.workflows
    desk.engine.open.remove(one)
    desk.endings.overlooked(one)

    assert await asking == {one}
    assert len(desk.engine.asked) == 2
    assert desk.endings.awaited() == ()


async def test_what_has_ended_before_is_told_at_once() -> None:
    desk = Desk()
    (gone, *_) = desk.workflows
    desk.engine.open.remove(gone)

    assert await desk.ended(30.0) == {gone}


async def test_after_the_wait_none_is_told() -> None:
    desk = Desk()
    asking = asyncio.create_task(desk.ended(30.0))
    await desk.clock.until_sleeping()

    desk.clock.advance(30.0)

    assert await asking == frozenset()


async def test_a_server_that_leaves_lets_nobody_wait() -> None:
    desk = Desk()
    asking = asyncio.create_task(desk.ended(30.0))
    await desk.clock.until_sleeping()

    desk.endings.drain()

    assert await asking == frozenset()
    assert await desk.ended(30.0) == frozenset()
