"""Steps that raise what is no error to Python fail as by any other exception, and nothing hangs."""

import asyncio
from collections.abc import Callable

import pytest

from mainspring import NO_RETRY, Retry, StepFailed, step, tool, workflow
from mainspring.definitions import Step
from mainspring.plain import attempt_plain
from mainspring_kernel.draws import SeededDraws
from mainspring_workstream.exits import Escaped, contained
from tests.unit.sdk.fake import CALLS, FakeEngine
from tests.unit.sdk.test_tools import CONTEXT

PATIENCE_S = 10


class Stop(BaseException):
    """As libraries have it, for nobody to catch by chance."""


RAISED = [StopIteration, GeneratorExit, Stop]


def in_a_thread(raised: type[BaseException]) -> Step[[], None]:
    @step(retry=NO_RETRY)
    def broken() -> None:
        raise raised

    return broken


def on_the_loop(raised: type[BaseException]) -> Step[[], None]:
    @step(retry=NO_RETRY)
    async def broken() -> None:
        await asyncio.sleep(0)
        raise raised

    return broken


@pytest.mark.parametrize("raised", RAISED)
@pytest.mark.parametrize("made", [in_a_thread, on_the_loop])
async def test_a_workflow_catches_what_its_step_raised(
    made: Callable[[type[BaseException]], Step[[], None]], raised: type[BaseException]
) -> None:
    broken = made(raised)

    @workflow
    async def catches() -> str:
        try:
            await broken()
        except StepFailed as error:
            return error.flaw.code
        return "no error"

    async with asyncio.timeout(PATIENCE_S):
        result = await FakeEngine().run(catches)

    assert (result.outcome, result.result) == ("completed", b'"step_failed"')


@pytest.mark.parametrize("raised", RAISED)
@pytest.mark.parametrize("made", [in_a_thread, on_the_loop])
async def test_a_task_fails_by_what_its_step_raised(
    made: Callable[[type[BaseException]], Step[[], None]], raised: type[BaseException]
) -> None:
    broken = made(raised)

    async with asyncio.timeout(PATIENCE_S):
        result = await attempt_plain(
            broken, b"[]", failures=0, draws=SeededDraws(1), processes=None
        )

    assert result.flaw is not None
    assert (result.flaw.code, result.retry_ms) == ("step_failed", None)
    assert raised.__name__ in result.flaw.message


@step(retry=Retry.fixed(0.0, attempts=2))
async def cancels_its_own() -> None:
    CALLS.append("called")
    own = asyncio.create_task(asyncio.sleep(PATIENCE_S))
    await asyncio.sleep(0)
    own.cancel()
    await own


@step(retry=NO_RETRY)
def raises_a_cancel() -> None:
    raise asyncio.CancelledError


async def test_a_cancel_that_a_step_raises_is_tried_again_and_caught() -> None:
    @workflow
    async def catches() -> str:
        try:
            await cancels_its_own()
        except Exception as error:  # noqa: BLE001 - as people write it
            return str(error)
        return "no error"

    CALLS.clear()
    async with asyncio.timeout(PATIENCE_S):
        result = await FakeEngine().run(catches)

    assert b"step_failed: it raised CancelledError" in result.result
    assert CALLS == ["called", "called"]


@pytest.mark.parametrize("broken", [cancels_its_own, raises_a_cancel])
async def test_a_cancel_that_a_step_raises_fails_its_task(broken: Step[[], None]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        result = await attempt_plain(
            broken, b"[]", failures=1, draws=SeededDraws(1), processes=None
        )

    assert result.flaw is not None
    assert (result.flaw.code, result.retry_ms) == ("step_failed", None)


async def test_a_cancel_of_the_attempt_stays_one() -> None:
    begun = asyncio.Event()

    @step
    async def waits() -> None:
        begun.set()
        await asyncio.get_running_loop().create_future()

    attempt = asyncio.create_task(
        attempt_plain(waits, b"[]", failures=0, draws=SeededDraws(1), processes=None)
    )
    await begun.wait()
    attempt.cancel()

    with pytest.raises(asyncio.CancelledError):
        await attempt


async def test_a_branch_that_the_code_cancels_is_left() -> None:
    @step
    async def waits() -> None:
        await asyncio.get_running_loop().create_future()

    @workflow
    async def impatient() -> str:
        try:
            async with asyncio.timeout(0):
                await waits()
        except TimeoutError:
            return "left"
        return "stayed"

    async with asyncio.timeout(PATIENCE_S):
        result = await FakeEngine().run(impatient)

    assert result.result == b'"left"'


async def test_a_plain_tool_that_finds_nothing_fails_its_call() -> None:
    @tool
    def first_of(names: list[str]) -> str:
        """The first of some names."""
        return next(iter(names))

    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(Escaped, match="it raised StopIteration"):
            await first_of.call({"names": []}, CONTEXT)


async def test_code_that_is_closed_while_it_waits_is_left_as_it_is() -> None:
    code = contained(asyncio.sleep(PATIENCE_S))
    code.send(None)

    code.close()

    with pytest.raises(RuntimeError, match="cannot reuse"):
        code.send(None)
