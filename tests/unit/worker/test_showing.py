"""What a tool writes is shown while it is at work: batched, bounded, and only by who holds it."""

import asyncio

import pytest

from mainspring_schema.events import OUTPUT_STARTED
from mainspring_schema.frames import Emit, ToWorker, Verdict
from mainspring_schema.messages import Json
from mainspring_schema.tasks import ToolResult
from mainspring_worker.ports.tool import ToolContext, ToolOutcome
from mainspring_workstream import showing
from tests.unit.worker.fake_engine import Conversation
from tests.unit.worker.making import SESSION, TURN, held, task, tool_payload
from tests.unit.worker.test_act import RESULT
from tests.unit.worker.workbench import Bench, Body, bench, tool


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(showing, "OUTPUT_QUIET_S", 0.0)


class Writing:
    """A tool that writes, and goes on when it is told to."""

    def __init__(self, *first: tuple[str, str], rest: tuple[str, str] | None = None) -> None:
        self.first = first
        self.rest = rest
        self.go = asyncio.Event()

    @property
    def body(self) -> Body:
        async def body(arguments: Json, context: ToolContext) -> ToolOutcome:
            del arguments
            for channel, text in self.first:
                context.output("stderr" if channel == "stderr" else "stdout", text)
            await self.go.wait()
            if self.rest is not None:
                context.output("stdout", self.rest[1])
            return ToolOutcome(result="done")

        return body


async def begun(b: Bench, fence: int = 1) -> tuple[Conversation, Emit]:
    engine = await b.engine.attached()
    b.log.open_anchor(SESSION, "call_1", fence)
    engine.give(task(held(fence=fence), tool_payload()))
    return engine, (await engine.until(lambda frame: frame.emits)).emits[0]


def written(b: Bench) -> list[tuple[str, str, int]]:
    return [(row.channel, row.fragment, row.attempt) for row in b.log.deltas.get(SESSION, ())]


async def result(engine: Conversation) -> ToolResult:
    return RESULT.decode((await engine.result()).body)


@pytest.mark.usefixtures("at_once")
async def test_output_is_shown_once_its_start_is_committed() -> None:
    one = Writing(("stdout", "one\n"), ("stderr", "oh\n"))
    async with bench(tools=[tool(one.body)]) as b:
        engine, emit = await begun(b)
        before = written(b)
        engine.grant_emit(held(), emit.counter)
        await b.log.appended.wait()
        one.go.set()

        assert (await result(engine)).result == "done"
    (event,) = emit.events
    assert (event.type, before) == (OUTPUT_STARTED, [])
    assert event.data == {"tool_call_id": "call_1", "tool_name": "echo"}
    assert written(b) == [("stdout", "one\n", 1), ("stderr", "oh\n", 1)]
    assert {row.turn_id for row in b.log.deltas[SESSION]} == {TURN}


@pytest.mark.usefixtures("at_once")
async def test_what_is_written_later_is_there_before_the_result() -> None:
    one = Writing(("stdout", "one\n"), rest=("stdout", "two\n"))
    async with bench(tools=[tool(one.body)]) as b:
        engine, emit = await begun(b)
        engine.grant_emit(held(), emit.counter)
        await b.log.appended.wait()
        one.go.set()

        await engine.result()
        shown = "".join(text for _, text, _ in written(b))
    assert shown == "one\ntwo\n"


@pytest.mark.usefixtures("at_once")
async def test_another_attempt_begins_anew() -> None:
    one = Writing(("stdout", "one\n"))
    async with bench(tools=[tool(one.body)]) as b:
        engine, emit = await begun(b, fence=3)
        engine.grant_emit(held(fence=3), emit.counter)
        await b.log.appended.wait()
        one.go.set()
        await engine.result()

        (row,) = b.log.deltas[SESSION]
    assert (row.attempt, row.reset, row.offset) == (3, True, 0)


@pytest.mark.usefixtures("at_once")
async def test_who_does_not_hold_the_call_any_more_shows_nothing() -> None:
    one = Writing(("stdout", "one\n"))
    async with bench(tools=[tool(one.body)]) as b:
        engine, emit = await begun(b)
        engine.grant_emit(held(), emit.counter, verdict=Verdict.STALE)
        one.go.set()

        assert (await result(engine)).result == "done"
        assert written(b) == []


async def test_a_call_that_ends_soon_shows_its_result_alone() -> None:
    one = Writing(("stdout", "one\n"))
    one.go.set()
    async with bench(tools=[tool(one.body)]) as b:
        engine = await b.engine.attached()
        engine.give(task(payload=tool_payload()))
        frame = await engine.until(lambda frame: frame.emits or frame.results)

        assert (frame.emits, len(frame.results)) == ((), 1)
        assert written(b) == []


@pytest.mark.usefixtures("at_once")
async def test_what_is_shown_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(showing, "OUTPUT_SHOWN_CHARS_MAX", 6)
    one = Writing(("stdout", "12345678"), rest=("stdout", "9"))
    async with bench(tools=[tool(one.body)]) as b:
        engine, emit = await begun(b)
        engine.grant_emit(held(), emit.counter)
        await b.log.appended.wait()
        one.go.set()
        await engine.result()

        assert written(b) == [("stdout", "123456", 1)]


@pytest.mark.usefixtures("at_once")
async def test_what_is_no_unicode_is_shown_as_it_can_be() -> None:
    one = Writing(("stdout", "éclair \udce9\n"))
    async with bench(tools=[tool(one.body)]) as b:
        engine, emit = await begun(b)
        engine.grant_emit(held(), emit.counter)
        await b.log.appended.wait()
        one.go.set()

        assert (await result(engine)).result == "done"
    assert written(b) == [("stdout", "éclair ?\n", 1)]


@pytest.mark.usefixtures("at_once")
async def test_a_cancelled_call_does_not_wait_for_a_start_that_nobody_answers() -> None:
    one = Writing(("stdout", "one\n"))
    async with bench(tools=[tool(one.body)]) as b:
        engine, _ = await begun(b)
        engine.say(ToWorker(cancelled=(held(),)))

        assert (await result(engine)).status == "cancelled"
        assert written(b) == []
