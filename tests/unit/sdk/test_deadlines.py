"""The time of a step: of all its attempts together, and until it begins."""

import asyncio

import pytest
from typing_extensions import override

from mainspring import NO_RETRY, Retry, StepFailed, step, workflow
from mainspring.attempting import attempt_step
from mainspring.definitions import Step
from mainspring.given import Given
from mainspring.heartbeats import Course, Unheard
from mainspring.plain import attempt_plain
from mainspring_kernel.draws import SeededDraws
from mainspring_schema.tasks import PlainResult
from mainspring_schema.workflows import Flaw
from tests.unit.sdk.fake import CALLS, FakeEngine

AGES = 1e6
"""Seconds: whoever waits so long is not waited for."""
FOR_EVER = Retry(attempts=1_000_000, first_s=AGES, max_s=AGES)


@pytest.fixture(autouse=True)
def no_calls() -> None:
    CALLS.clear()


@step(close_within_s=0.01, retry=FOR_EVER)
async def hopeless() -> None:
    CALLS.append("hopeless")
    message = "no"
    raise ValueError(message)


@step(close_within_s=0.01, retry=NO_RETRY)
async def endless() -> None:
    await asyncio.Event().wait()


@step(timeout_s=0.01, retry=NO_RETRY)
async def slow() -> None:
    await asyncio.Event().wait()


@step(timeout_s=AGES, retry=NO_RETRY)
async def unanswered() -> None:
    message = "no answer"
    raise TimeoutError(message)


@step(start_within_s=5, close_within_s=AGES, retry=Retry(attempts=3, first_s=1.0))
async def punctual(x: int = 1) -> int:
    CALLS.append(x)
    if x < 0:
        message = "negative"
        raise ValueError(message)
    return x


class Waited(Unheard):
    """Of a task that was submitted so many seconds ago."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    @override
    def age_s(self) -> float:
        return self._seconds


async def attempt(
    one: "Step[..., object]", *, waited_s: float, failures: int = 0, input_: bytes = b"[]"
) -> PlainResult:
    beats = Waited(waited_s)
    return await attempt_plain(
        one, input_, failures=failures, draws=SeededDraws(1), processes=None, beats=beats
    )


def code_of(result: PlainResult) -> str:
    assert result.flaw is not None
    return result.flaw.code


async def test_a_step_that_is_tried_for_too_long_fails_with_the_time_of_all_attempts() -> None:
    @workflow
    async def it() -> str:
        try:
            await hopeless()
        except StepFailed as failed:
            return failed.flaw.code
        return "never"

    engine = FakeEngine()
    result = await engine.run(it)

    assert result.result == b'"timeout.schedule_to_close"'
    assert engine.records["1"].flaw == Flaw(
        code="timeout.schedule_to_close",
        message="it did not end within 0.01 s; an attempt had failed: ValueError: no",
        type="TimeoutError",
    )


@pytest.mark.parametrize("one", [hopeless, endless])
async def test_all_attempts_together_have_their_time(one: "Step[..., object]") -> None:
    record = await attempt_step(
        one, Given((), {}), digest=b"", draws=SeededDraws(1), processes=None,
        course=Course(Unheard(), "1"),
    )  # fmt: skip

    assert record.flaw is not None
    assert record.flaw.code == "timeout.schedule_to_close"
    assert record.attempts == 1


async def test_a_plain_task_that_nobody_took_in_time_is_not_begun() -> None:
    late = await attempt(punctual, waited_s=5.1)
    again = await attempt(punctual, waited_s=5.1, failures=1)

    assert (code_of(late), late.retry_ms) == ("timeout.schedule_to_start", None)
    assert again.result == b"1"
    assert CALLS == [1]


async def test_a_plain_task_has_no_more_time_than_its_wait_left_it() -> None:
    over = await attempt(endless, waited_s=1.0)
    running = await attempt(endless, waited_s=0.0)

    assert [code_of(over), code_of(running)] == ["timeout.schedule_to_close"] * 2


async def test_an_attempt_that_could_only_come_too_late_is_not_asked_for() -> None:
    in_time = await attempt(punctual, waited_s=0.0, input_=b"[-1]")
    too_late = await attempt(hopeless, waited_s=0.0)

    assert (code_of(in_time), in_time.retry_ms is None) == ("step_failed", False)
    assert (code_of(too_late), too_late.retry_ms) == ("timeout.schedule_to_close", None)


@pytest.mark.parametrize(
    ("one", "message"),
    [(slow, "an attempt did not end within 0.01 s"), (unanswered, "no answer")],
)
async def test_an_attempt_that_took_too_long_is_told_with_its_bound(
    one: "Step[[], None]", message: str
) -> None:
    @workflow
    async def it() -> None:
        await one()

    flaw = (await FakeEngine().run(it)).flaw

    assert flaw is not None
    assert (flaw.code, flaw.type) == ("timeout", "TimeoutError")
    assert flaw.message.endswith(message)
