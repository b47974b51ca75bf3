"""A model call: what the model is asked, what people see of it, what is reported."""

import asyncio
from collections.abc import AsyncGenerator, Callable

import msgspec
import pytest

from mainspring_schema.agents import CapabilityRef, ToolDefinition, encode_runtime_agent
from mainspring_schema.events import StoredDelta, Usage
from mainspring_schema.frames import Config, Emit, FromWorker, ToWorker
from mainspring_schema.tasks import Failure, ReasonResult
from mainspring_worker.ports.model import (
    Done,
    ModelFailure,
    ModelItem,
    ModelRequest,
    RawToolCall,
    TextDelta,
    ThinkingDelta,
    ToolArgumentsDelta,
    UsageReported,
)
from tests.unit.worker.fake_engine import WAIT_S, Conversation
from tests.unit.worker.making import (
    ANCHOR,
    CONFIG_HASH,
    SESSION,
    TURN,
    agent,
    config,
    config_of,
    held,
    history,
    reason_payload,
    task,
)
from tests.unit.worker.workbench import Bench, Script, bench

RESULT = msgspec.msgpack.Decoder(ReasonResult)
LONG = "x" * 5000


def says(*items: ModelItem, then: Callable[[], object] | None = None) -> Script:
    async def script(request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        del request
        for item in items:
            yield item
        if then is not None:
            then()

    return script


async def answer(b: Bench, *, fence: int = 1, conf: Config | None = None) -> ReasonResult:
    engine = await b.engine.attached()
    give(engine, fence=fence, conf=conf)
    return RESULT.decode((await engine.result()).body)


def give(engine: Conversation, *, fence: int = 1, conf: Config | None = None) -> None:
    engine.give(task(held(fence=fence), reason_payload(), config=conf or config(), tail=history()))


def emitted(frame: FromWorker) -> Emit:
    assert len(frame.emits) == 1
    return frame.emits[0]


async def test_answer_is_reported_with_all_that_the_engine_needs() -> None:
    usage = Usage(input_tokens=5, output_tokens=2)
    done = Done(text="hi", usage=usage, finish_reason="stop", response_id="r1", response_model="m1")
    async with bench(script=says(TextDelta("hi"), done)) as b:
        result = await answer(b)

        request = b.model.requests[0]
        assert (result.text, result.usage, result.failure) == ("hi", usage, None)
        assert (result.finish_reason, result.response_id) == ("stop", "r1")
        assert result.response_model == "m1"
        assert result.time_to_first_token_ms is not None
        assert result.message_count == 1
        assert len(result.request_hash) == 32
        assert (request.system, request.turn_id, request.attempt) == ("Be brief.", TURN, 1)


async def test_equal_requests_have_equal_hashes_and_another_text_another() -> None:
    hashes: list[bytes] = []
    for text in ("hello", "hello", "bye"):
        async with bench(script=says(Done(text="hi"))) as b:
            engine = await b.engine.attached()
            engine.give(task(held(), reason_payload(), config=config(), tail=history(text)))
            hashes.append(RESULT.decode((await engine.result()).body).request_hash)

    assert hashes[0] == hashes[1]
    assert hashes[0] != hashes[2]


async def test_tool_calls_get_stable_ids_and_unknown_ones_a_problem() -> None:
    plain = ToolDefinition(name="add", parameters={"type": "object"}, effect_class="pure")
    conf = Config(
        hash=CONFIG_HASH,
        body=encode_runtime_agent(msgspec.structs.replace(agent(), tools=(plain,))),
    )
    calls = (RawToolCall(name="add", arguments='{"a":1}'), RawToolCall(name="gone", arguments=""))
    async with bench(script=says(Done(tool_calls=calls, finish_reason="tool_call"))) as b:
        result = await answer(b, conf=conf)

        assert [call.id for call in result.tool_calls] == [
            f"call_{TURN.hex[:20]}_1_{index}" for index in (0, 1)
        ]
        assert result.tool_calls[0].arguments == {"a": 1}
        assert result.tool_calls[0].problem is None
        assert result.tool_calls[1].problem is not None
        assert result.tools == ("add",)


async def test_short_answer_sends_no_delta() -> None:
    async with bench(script=says(TextDelta("hi"), Done(text="hi"))) as b:
        await answer(b)

        assert b.log.deltas == {}


async def test_long_answer_is_streamed_before_its_result() -> None:
    async with bench(script=says(TextDelta(LONG), Done(text=LONG))) as b:
        proceed = asyncio.Event()

        async def script(request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
            del request
            yield TextDelta(LONG)
            await proceed.wait()
            yield TextDelta("end")
            yield Done(text=f"{LONG}end")

        b.model.script = script
        engine = await b.engine.attached()
        give(engine)
        async with asyncio.timeout(WAIT_S):
            await b.log.appended.wait()
        proceed.set()
        await engine.result()

        told = b.log.deltas[SESSION]
        assert "".join(d.fragment for d in told) == f"{LONG}end"
        assert {(d.anchor, d.attempt, d.channel) for d in told} == {(ANCHOR, 1, "text")}


async def test_the_arguments_of_each_call_stream_on_a_channel_of_their_own() -> None:
    pieces = [
        ToolArgumentsDelta(index=index, name="echo", fragment=fragment)
        for index, fragment in ((0, LONG), (1, "{}"), (0, "x"))
    ]
    async with bench() as b:

        async def script(request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
            del request
            for piece in pieces:
                yield piece
            await b.log.appended.wait()
            yield Done(text="hi")

        b.model.script = script
        await answer(b)

        told = [(delta.channel, delta.fragment) for delta in b.log.deltas[SESSION]]
        first, second = (
            "".join(fragment for on, fragment in told if on == channel)
            for channel in ("tool:0", "tool:1")
        )
        assert (first, second) == (f"{LONG}x", "{}")


async def test_later_attempt_recovers_before_its_first_delta() -> None:
    async with bench(script=says(TextDelta(LONG), TextDelta("!"), Done(text=LONG))) as b:
        b.log.events[SESSION] = list(history())
        b.log.deltas[SESSION] = [
            StoredDelta(3, 1, 0, TURN, ANCHOR, 1, "text", 0, "before"),
        ]
        engine = await b.engine.attached()
        give(engine, fence=2)
        emit = emitted(await engine.until(lambda f: f.emits))
        asked_before = len(b.model.requests)

        b.log.open_anchor(SESSION, ANCHOR, 2)
        engine.grant_emit(held(fence=2), emit.counter)

        result = RESULT.decode((await engine.result()).body)
        assert emit.events[0].type == "reason.recovered"
        assert emit.events[0].data == {
            "turn_id": f"turn_{TURN.hex}",
            "mode": "restart",
            "accumulated_len": 6,
        }
        assert asked_before == 0
        assert result.failure is None
        told = [d for d in b.log.deltas[SESSION] if d.attempt == 2]
        assert told == [] or told[0].reset


async def test_thinking_that_streams_is_announced_first() -> None:
    items = (ThinkingDelta(LONG), TextDelta("hi"), Done(text="hi", thinking=LONG))
    async with bench(script=says(*items)) as b:
        engine = await b.engine.attached()
        give(engine)
        emit = emitted(await engine.until(lambda f: f.emits))
        told_before = dict(b.log.deltas)

        engine.grant_emit(held(), emit.counter)

        result = RESULT.decode((await engine.result()).body)
        assert emit.events[0].type == "reason.thinking.started"
        assert told_before == {}
        assert result.thinking == LONG


async def test_short_thinking_is_not_announced() -> None:
    items = (ThinkingDelta("hm"), TextDelta("hi"), Done(text="hi", thinking="hm"))
    async with bench(script=says(*items)) as b:
        engine = await b.engine.attached()
        give(engine)

        frame = await engine.until(lambda f: f.results or f.emits)

        assert frame.emits == ()


@pytest.mark.parametrize("usage", [None, Usage(input_tokens=9)])
async def test_failed_call_reports_its_failure_and_what_it_used(usage: Usage | None) -> None:
    failure = Failure(error_class="rate_limited", code="slow_down", message="", retry_after_ms=7)

    async def script(request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        del request
        yield UsageReported(Usage(input_tokens=3))
        raise ModelFailure(failure, usage)

    async with bench(script=script) as b:
        result = await answer(b)

        assert result.failure == failure
        assert result.usage == (usage or Usage(input_tokens=3))


async def test_stream_without_an_end_is_a_transient_failure() -> None:
    async with bench(script=says(TextDelta("hal"))) as b:
        result = await answer(b)

        assert result.failure is not None
        assert result.failure.error_class == "transient"
        assert result.failure.code == "provider_stream_cut"


async def test_a_fault_of_our_own_is_told_as_a_failure_for_each_attempt_is_paid() -> None:
    def breaks() -> object:
        raise ZeroDivisionError

    async with bench(script=says(TextDelta("hal"), then=breaks)) as b:
        result = await answer(b)

        assert result.failure is not None
        assert (result.failure.error_class, result.failure.code) == ("unknown", "processing_error")
        assert result.failure.message == "the worker failed: ZeroDivisionError"


async def test_cancel_closes_the_model_stream_and_reports_what_was_used() -> None:
    begun = asyncio.Event()

    async def script(request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        del request
        yield UsageReported(Usage(input_tokens=3))
        yield TextDelta("so far")
        begun.set()
        await asyncio.Event().wait()

    async with bench(script=script) as b:
        engine = await b.engine.attached()
        give(engine)
        async with asyncio.timeout(WAIT_S):
            await begun.wait()

        engine.say(ToWorker(cancelled=(held(),)))

        result = RESULT.decode((await engine.result()).body)
        assert b.model.closed.is_set()
        assert result.failure is not None
        assert result.failure.error_class == "cancelled"
        assert result.usage == Usage(input_tokens=3)
        assert result.text == "so far"


async def test_unknown_driver_is_named_before_anybody_asks_for_its_key() -> None:
    async with bench(script=says(Done(text="hi"))) as b:
        result = await answer(b, conf=config(driver="unknown"))

        assert result.failure is not None
        assert result.failure.code == "model_not_available"


async def test_missing_key_is_a_failure_that_says_so() -> None:
    async with bench(script=says(Done(text="hi"))) as b:
        result = await answer(b, conf=config(driver="openai"))

        assert result.failure is not None
        assert result.failure.error_class == "auth"
        assert result.failure.code == "provider_misconfigured"
        assert b.model.requests == []


@pytest.mark.parametrize(("failures", "driver"), [(0, "openai"), (1, "fake"), (2, "openai")])
async def test_each_failure_leads_on_to_the_next_model(failures: int, driver: str) -> None:
    fallback = msgspec.structs.replace(agent().model, model="fake-2")
    first = msgspec.structs.replace(agent("openai").model, fallbacks=(fallback,))
    body = encode_runtime_agent(msgspec.structs.replace(agent(), model=first))
    given = task(
        held(), reason_payload(), config=Config(hash=CONFIG_HASH, body=body), tail=history()
    )
    async with bench(script=says(Done(text="hi"))) as b:
        engine = await b.engine.attached()
        engine.give(msgspec.structs.replace(given, failures=failures))
        result = RESULT.decode((await engine.result()).body)

        # The first one has no key here.
        assert (result.failure is None) == (driver == "fake")
        assert result.choice == failures % 2
        assert [request.choice.model for request in b.model.requests] == ["fake-2"] * (failures % 2)


async def test_capability_that_this_worker_lacks_is_a_failure() -> None:
    lacking = msgspec.structs.replace(agent(), capabilities=(CapabilityRef(ref="gone"),))
    conf = config_of(lacking)
    async with bench(script=says(Done(text="hi"))) as b:
        result = await answer(b, conf=conf)

        assert result.failure is not None
        assert result.failure.code == "unknown_capability"


async def test_log_with_a_hole_is_a_failure_not_a_prompt() -> None:
    async with bench(script=says(Done(text="hi"))) as b:
        engine = await b.engine.attached()
        engine.give(task(held(), reason_payload(), config=config(), tail=history()[2:]))

        result = RESULT.decode((await engine.result()).body)

        assert result.failure is not None
        assert result.failure.code == "transcript_broken"
