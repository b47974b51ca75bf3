"""Carries a step out, again and again as its policy says, and makes the record of it."""

import asyncio
from typing import Generic, TypeVar

from mainspring.computing import Processes
from mainspring.deadlines import too_late
from mainspring.errors import GiveUp, HeartbeatTimedOut, Unserializable
from mainspring.given import Arguments, Given
from mainspring.heartbeats import Course, attempting
from mainspring.pausing import pause
from mainspring.place import aside
from mainspring.recording import Callee
from mainspring.saying import readable, said
from mainspring.telling import failed_for_good, tried_again
from mainspring_kernel.draws import Draws
from mainspring_schema.workflows import Flaw, StepRecord
from mainspring_workstream.exits import undisturbed

T = TypeVar("T")


async def attempt_step(
    step: Callee[T],
    given: Given,
    *,
    digest: bytes,
    draws: Draws,
    processes: Processes | None,
    course: Course,
) -> StepRecord:
    """What came of it, whatever it raised."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    tries = _Tries(step, given, processes, course)
    try:
        flaw = await tries.within(course.left_s(step.close_within_s), draws)
    except TimeoutError as error:
        # What an attempt raised ended there: this is the time of all of them.
        flaw = too_late(step.close_within_s, tries.last)
        failed_for_good(f"step {step.name}", tries.last or error)
    finally:
        course.rest()
    return StepRecord(
        step=course.step,
        name=step.name,
        input_hash=digest,
        result=b"null" if flaw is not None else tries.result,
        flaw=flaw,
        attempts=tries.begun,
        duration_ms=round((loop.time() - began_s) * 1000),
    )


class _Tries(Generic[T]):
    """`begun` counts them; `result` is of the one that succeeded, `last` what one raised."""

    def __init__(
        self, step: Callee[T], given: Given, processes: Processes | None, course: Course
    ) -> None:
        self._step = step
        self._given = given
        self._processes = processes
        self._course = course
        self.begun = 0
        self.last: Exception | None = None
        self.result = b"null"

    async def within(self, left_s: float | None, draws: Draws) -> Flaw | None:
        """As `all`. Raises TimeoutError; where attempts before a crash took the time, at once."""
        if left_s is None:
            return await self.all(draws)
        if left_s <= 0:
            raise TimeoutError
        async with asyncio.timeout(left_s):
            return await self.all(draws)

    async def all(self, draws: Draws) -> Flaw | None:
        """Until one succeeds or the policy ends; why it did."""
        step = self._step
        while True:
            await self._course.begin()
            self.begun += 1
            try:
                arguments = self._given.once_more()
                called = await _call(step, arguments, self._processes, self._course)
                self.result = step.shape.kept(called, step.name)
            except Exception as error:  # noqa: BLE001 - whatever a step raises is its outcome
                self.last = error
                delay_s = step.retry.delay(error, attempt=self.begun, draw=draws.unit())
                if delay_s is None:
                    failed_for_good(f"step {step.name}", error)
                    return flaw_of(error)
                tried_again(f"step {step.name}", error, delay_s)
                await pause(delay_s)
            else:
                return None


async def _call(
    step: Callee[T], arguments: Arguments, processes: Processes | None, course: Course
) -> T:
    """One call, in a context of its own."""
    args, kwargs = arguments

    async def alone() -> T:
        with attempting(course):
            return await undisturbed(step.call(args, kwargs, processes))

    with aside():  # steps do not nest: what a step calls is part of it
        # A task of its own has a context of its own, and its cancel is ours.
        attempt = asyncio.create_task(alone())
    return await attempt


def flaw_of(error: Exception) -> Flaw:
    """What is told of an exception that user's code raised."""
    match error:
        case GiveUp():
            code = readable(error.code)
        case Unserializable():
            code = "unserializable"
        case HeartbeatTimedOut():
            code = "timeout.heartbeat"
        case TimeoutError():
            code = "timeout"
        case _:
            code = "step_failed"
    return Flaw(code=code, message=said(error), type=type(error).__name__)
