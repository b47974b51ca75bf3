"""Checkpoints of a go: what fits a frame rides it, and nothing is left behind."""

import asyncio

from mainspring.saving import Saver
from mainspring_kernel.limits import (
    FRAME_BYTES_TARGET,
    WORKFLOW_STEPS_PER_FRAME_MAX,
    WORKFLOW_WAITS_MAX,
)
from mainspring_schema.workflows import ChildStart, StepRecord, Wait

THIRD = FRAME_BYTES_TARGET // 3
CHECKPOINTS = list[tuple[list[str], list[str]]]


def child(step: str, size: int) -> Wait:
    start = ChildStart(type="order", input=b"1" * size)
    return Wait(step=step, name="order", kind="child", child=start)


def record(step: str, size: int) -> StepRecord:
    return StepRecord(step=step, name="add", result=b"1" * size)


async def saved(records: list[StepRecord], waits: list[Wait]) -> CHECKPOINTS:
    """The places in each checkpoint of what was kept together."""
    landed: CHECKPOINTS = []

    async def checkpoint(steps: tuple[StepRecord, ...], armed: tuple[Wait, ...]) -> None:
        landed.append(([step.step for step in steps], [wait.step for wait in armed]))

    saver = Saver(checkpoint, done=lambda: None, failed=lambda _: None)
    for one in records:
        saver.keep(one)
    saver.arm(tuple(waits))
    async with asyncio.timeout(10):
        await saver.landed()
    return landed


async def test_what_is_light_rides_one_checkpoint() -> None:
    assert await saved([record("1", 9)], [child("2", 9), child("3", 9)]) == [(["1"], ["2", "3"])]


async def test_heavy_children_are_started_by_as_many_checkpoints_as_they_need() -> None:
    heavy = [child(str(n), THIRD) for n in range(1, 9)]

    landed = await saved([], heavy)

    assert [waits for _, waits in landed] == [["1", "2", "3"], ["4", "5", "6"], ["7", "8"]]


async def test_records_go_first_and_children_into_the_room_they_leave() -> None:
    landed = await saved([record("1", 2 * THIRD)], [child("2", THIRD), child("3", THIRD)])

    assert landed == [(["1"], ["2"]), ([], ["3"])]


async def test_one_that_fills_a_frame_goes_by_itself() -> None:
    whole = FRAME_BYTES_TARGET + 1

    landed = await saved([record("1", whole)], [child("2", whole), child("3", 9)])

    assert landed == [(["1"], []), ([], ["2"]), ([], ["3"])]


async def test_a_checkpoint_has_no_more_waits_than_an_engine_takes() -> None:
    waits = [Wait(step=str(n + 1), name="s", kind="sleep") for n in range(WORKFLOW_WAITS_MAX + 1)]

    assert [len(armed) for _, armed in await saved([], waits)] == [WORKFLOW_WAITS_MAX, 1]


async def test_nothing_is_started_before_all_that_it_rests_on_is_recorded() -> None:
    records = [record(str(n), 9) for n in range(WORKFLOW_STEPS_PER_FRAME_MAX + 1)]

    landed = await saved(records, [child("child", 9)])

    assert [(len(steps), waits) for steps, waits in landed] == [
        (WORKFLOW_STEPS_PER_FRAME_MAX, []),
        (1, ["child"]),
    ]
