"""Workflows at rest that stay where their code waits."""

import asyncio
from collections.abc import Coroutine
from uuid import UUID

import pytest

from mainspring import sleep, step, wait_for_signal, workflow
from mainspring.definitions import Workflow
from mainspring.going import Go
from mainspring.warm import Warm
from mainspring_schema.tasks import WorkflowResult, WorkflowTask
from mainspring_schema.workflows import StepRecord, Wait
from tests.unit.sdk.fake import CALLS, FakeEngine, Lost, double

ID = UUID(int=7)
FENCE = 3
LEFT: list[str] = []


@pytest.fixture(autouse=True)
def no_calls() -> None:
    CALLS.clear()
    LEFT.clear()


@workflow
async def patient(x: int) -> str:
    passages.append(x)
    first = await double(x)
    try:
        await sleep(3600)
        who = await wait_for_signal("approve", type=str)
    finally:
        LEFT.append("left")
    return f"{who} {await double(first)}"


passages: list[int] = []


def came(wait: Wait, result: bytes = b"null") -> StepRecord:
    return StepRecord(
        step=wait.step, name=wait.name, kind=wait.kind, input_hash=wait.input_hash, result=result
    )


def task(go: int, *, rested: int = 0, id_: UUID = ID) -> WorkflowTask:
    return WorkflowTask(workflow_id=id_, workflow_type="it", key="k", go=go, rested=rested)


class House:
    """A worker's side of goes that follow one another, with what its engine records."""

    def __init__(self, it: "Workflow[..., object]" = patient, **bounds: int) -> None:
        passages.clear()
        self.it = it
        self.engine = FakeEngine(1) if it is patient else FakeEngine()
        self.warm = Warm(**bounds)

    async def begins(self, at: WorkflowTask, *, fence: int = FENCE) -> WorkflowResult:
        go = self.engine.go(self.it)
        return await self._through(at, fence, go, go.begin())

    async def goes_on(self, at: WorkflowTask, *records: StepRecord) -> WorkflowResult:
        self.engine.keep(records)
        go = self.warm.take(at)
        assert go is not None
        kept = {one.step: one for one in records}
        return await self._through(at, FENCE, go, go.go_on(self.engine, kept))

    async def _through(
        self,
        at: WorkflowTask,
        fence: int,
        go: Go,
        passage: Coroutine[object, object, WorkflowResult],
    ) -> WorkflowResult:
        result = await self.warm.through(at, fence, go, passage)
        self.engine.keep(result.steps)
        return result


async def test_the_next_go_goes_on_where_the_code_waits() -> None:
    house = House()

    (nap,) = (await house.begins(task(1))).waits
    (approval,) = (await house.goes_on(task(2, rested=FENCE), came(nap))).waits
    last = await house.goes_on(task(3, rested=FENCE), came(approval, b'"tom"'))

    assert (last.outcome, last.result) == ("completed", b'"tom 4"')
    assert (CALLS, passages) == ([1, 2], [1])


async def test_it_knows_as_many_finds_as_a_replay_would() -> None:
    house = House()
    (nap,) = (await house.begins(task(1))).waits

    kept = (await house.goes_on(task(2, rested=FENCE), came(nap))).waits
    replayed = (await house.engine.run(patient)).waits

    assert kept == replayed
    assert [wait.seen for wait in kept] == [1]
    await house.warm.clear()


async def test_what_still_waits_is_not_news_to_the_engine() -> None:
    @workflow
    async def two() -> None:
        await asyncio.gather(wait_for_signal("a"), wait_for_signal("b"))

    house = House(two)
    first, second = (await house.begins(task(1))).waits

    (left,) = (await house.goes_on(task(2, rested=FENCE), came(first))).waits

    assert (left.step, left.armed) == (second.step, True)
    await house.warm.clear()


@pytest.mark.parametrize(
    "other",
    [task(2, rested=FENCE + 1), task(3, rested=FENCE), task(2), task(2, rested=3, id_=UUID(int=8))],
    ids=["another attempt rested", "another go between", "none rested", "another workflow"],
)
async def test_where_others_may_have_recorded_something_it_is_replayed(other: WorkflowTask) -> None:
    house = House()
    await house.begins(task(1))

    assert house.warm.places(other) is None
    assert house.warm.take(other) is None
    await house.warm.clear()


async def test_a_later_attempt_of_the_same_go_is_replayed() -> None:
    """The one before it ran elsewhere, recorded a step and died: here nobody heard of that step."""
    house = House()
    await house.begins(task(1))

    assert house.warm.places(task(2, rested=FENCE), 1) is not None
    assert house.warm.places(task(2, rested=FENCE), 2) is None
    await house.warm.clear()


async def test_code_that_moved_by_itself_is_replayed() -> None:
    moved = asyncio.Event()

    @workflow
    async def hasty() -> None:
        async def beside() -> None:
            await moved.wait()
            await double(1)

        await asyncio.gather(beside(), sleep(3600))

    house = House(hasty)
    go = house.engine.go(hasty)
    await house.warm.through(task(1), FENCE, go, go.begin())
    assert house.warm.places(task(2, rested=FENCE)) is not None
    moved.set()
    while go.rests:  # noqa: ASYNC110 - nothing tells of it, by intent
        await asyncio.sleep(0)

    assert house.warm.take(task(2, rested=FENCE)) is None
    assert CALLS == []
    await house.warm.clear()


async def test_the_least_used_ones_leave_beyond_the_bound() -> None:
    house = House(goes_max=1)
    other = task(1, id_=UUID(int=8))

    await house.begins(task(1))
    await house.begins(other)

    assert house.warm.places(task(2, rested=FENCE)) is None
    assert house.warm.places(task(2, rested=FENCE, id_=UUID(int=8))) is not None
    await house.warm.clear()
    assert LEFT == ["left", "left"]


async def test_places_passed_are_bounded_over_all_of_them() -> None:
    house = House(places_max=0)
    (nap,) = (await house.begins(task(1))).waits
    assert house.warm.places(task(2, rested=FENCE)) == (nap.step,)

    await house.goes_on(task(2, rested=FENCE), came(nap))

    assert house.warm.places(task(3, rested=FENCE)) is None
    await house.warm.clear()


async def test_without_room_it_leaves_before_its_rest_is_told() -> None:
    house = House(goes_max=0)

    await house.begins(task(1))

    assert LEFT == ["left"]


async def test_a_go_whose_task_is_lost_is_not_kept() -> None:
    @step
    async def noted() -> None:
        house.engine.lost = True

    @workflow
    async def it() -> None:
        await sleep(1)
        await noted()
        await noted()

    house = House(it)
    (nap,) = (await house.begins(task(1))).waits

    with pytest.raises(Lost):
        await house.goes_on(task(2, rested=FENCE), came(nap))

    assert house.warm.places(task(3, rested=FENCE)) is None


async def test_news_that_come_while_it_rests_move_nothing() -> None:
    house = House()
    go = house.engine.go(patient)
    (nap,) = (await house.warm.through(task(1), FENCE, go, go.begin())).waits

    go.news((came(nap),))
    await asyncio.sleep(0)
    (approval,) = (await house.goes_on(task(2, rested=FENCE), came(nap))).waits

    assert approval.name == "approve"
    await house.warm.clear()
