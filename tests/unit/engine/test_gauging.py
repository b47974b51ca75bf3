"""What is measured at a slow pace for those who scrape."""

import asyncio
from typing import cast

from mainspring_engine.domain.limits import METRICS_LOOK_S
from mainspring_engine.ports.inspection import Inspection
from mainspring_engine.usecases.gauging import Gauging
from mainspring_engine.usecases.inspecting import Inspector
from mainspring_kernel.clock import ManualClock
from mainspring_schema.operations import GetHealth, Health


class Seen:
    """Answers every question, but for the second, which fails in a way that nobody foresaw."""

    def __init__(self) -> None:
        self.asked = 0

    async def health(self, _: GetHealth) -> Health:
        self.asked += 1
        if self.asked == 2:
            raise ZeroDivisionError
        return cast("Health", cast("object", self.asked))

    async def vitals(self) -> object:
        return self.asked


async def test_a_look_that_fails_is_forgotten_and_followed_by_others() -> None:
    clock, seen = ManualClock(), cast("object", Seen())
    gauging = Gauging(cast("Inspector", seen), cast("Inspection", seen), clock)
    working = asyncio.create_task(gauging.work())
    found: list[object] = []

    for _ in range(3):
        await clock.until_sleeping(1)
        found.append((gauging.health, gauging.vitals))
        clock.advance(METRICS_LOOK_S)

    assert found == [(1, 1), (None, None), (3, 3)]
    working.cancel()
