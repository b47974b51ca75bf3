"""Carries a step out, again and again as its policy says, and makes the record of it."""

import asyncio
import logging
from typing import Final, Generic, TypeVar

from mainspring.computing import Processes
from mainspring.deadlines import too_late
from mainspring.errors import GiveUp, HeartbeatTimedOut, Unserializable
from mainspring.heartbeats import Course, attempting
from mainspring.place import aside
from mainspring.recording import Callee
from mainspring.saying import readable, said
from mainspring_kernel.draws import Draws
from mainspring_schema.workflows import Flaw, StepRecord
from mainspring_workstream.exits import undisturbed

T = TypeVar("T")
Arguments = tuple[tuple[object, ...], dict[str, object]]
_LOG: Final = logging.getLogger("mainspring")


async def attempt_step(
    step: Callee[T],
    arguments: Arguments,
    *,
    digest: bytes,
    draws: Draws,
    processes: Processes | None,
    course: Course,
) -> tuple[StepRecord, BaseException | None]:
    """The record, and what the last attempt raised where it failed for good."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    tries = _Tries(step, arguments, processes, course)
    flaw: Flaw | None
    cause: BaseException | None
    try:
        flaw, cause = await tries.within(course.left_s(step.close_within_s), draws)
    except TimeoutError as error:
        # What an attempt raised ended there: this is the time of all of them.
        flaw, cause = too_late(step.close_within_s), error
    finally:
        course.rest()
    record = StepRecord(
        step=course.step,
        name=step.name,
        input_hash=digest,
        result=b"null" if flaw is not None else tries.result,
        flaw=flaw,
        attempts=tries.begun,
        duration_ms=round((loop.time() - began_s) * 1000),
    )
    return record, cause


class _Tries(Generic[T]):
    """`begun` counts them; `result` is of the one that succeeded."""

    def __init__(
        self, step: Callee[T], arguments: Arguments, processes: Processes | None, course: Course
    ) -> None:
        self._step = step
        self._arguments = arguments
        self._processes = processes
        self._course = course
        self.begun = 0
        self.result = b"null"

    async def within(
        self, left_s: float | None, draws: Draws
    ) -> tuple[Flaw | None, BaseException | None]:
        """As `all`. Raises TimeoutError; where attempts before a crash took the time, at once."""
        if left_s is None:
            return await self.all(draws)
        if left_s <= 0:
            raise TimeoutError
        async with asyncio.timeout(left_s):
            return await self.all(draws)

    async def all(self, draws: Draws) -> tuple[Flaw | None, BaseException | None]:
        """Until one succeeds or the policy ends; what the last one raised."""
        step = self._step
        while True:
            self.begun += 1
            try:
                called = await _call(step, self._arguments, self._processes, self._course)
                self.result = step.shape.kept(called, step.name)
            except Exception as error:  # noqa: BLE001 - whatever a step raises is its outcome
                delay_s = step.retry.delay(error, attempt=self.begun, draw=draws.unit())
                if delay_s is None:
                    return flaw_of(error), error
                _LOG.info("step %s failed (%s), again in %.1f s", step.name, error, delay_s)
                await asyncio.sleep(delay_s)
            else:
                return None, None


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
