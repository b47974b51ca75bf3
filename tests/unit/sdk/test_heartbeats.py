"""Heartbeats: what a handler says is there in its next attempt; one that says nothing is ended."""

import asyncio
import threading

import msgspec
import pytest
from typing_extensions import override

from mainspring import (
    AttemptOver,
    HeartbeatTimedOut,
    Retry,
    Step,
    StepFailed,
    Unserializable,
    heartbeat,
    heartbeat_details,
    step,
    workflow,
)
from mainspring.going import Go
from mainspring.heartbeats import Course, Pulse, Unheard
from mainspring.plain import attempt_plain
from mainspring_kernel.draws import SeededDraws
from mainspring_kernel.progress_limits import PROGRESS_BYTES_MAX
from mainspring_schema.tasks import PlainResult, WorkflowResult
from tests.unit.sdk.fake import FakeEngine

SEEN: list[list[tuple[str, bytes]]] = []
AT_ONCE = Retry(attempts=2, first_s=0.001)


class Shelf(Unheard):
    """Keeps what handlers say, as an engine does."""

    def __init__(self, **earlier: bytes) -> None:
        self.kept_by_step = {"" if step == "plain" else step: v for step, v in earlier.items()}
        self.said: list[tuple[str, bytes]] = []
        self.told = asyncio.Event()
        self.age = 0.0

    @override
    def age_s(self) -> float:
        return self.age

    @override
    def earlier(self, step: str) -> bytes | None:
        return self.kept_by_step.get(step)

    @override
    def say(self, step: str, details: bytes) -> None:
        self.said.append((step, details))
        self.told.set()

    @override
    async def kept(self, step: str) -> None:
        said = [details for of, details in self.said if of == step]
        self.kept_by_step |= {step: said[-1]} if said else {}


async def attempt(one: "Step[..., object]", shelf: Shelf, *, failures: int = 0) -> PlainResult:
    return await attempt_plain(
        one,
        b"[]",
        failures=failures,
        draws=SeededDraws(1),
        processes=None,
        beats=shelf,
    )


@step(retry=AT_ONCE)
async def count() -> int:
    begun = heartbeat_details(int) or 0
    for n in range(begun, 10):
        heartbeat(n)
        if n == 5 and begun < 5:
            message = "half way"
            raise RuntimeError(message)
    return begun


async def test_the_next_attempt_of_a_task_reads_what_was_said_last() -> None:
    shelf = Shelf()

    first = await attempt(count, shelf)
    kept = dict(shelf.kept_by_step)
    second = await attempt(count, shelf, failures=1)

    assert first.flaw is not None
    assert kept == {"": b"5"}, "a failed attempt is told once its last word is kept"
    assert second == PlainResult(result=b"5")
    assert shelf.said[-1] == ("", b""), "nobody needs it once the task is over"


async def test_an_attempt_elsewhere_reads_what_was_said_last() -> None:
    assert await attempt(count, Shelf(plain=b"7")) == PlainResult(result=b"7")


async def test_a_step_of_a_workflow_goes_on_from_what_its_lost_attempt_said() -> None:
    @workflow
    async def it() -> int:
        return await count()

    engine, shelf = FakeEngine(), Shelf(**{"1": b"8"})
    go = Go(it, dict(engine.records), engine, draws=SeededDraws(1), beats=shelf)

    result = await go.run()

    assert (result.outcome, result.result) == ("completed", b"8")


async def test_attempts_of_a_step_in_one_process_hand_on_what_was_said() -> None:
    @workflow
    async def it() -> int:
        return await count()

    engine = FakeEngine()

    result = await engine.run(it)

    assert result.result == b"5"
    assert engine.records["1"].attempts == 2


async def test_what_a_step_said_goes_once_its_record_is_there() -> None:
    @step
    async def after() -> list[tuple[str, bytes]]:
        return []

    @workflow
    async def it() -> None:
        await count()
        SEEN.append(list(shelf.said))
        await after()
        SEEN.append(list(shelf.said))

    engine, shelf = FakeEngine(), Shelf(**{"1": b"8"})
    SEEN.clear()

    await Go(it, dict(engine.records), engine, draws=SeededDraws(1), beats=shelf).run()

    before, behind = SEEN
    assert ("1", b"") not in before
    assert behind[-1] == ("1", b"")


async def test_a_handler_that_says_nothing_for_too_long_is_tried_again() -> None:
    @step(heartbeat_s=0.02, retry=AT_ONCE)
    async def hang() -> str:
        if heartbeat_details() is None:
            heartbeat("once")
            await asyncio.get_running_loop().create_future()
        return "done"

    shelf = Shelf()

    first = await attempt(hang, shelf)
    second = await attempt(hang, shelf, failures=1)

    assert first.flaw is not None
    assert (first.flaw.code, first.flaw.type) == ("timeout.heartbeat", "HeartbeatTimedOut")
    assert first.retry_ms is not None
    assert second == PlainResult(result=b'"done"')


async def test_in_a_workflow_it_fails_with_the_same_class_once_its_attempts_end() -> None:
    @step(heartbeat_s=0.02, retry=AT_ONCE)
    async def hang() -> None:
        await asyncio.get_running_loop().create_future()

    @workflow
    async def it() -> str:
        try:
            await hang()
        except StepFailed as failed:
            return failed.code
        return ""

    assert (await FakeEngine().run(it)).result == b'"timeout.heartbeat"'


async def test_beats_keep_a_handler_alive_without_details() -> None:
    turns = 0

    @step(heartbeat_s=3600.0, retry=AT_ONCE)
    async def slow() -> None:
        nonlocal turns
        loop = asyncio.get_running_loop()
        for _ in range(3):
            heartbeat()
            beaten = loop.create_future()
            loop.call_soon(beaten.set_result, None)
            await beaten
            turns += 1

    shelf = Shelf()

    result = await attempt(slow, shelf)

    assert (result.flaw, turns, shelf.said) == (None, 3, [])


async def test_a_beat_moves_the_end_of_an_attempt() -> None:
    pulse = Pulse(Course(Shelf(), ""))

    async with pulse.watched(3600.0) as watch:
        before = watch.when()
        pulse.beat(None)
        for _ in range(2):
            await asyncio.sleep(0)
        behind = watch.when()

    assert before is not None
    assert behind is not None
    assert behind > before


async def test_a_thread_speaks_for_its_attempt_and_learns_that_it_is_over() -> None:
    told = threading.Event()
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    loop = asyncio.get_running_loop()

    @step(timeout_s=0.05)
    def work() -> None:
        heartbeat({"row": 1})
        told.wait()
        try:
            heartbeat({"row": 2})
        except AttemptOver as error:
            loop.call_soon_threadsafe(over.set_exception, error)
        else:
            loop.call_soon_threadsafe(over.set_result, None)

    shelf = Shelf()

    result = await attempt(work, shelf)
    told.set()
    with pytest.raises(AttemptOver):
        await over

    assert result.flaw is not None
    assert result.flaw.code == "timeout"
    assert shelf.said == [("", b'{"row":1}')]


async def test_details_are_bounded_and_json() -> None:
    @step(retry=AT_ONCE)
    async def large() -> None:
        heartbeat("x" * PROGRESS_BYTES_MAX)

    @step(retry=AT_ONCE)
    async def strange() -> None:
        heartbeat(object())

    for one in (large, strange):
        result = await attempt(one, Shelf())

        assert result.flaw is not None
        assert (result.flaw.code, result.retry_ms) == ("unserializable", None)


async def test_details_of_another_type_are_told() -> None:
    @step
    async def typed() -> int | None:
        return heartbeat_details(int)

    result = await attempt(typed, Shelf(plain=b'"seven"'))

    assert result.flaw is not None
    assert result.flaw.type == msgspec.ValidationError.__name__


async def test_outside_of_an_attempt_a_heartbeat_does_nothing() -> None:
    heartbeat("alone")

    assert heartbeat_details() is None


def test_the_error_says_how_long_nothing_was_heard() -> None:
    assert str(HeartbeatTimedOut(2.5)) == "no heartbeat for 2.5 s"
    assert issubclass(Unserializable, TypeError)


# ── the time of all attempts ────────────────────────────────────────────────────────────────────


async def of_a_lost_one(began: bytes | None, *, age_s: float) -> tuple[WorkflowResult, Shelf]:
    """A step with ten minutes, in an attempt after others, where the task is so old."""
    shelf = Shelf(**({} if began is None else {"1!": began}))
    shelf.age = age_s
    engine = FakeEngine()
    go = Go(bounded, dict(engine.records), engine, draws=SeededDraws(1), beats=shelf)
    return await go.run(), shelf


@step(close_within_s=600)
async def quick() -> str:
    return "done"


@workflow
async def bounded() -> str:
    return await quick()


async def test_the_time_of_a_step_goes_on_while_nobody_is_at_work_on_it() -> None:
    late, _ = await of_a_lost_one(b"5.0", age_s=605.5)
    in_time, _ = await of_a_lost_one(b"5.0", age_s=604.5)

    assert late.flaw is not None
    assert late.flaw.code == "timeout.schedule_to_close"
    assert in_time.outcome == "completed"


async def test_a_step_that_is_over_soon_says_nothing_of_when_it_began() -> None:
    result, shelf = await of_a_lost_one(None, age_s=9.0)

    assert (result.outcome, shelf.said) == ("completed", [])


async def test_a_bounded_step_says_when_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainspring.heartbeats.PROGRESS_BEGUN_S", 0.0)
    shelf = Shelf()
    shelf.age = 7.5

    @step(close_within_s=600)
    async def slow() -> list[tuple[str, bytes]]:
        await shelf.told.wait()
        return []

    @workflow
    async def it() -> None:
        await slow()

    engine = FakeEngine()

    await Go(it, dict(engine.records), engine, draws=SeededDraws(1), beats=shelf).run()

    assert shelf.said[0] == ("1!", b"7.5")
