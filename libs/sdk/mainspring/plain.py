"""Plain tasks: one call of a step per task, tried again by the engine and not in the worker."""

import asyncio
from contextlib import suppress
from uuid import UUID

from mainspring.attempting import flaw_of
from mainspring.computing import Processes
from mainspring.deadlines import not_begun, too_late
from mainspring.definitions import Step
from mainspring.errors import GiveUp
from mainspring.ferry import Passage
from mainspring.heartbeats import Beats, Course, Unheard, attempting
from mainspring.telling import at_work_on, failed_for_good, tried_again
from mainspring_kernel.draws import Draws
from mainspring_kernel.ids import Prefix
from mainspring_kernel.plain_limits import PLAIN_RETRY_MS_MAX
from mainspring_schema.codec import pack
from mainspring_schema.tasks import PlainResult
from mainspring_workstream.attempt import Attempt
from mainspring_workstream.attempts import Ended
from mainspring_workstream.exits import undisturbed


async def attempt_plain(  # noqa: PLR0913 - one named option each
    step: "Step[..., object]",
    input_: bytes,
    *,
    failures: int,
    draws: Draws,
    processes: Processes | None,
    beats: Beats | None = None,
    task_id: UUID | None = None,
) -> PlainResult:
    """One attempt. `failures` counts those that failed before it: a wait outlives this worker."""
    if task_id is not None:
        at_work_on(Prefix.TASK, task_id)
    start_s, close_s, beats = step.start_within_s, step.close_within_s, beats or Unheard()
    if start_s is None and close_s is None:
        return await _attempt(step, input_, failures, draws, processes, beats)
    waited_s = beats.age_s()
    if start_s is not None and not failures and waited_s > start_s:
        # Nobody was called: that says nothing of who would have been.
        return PlainResult(flaw=not_begun(start_s), lasting=True)
    if close_s is None:
        return await _attempt(step, input_, failures, draws, processes, beats)
    now = asyncio.get_running_loop().time  # which a simulation has, too
    began_s = now() - waited_s
    with suppress(TimeoutError):
        async with asyncio.timeout(close_s - waited_s):
            result = await _attempt(step, input_, failures, draws, processes, beats)
            if result.retry_ms is None:
                return result
            used_s = now() - began_s
            if used_s + result.retry_ms / 1000 <= close_s:
                return result
    return PlainResult(flaw=too_late(close_s))


def landed(ended: Ended, attempt: Attempt, passage: Passage[PlainResult]) -> None:
    """Back on the stream's loop, which is told."""
    ended(attempt, pack(passage.value) if passage.error is None else passage.error)


async def _attempt(
    step: "Step[..., object]",
    input_: bytes,
    failures: int,
    draws: Draws,
    processes: Processes | None,
    beats: Beats,
) -> PlainResult:
    course = Course(beats, "")
    await course.begin()
    try:
        args, kwargs = _arguments(step, input_)
        # This coroutine is a task of its own, so no workflow's place reaches the step.
        with attempting(course):
            called = await undisturbed(step.call(args, kwargs, processes))
        result = PlainResult(result=step.shape.kept(called, step.name))
    except Exception as error:  # noqa: BLE001 - whatever a step raises is its outcome
        delay_s = step.retry.delay(error, attempt=failures + 1, draw=draws.unit())
        retry_ms = None if delay_s is None else min(round(delay_s * 1000), PLAIN_RETRY_MS_MAX)
        if delay_s is None:
            failed_for_good(f"step {step.name}", error)
        else:
            tried_again(f"step {step.name}", error, delay_s)
        result = PlainResult(
            flaw=flaw_of(error), retry_ms=retry_ms, lasting=step.retry.lasts(error)
        )
    if result.retry_ms is None:
        course.over()
    else:
        await course.kept()
    return result


def _arguments(
    step: "Step[..., object]", input_: bytes
) -> tuple[tuple[object, ...], dict[str, object]]:
    """Raises GiveUp for an input that does not fit: no attempt would fare better."""
    try:
        args, kwargs = step.shape.arguments(input_)
    except ValueError as error:
        message = f"the input does not fit: {error}"
        raise GiveUp("invalid_input", message) from error
    return tuple(args), kwargs
