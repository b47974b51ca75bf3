"""One look at everything is shared by all who ask for it at the same time."""

import asyncio
from typing import cast
from uuid import UUID

import pytest

from mainspring_engine.domain.holds import HoldTimes
from mainspring_engine.domain.samples import Sample
from mainspring_engine.ports.inspection import Inspection
from mainspring_engine.ports.store import Store
from mainspring_engine.usecases.inspecting import Inspector
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.errors import ValidationFailed
from mainspring_schema.open_work import OPEN_IDS_PER_QUESTION_MAX, FindOpen
from mainspring_schema.operations import GetHealth


class Looks:
    """Counts the looks; each waits until it may go on."""

    def __init__(self) -> None:
        self.count = 0
        self.asked, self.go = asyncio.Event(), asyncio.Event()

    async def sample(self) -> Sample:
        self.count += 1
        self.asked.set()
        await self.go.wait()
        return Sample(at_ms=self.count, routes=(), seats=(), replicas=1, dead_letters=0, cut=False)

    async def sweep_ages_ms(self) -> dict[str, int]:
        return {}


def inspector(looks: Looks, clock: ManualClock) -> Inspector:
    untyped = cast("object", looks)
    return Inspector(
        inspection=cast("Inspection", untyped),
        store=cast("Store", untyped),
        holds=HoldTimes(),
        clock=clock,
    )


async def test_a_young_answer_is_given_again_and_an_old_one_is_not() -> None:
    clock, looks = ManualClock(), Looks()
    looks.go.set()
    shown = inspector(looks, clock)

    first = await shown.health(GetHealth(age_ms_max=1000))
    clock.advance(0.9)
    again = await shown.health(GetHealth(age_ms_max=1000))
    clock.advance(0.2)
    later = await shown.health(GetHealth(age_ms_max=1000))

    assert [first.at_ms, again.at_ms, later.at_ms] == [1, 1, 2]


async def test_those_who_ask_together_share_one_look() -> None:
    clock, looks = ManualClock(), Looks()
    shown = inspector(looks, clock)
    asked = [asyncio.create_task(shown.health(GetHealth(age_ms_max=500))) for _ in range(5)]
    await looks.asked.wait()

    looks.go.set()
    answers = await asyncio.gather(*asked)

    assert looks.count == 1
    assert {answer.at_ms for answer in answers} == {1}


async def test_more_ids_than_one_read_looks_up_are_refused() -> None:
    shown = inspector(Looks(), ManualClock())
    too_many = (UUID(int=7),) * (OPEN_IDS_PER_QUESTION_MAX + 1)

    with pytest.raises(ValidationFailed, match="at most 1000 ids"):
        await shown.answer(FindOpen(ids=too_many))
