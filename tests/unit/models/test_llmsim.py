import asyncio
import json
from pathlib import Path

import msgspec
import pytest

from mainspring_harness.builtin.arithmetic import TEST_MATH
from mainspring_harness.builtin.current_time import CURRENT_TIME
from mainspring_harness.builtin.weather import TEST_WEATHER
from mainspring_kernel.clock import ManualClock
from mainspring_schema.agents import ToolDefinition
from mainspring_worker.adapters.models.llmsim.answering import FIXED_TEXT
from mainspring_worker.adapters.models.llmsim.driver import LlmSim
from mainspring_worker.adapters.models.llmsim.script import KINDS
from mainspring_worker.ports.model import (
    Deadlines,
    ModelFailure,
    ModelItem,
    TextDelta,
    ThinkingDelta,
    ToolArgumentsDelta,
)
from tests.unit.models.calls import (
    OTHER_TURN,
    answered,
    collect,
    done,
    failure,
    play,
    request,
    returned,
    said,
)

TOOLS = (*TEST_MATH.tools({}), *TEST_WEATHER.tools({}), *CURRENT_TIME.tools({}))


def script(body: object, text: str = "go") -> str:
    return f"{text}\n```llmsim\n{json.dumps(body)}\n```"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def sim(clock: ManualClock) -> LlmSim:
    return LlmSim(clock)


async def called(sim: LlmSim, text: str, **more: object) -> list[tuple[str, object]]:
    answer = await done(sim, request(said(text), tools=TOOLS, **more))  # pyright: ignore[reportArgumentType] - passed through
    return [(call.name, json.loads(call.arguments)) for call in answer.tool_calls]


# ── by name ─────────────────────────────────────────────────────────────────────────────────────


async def test_an_answer_by_schema_is_made_as_arguments_are(sim: LlmSim) -> None:
    schema: dict[str, object] = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
    }
    asked = request(said("The weather in Paris for 3 days"), returned("get_weather", "{}"))

    answer = await done(sim, msgspec.structs.replace(asked, output_schema=schema))

    assert json.loads(answer.text) == {"city": "Paris", "days": 3}


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ("llmsim", FIXED_TEXT),
        ("llmsim-fixed", FIXED_TEXT),
        ("llmsim-echo", "Echo: hello"),
        ("llmsim-empty", ""),
        ("llmsim-lorem-4", "lorem ipsum dolor sit"),
    ],
)
async def test_the_models_name_decides_what_it_says(sim: LlmSim, model: str, text: str) -> None:
    answer = await done(sim, request(said("hello"), model=model))

    assert (answer.text, answer.finish_reason) == (text, "stop")


async def test_usage_is_a_quarter_of_the_characters(sim: LlmSim) -> None:
    answer = await done(sim, request(said("x" * 40), model="llmsim-echo", system="y" * 40))

    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (20, 11)


async def test_usage_is_never_zero(sim: LlmSim) -> None:
    answer = await done(sim, request(said(""), model="llmsim-empty"))

    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (1, 1)


# ── the default ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ("Please add 2 and 3.5", "add", {"a": 2, "b": 3.5}),
        ("divide -7 by 2", "divide", {"a": -7, "b": 2}),
        ("What is the weather in New York?", "get_weather", {"location": "New York"}),
        ('weather at "the old mill"', "get_weather", {"location": "the old mill"}),
        (
            "A forecast for Paris in fahrenheit, 5 days",
            "get_forecast",
            {"location": "Paris", "units": "fahrenheit", "days": 5},
        ),
        ("forecast for Oslo, 99 days", "get_forecast", {"location": "Oslo", "days": 7}),
        ("What time is it?", "get_current_time", {}),
        ("time in Europe/Kyiv", "get_current_time", {"timezone": "Europe/Kyiv"}),
    ],
)
async def test_a_tool_that_shares_a_word_is_called_with_arguments_from_the_text(
    sim: LlmSim, text: str, name: str, arguments: object
) -> None:
    assert await called(sim, text) == [(name, arguments)]


async def test_all_tools_that_fit_are_called_together(sim: LlmSim) -> None:
    calls = await called(sim, "weather in Paris and the current time")

    assert [name for name, _ in calls] == ["get_weather", "get_current_time"]


async def test_without_parallel_calls_there_is_one_at_a_time(sim: LlmSim) -> None:
    calls = await called(sim, "weather in Paris and the current time", parallel=False)

    assert [name for name, _ in calls] == ["get_weather"]


async def test_required_members_are_always_filled(sim: LlmSim) -> None:
    schema: dict[str, object] = {
        "type": "object",
        "properties": {
            "count": {"type": "integer", "minimum": 3},
            "ok": {"type": "boolean"},
            "kind": {"enum": ["x", "y"]},
            "names": {"type": "array", "items": {"type": "string"}},
            "inner": {
                "type": "object",
                "properties": {"n": {"type": ["null", "number"]}},
                "required": ["n"],
            },
            "optional": {"type": "string"},
        },
        "required": ["count", "ok", "kind", "names", "inner"],
    }
    tool = ToolDefinition(name="frobnicate", parameters=schema)

    answer = await done(sim, request(said("frobnicate it"), tools=(tool,)))

    assert json.loads(answer.tool_calls[0].arguments) == {
        "count": 3,
        "ok": True,
        "kind": "x",
        "names": ["frobnicate it"],
        "inner": {"n": 1},
    }


async def test_after_the_call_the_result_is_quoted(sim: LlmSim) -> None:
    messages = (said("add 2 and 3"), answered("add"), returned("add", '{"result":5}'))

    answer = await done(sim, request(*messages, tools=TOOLS, iteration=2))

    assert (answer.text, answer.tool_calls) == ('add returned: {"result":5}', ())


async def test_an_error_is_quoted_as_one(sim: LlmSim) -> None:
    messages = (said("add"), answered("add"), returned("add", '{"error":"no"}', "error"))

    answer = await done(sim, request(*messages, tools=TOOLS, iteration=2))

    assert answer.text == 'add failed with: {"error":"no"}'


async def test_another_turn_may_call_the_same_tool_again(sim: LlmSim) -> None:
    before = (
        said("add 2 and 3"),
        answered("add", turn=OTHER_TURN),
        returned("add", '{"result":5}'),
        answered(text="five", turn=OTHER_TURN),
    )

    answer = await done(sim, request(*before, said("add 4 and 5"), tools=TOOLS))

    assert [call.name for call in answer.tool_calls] == ["add"]


async def test_a_steering_message_is_answered_without_calling_again(sim: LlmSim) -> None:
    messages = (said("add 2 and 3"), answered("add"), returned("add", "5"), said("add some more"))

    answer = await done(sim, request(*messages, tools=TOOLS, iteration=2))

    assert (answer.text, answer.tool_calls) == ("add returned: 5", ())


# ── scripts ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_script_in_the_newest_input_decides(sim: LlmSim) -> None:
    body = script(
        {
            "turns": [
                {"thinking": "hm", "tool_calls": [{"name": "add", "arguments": {"a": 1}}]},
                {"text": "fine"},
            ]
        }
    )

    first = await play(sim, request(said(body)))
    second = await done(sim, request(said(body), answered("add"), returned("add", "1")))

    assert first[0] == ThinkingDelta("hm")
    assert first[1] == ToolArgumentsDelta(index=0, name="add", fragment='{"a":1}')
    assert second.text == "fine"


async def test_a_script_in_the_system_prompt_counts_all_answers(sim: LlmSim) -> None:
    system = f"You are a test.\n{script({'sequence': ['one', 'two']})}"
    history = (said("a"), answered(text="one", turn=OTHER_TURN), said("b"))

    assert (await done(sim, request(said("a"), system=system))).text == "one"
    assert (await done(sim, request(*history, system=system))).text == "two"


async def test_the_scope_of_a_turn_starts_anew_in_each_turn(sim: LlmSim) -> None:
    system = script({"turns": [{"text": "one"}, {"text": "two"}], "scope": "turn"})
    history = (said("a"), answered(text="one", turn=OTHER_TURN), said("b"))

    assert (await done(sim, request(*history, system=system))).text == "one"
    assert (await done(sim, request(*history, system=system, iteration=2))).text == "two"


@pytest.mark.parametrize(("mode", "text"), [("repeat_last", "two"), ("loop", "one")])
async def test_a_script_at_its_end_goes_on_as_told(sim: LlmSim, mode: str, text: str) -> None:
    body = {"turns": [{"text": "one"}, {"text": "two"}], "on_exhausted": mode, "scope": "turn"}

    assert (await done(sim, request(said(script(body)), iteration=3))).text == text


async def test_a_script_at_its_end_may_be_an_error(sim: LlmSim) -> None:
    body = {"turns": [{"text": "one"}], "on_exhausted": "error", "scope": "turn"}

    assert (await failure(sim, request(said(script(body)), iteration=2))).failure.code == (
        "processing_error"
    )


async def test_a_rule_fits_by_a_part_of_the_input(sim: LlmSim) -> None:
    system = script(
        {"when": [{"contains": "rain", "then": {"text": "Take a coat."}}], "fixed": "Hm."}
    )

    assert (await done(sim, request(said("will it rain?"), system=system))).text == "Take a coat."
    assert (await done(sim, request(said("hello"), system=system))).text == "Hm."


async def test_an_echo_leaves_the_block_out(sim: LlmSim) -> None:
    answer = await done(sim, request(said(script({"echo": True}, "say this"))))

    assert answer.text == "Echo: say this"


async def test_raw_arguments_are_passed_on_as_they_are(sim: LlmSim) -> None:
    body = script({"turns": [{"tool_calls": [{"name": "add", "raw": '{"a":'}]}]})

    answer = await done(sim, request(said(body)))

    assert (answer.tool_calls[0].arguments, answer.finish_reason) == ('{"a":', "tool_call")


@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_every_kind_of_error_can_be_scripted(sim: LlmSim, kind: str) -> None:
    error = {"kind": kind, "retry_after_ms": 50}

    failed = await failure(sim, request(said(script({"turns": [{"error": error}]}))))

    expected = KINDS[kind]  # pyright: ignore[reportArgumentType] - a key of this very table
    assert (failed.failure.error_class, failed.failure.code) == (
        expected.error_class,
        expected.code,
    )
    assert failed.failure.retry_after_ms == 50


async def test_an_error_may_strike_in_mid_text_and_only_at_first(sim: LlmSim) -> None:
    error = {"kind": "transport", "after_chars": 5, "attempts": 1}
    body = script({"turns": [{"text": "hello world", "error": error}]})
    seen: list[ModelItem] = []

    with pytest.raises(ModelFailure, match="provider_connection_failed"):
        await collect(sim, request(said(body)), into=seen)

    assert seen == [TextDelta("hello")]
    assert (await done(sim, request(said(body), attempt=2))).text == "hello world"


@pytest.mark.parametrize(
    "block", ['{"turns": [{"txt": "x"}]}', "{", '{"fixed": "a", "echo": true}', "{}"]
)
async def test_a_script_that_cannot_be_read_says_why(sim: LlmSim, block: str) -> None:
    failed = await failure(sim, request(said(f"```llmsim\n{block}\n```")))

    assert failed.failure.error_class == "invalid_request"
    assert failed.failure.message.startswith("llmsim script: ")


async def test_the_script_in_the_documentation_does_what_it_says(sim: LlmSim) -> None:
    page = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text(encoding="utf-8")
    asked = said(page.split("````")[1])
    later = (asked, answered("add"), returned("add", "3"))

    assert [call.name for call in (await done(sim, request(asked))).tool_calls] == ["add"]
    assert (await failure(sim, request(*later))).failure.code == "provider_overloaded"
    assert (await done(sim, request(*later, attempt=2))).text == "The sum is 3."


# ── pace ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_stall_ends_at_the_gap_timer(sim: LlmSim, clock: ManualClock) -> None:
    body = script({"turns": [{"text": "hello", "stall": {"after_chars": 2}}]})
    asked = request(said(body), deadlines=Deadlines(gap_ms=500))
    playing = asyncio.create_task(failure(sim, asked))
    await clock.until_sleeping()

    clock.advance(0.5)

    assert (await playing).failure.code == "provider_timeout"


async def test_a_stalled_call_can_be_cancelled(sim: LlmSim, clock: ManualClock) -> None:
    body = '```llmsim\n{"turns": [{"stall": {}}]}\n```'
    playing = asyncio.create_task(play(sim, request(said(body))))
    await clock.until_sleeping()

    playing.cancel()

    with pytest.raises(asyncio.CancelledError):
        await playing


async def test_a_name_may_fix_the_time_to_the_first_token(sim: LlmSim, clock: ManualClock) -> None:
    playing = asyncio.create_task(play(sim, request(said("hi"), model="llmsim-ttft-400")))
    await clock.until_sleeping()
    clock.advance(0.399)
    assert clock.sleepers == 1

    clock.advance(0.001)

    assert [item for item in await playing if isinstance(item, TextDelta)] == [
        TextDelta(FIXED_TEXT)
    ]


async def test_the_latency_profile_streams_word_by_word(sim: LlmSim, clock: ManualClock) -> None:
    playing = asyncio.create_task(play(sim, request(said("hi"), model="llmsim-latency")))
    waits = 0
    while not playing.done():
        await asyncio.wait(
            {playing, watching := asyncio.create_task(clock.until_sleeping())},
            return_when=asyncio.FIRST_COMPLETED,
        )
        watching.cancel()
        if clock.sleepers:
            waits += 1
            clock.advance(1)

    texts = [item.text for item in playing.result() if isinstance(item, TextDelta)]
    assert "".join(texts) == FIXED_TEXT
    assert len(texts) == len(FIXED_TEXT.split())
    assert waits == 1 + len(texts)


async def test_a_provider_slower_than_the_first_byte_timer_timed_out(
    sim: LlmSim, clock: ManualClock
) -> None:
    asked = request(said("hi"), model="llmsim-ttft-9000", deadlines=Deadlines(first_byte_ms=100))
    playing = asyncio.create_task(failure(sim, asked))
    await clock.until_sleeping()

    clock.advance(0.1)

    assert (await playing).failure.code == "provider_timeout"
