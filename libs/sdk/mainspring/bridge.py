"""A go's way to its attempt, whose loop is the stream's, and what is recorded of its workflow."""

import asyncio
from contextlib import suppress
from typing import Final

from mainspring.belonging import StepInfo, info_of
from mainspring.crossing import call_on
from mainspring.ferry import Ferry
from mainspring.going import Go
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.ids import uuid7_ms
from mainspring_kernel.limits import WORKFLOW_WAITS_MAX
from mainspring_schema.frames import History
from mainspring_schema.tasks import QueryTask, WorkflowTask
from mainspring_schema.workflows import StepRecord, Wait, prefix_of
from mainspring_workstream.attempt import Attempt

_CLOCK: Final = SystemClock()


class Bridge:
    """A go's way to its attempt, whose loop is the stream's. `ferry` goes there."""

    def __init__(
        self, attempt: Attempt, loop: asyncio.AbstractEventLoop, ferry: Ferry[None]
    ) -> None:
        self._attempt = attempt
        self._loop = loop
        self._ferry = ferry
        self.beats = Beats(attempt, loop)
        self.fence = attempt.held.fence

    def tell(self, go: Go, loop: asyncio.AbstractEventLoop) -> None:
        """News go to the user's loop from now on."""

        def news(history: History) -> None:
            with suppress(RuntimeError):  # that loop ended: nobody waits
                loop.call_soon_threadsafe(go.news, history.steps)

        self._attempt.on_news = news

    def checkpoint(
        self, steps: tuple[StepRecord, ...], waits: tuple[Wait, ...]
    ) -> "asyncio.Future[None]":
        return self._ferry.cross(lambda: self._attempt.checkpoint(steps, waits))

    async def recorded(self, places: tuple[str, ...] = ()) -> dict[str, StepRecord]:
        """What is recorded by now; of these places alone where the engine can tell."""
        return await call_on(self._loop, _recorded_now(self._attempt, places))


class Bridges:
    """Of a worker: what its goes save together crosses together."""

    def __init__(self) -> None:
        self._ferry: Ferry[None] | None = None

    def of(self, attempt: Attempt) -> Bridge:
        """Called on the stream's loop."""
        loop = asyncio.get_running_loop()
        if self._ferry is None:
            self._ferry = Ferry(loop)
        return Bridge(attempt, loop, self._ferry)


class Beats:
    """What handlers say, on its way to the attempt, whose loop is the stream's."""

    __slots__ = ("_attempt", "_loop")

    def __init__(self, attempt: Attempt, loop: asyncio.AbstractEventLoop) -> None:
        self._attempt = attempt
        self._loop = loop

    def earlier(self, step: str) -> bytes | None:
        for said in self._attempt.task.progress:
            if said.step == step:
                return said.details
        return None

    def say(self, step: str, details: bytes) -> None:
        with suppress(RuntimeError):  # that loop ended: nobody listens
            self._loop.call_soon_threadsafe(self._attempt.report, step, details)

    def info(self, step: str) -> StepInfo | None:
        return info_of(self._attempt, step)

    def age_s(self) -> float:
        # An id tells when its task was made; a wrong clock makes it older or younger.
        made_ms = uuid7_ms(self._attempt.task.held.task_id)
        return max(0.0, (_CLOCK.wall_ms() - made_ms) / 1000)

    async def kept(self, step: str) -> None:
        await call_on(self._loop, self._attempt.reported(step))

    async def leased(self) -> None:
        if not self._attempt.is_leased:
            await call_on(self._loop, self._attempt.leased())


async def recorded_at(attempt: Attempt, places: tuple[str, ...]) -> dict[str, StepRecord] | None:
    """What is recorded at these places; None where the engine cannot tell it apart."""
    found: dict[str, StepRecord] = {}
    left = places
    while left:
        asked, later = left[:WORKFLOW_WAITS_MAX], left[WORKFLOW_WAITS_MAX:]
        page = await attempt.recorded(places=asked)
        if not page.at_places:
            return None
        found |= {step.step: step for step in page.steps}
        again = page.more and bool(page.steps)
        left = tuple(place for place in asked if again and place not in found) + later
    return found


async def all_recorded(attempt: Attempt) -> dict[str, StepRecord]:
    """Everything recorded of the attempt's workflow since its code started over, by place."""
    found: dict[str, StepRecord] = {}
    payload = attempt.payload
    counted = isinstance(payload, WorkflowTask | QueryTask)
    generation = payload.generation if counted else 0
    after, more = prefix_of(generation), True
    while more:
        page = await attempt.recorded(after)
        found |= {step.step: step for step in page.steps}
        more = page.more and bool(page.steps)
        after = page.steps[-1].step if page.steps else after
    return found


async def _recorded_now(attempt: Attempt, places: tuple[str, ...]) -> dict[str, StepRecord]:
    found = await recorded_at(attempt, places) if places else None
    return await all_recorded(attempt) if found is None else found
