"""Real drivers against a fake provider: the providers' own types out, their own parsers in."""

from typing import cast

import msgspec
import pytest

from mainspring_harness.conversation import AssistantMessage, ToolReply
from mainspring_schema.events import ModelMetadata
from mainspring_schema.messages import Json, ToolCallPart
from mainspring_worker.adapters.models.providers.driver import ProviderDriver
from mainspring_worker.ports.model import Done, TextDelta, ThinkingDelta, ToolArgumentsDelta
from tests.integration.models.asking import (
    HELLO,
    KEY,
    TOOL,
    each_dialect,
    last,
    name_of,
    read,
    request,
    whole,
)
from tests.integration.models.dialects import DIALECTS
from tests.integration.models.gemini_words import Gemini
from tests.integration.models.provider import provider
from tests.integration.models.said import (
    CACHED_TOKENS,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    RESPONSE_ID,
    Call,
    Dialect,
    Said,
)


@each_dialect
async def test_text_streams_and_the_end_tells_all(
    dialect: Dialect, drivers: dict[str, ProviderDriver]
) -> None:
    async with provider(whole(dialect, Said(texts=("Hel", "lo ", "you")))) as fake:
        items = await read(drivers[dialect.driver], request(dialect, fake))

    assert [item.text for item in items if isinstance(item, TextDelta)] == ["Hel", "lo ", "you"]
    done = last(items)
    assert (done.text, done.finish_reason, done.tool_calls) == ("Hello you", "stop", ())
    assert done.response_id == RESPONSE_ID
    assert done.usage.input_tokens == INPUT_TOKENS
    assert done.usage.output_tokens == OUTPUT_TOKENS
    assert done.usage.cache_read_tokens == CACHED_TOKENS


@each_dialect
async def test_tool_calls_stream_their_arguments(
    dialect: Dialect, drivers: dict[str, ProviderDriver]
) -> None:
    calls = (Call("add", ('{"a"', ": 1", "}"), "id_1"), Call("add", ('{"a": 2}',), "id_2"))
    said = Said(texts=("Let me see.",), calls=calls, finish="tool_call")

    async with provider(whole(dialect, said)) as fake:
        items = await read(drivers[dialect.driver], request(dialect, fake, tools=(TOOL,)))

    done = last(items)
    assert [(call.name, call.arguments.replace(" ", "")) for call in done.tool_calls] == [
        ("add", '{"a":1}'),
        ("add", '{"a":2}'),
    ]
    deltas = [item for item in items if isinstance(item, ToolArgumentsDelta)]
    joined = ["".join(d.fragment for d in deltas if d.index == index) for index in (0, 1)]
    assert [text.replace(" ", "") for text in joined] == ['{"a":1}', '{"a":2}']
    if dialect.streams_arguments:
        assert sum(delta.index == 0 and bool(delta.fragment) for delta in deltas) == 3


@pytest.mark.parametrize("dialect", [one for one in DIALECTS if one.streams_arguments], ids=name_of)
async def test_arguments_that_are_no_json_arrive_as_they_were_written(
    dialect: Dialect, drivers: dict[str, ProviderDriver]
) -> None:
    said = Said(calls=(Call("add", ('{"a": ', "oops")),), finish="tool_call")

    async with provider(whole(dialect, said)) as fake:
        items = await read(drivers[dialect.driver], request(dialect, fake, tools=(TOOL,)))

    assert [call.arguments for call in last(items).tool_calls] == ['{"a": oops']


@each_dialect
async def test_an_answer_at_its_token_bound_says_so(
    dialect: Dialect, drivers: dict[str, ProviderDriver]
) -> None:
    async with provider(whole(dialect, Said(texts=("cut off",), finish="length"))) as fake:
        items = await read(drivers[dialect.driver], request(dialect, fake))

    assert last(items).finish_reason == "length"


@pytest.mark.parametrize("dialect", [one for one in DIALECTS if one.shows_thinking], ids=name_of)
async def test_thinking_streams_and_comes_back_signed(
    dialect: Dialect, drivers: dict[str, ProviderDriver]
) -> None:
    calls = (Call("add", ('{"a": 1}',), "id_1"),)
    said = Said(thinking=("I ", "think"), calls=calls, finish="tool_call")
    driver = drivers[dialect.driver]
    async with provider(whole(dialect, said)) as fake:
        items = await read(driver, request(dialect, fake, tools=(TOOL,)))
    done = last(items)

    answered = AssistantMessage(
        message_id="message_2",
        tool_calls=(ToolCallPart(id="call_1", name="add", arguments={"a": 1}),),
        thinking=done.thinking,
        thinking_signature=done.thinking_signature,
        model=ModelMetadata(model="model-2026", provider_id="provider_1"),
    )
    reply = ToolReply(tool_call_id="call_1", name="add", text="2")
    async with provider(whole(dialect, Said(texts=("two",)))) as fake:
        messages = (*HELLO, answered, reply)
        await read(driver, request(dialect, fake, messages=messages, tools=(TOOL,)))

    thoughts = [item.text for item in items if isinstance(item, ThinkingDelta)]
    assert "".join(thoughts) == "I think" == done.thinking
    sent = str(fake.asked[0].body)
    # Gemini takes its signature as base64 beside the call it belongs to.
    assert ("c2VhbGVk" if isinstance(dialect, Gemini) else "sealed") in sent


@each_dialect
async def test_reasoning_of_another_provider_is_not_sent_on(
    dialect: Dialect, drivers: dict[str, ProviderDriver]
) -> None:
    answered = AssistantMessage(
        message_id="message_2",
        text="yes",
        thinking="SECRET THOUGHT",
        thinking_signature='{"thoughts":[{"signature":"FOREIGN"}]}',
        model=ModelMetadata(model="other", provider_id="provider_2"),
    )
    async with provider(whole(dialect, Said(texts=("ok",)))) as fake:
        await read(
            drivers[dialect.driver], request(dialect, fake, messages=(*HELLO, answered, *HELLO))
        )

    sent = str(fake.asked[0].body)
    assert "yes" in sent
    assert "SECRET" not in sent
    assert "FOREIGN" not in sent


@each_dialect
async def test_the_prompt_is_sent_as_it_was_built(
    dialect: Dialect, drivers: dict[str, ProviderDriver]
) -> None:
    async with provider(whole(dialect, Said(texts=("ok",)))) as fake:
        await read(drivers[dialect.driver], request(dialect, fake, tools=(TOOL,)))

    (asked,) = fake.asked
    assert asked.path.endswith(dialect.path)
    texts = _texts(asked.body)
    assert "Be <kind>." in texts
    assert "hello" in texts
    assert {"a": {"type": "number", "minimum": 0}} in list(_objects(asked.body))
    assert KEY in str(asked.headers)


@each_dialect
async def test_the_schema_of_an_answer_goes_to_those_who_take_it_with_any_model(
    dialect: Dialect, drivers: dict[str, ProviderDriver]
) -> None:
    schema: Json = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 9}}}
    said = Said(texts=('{"n": 1}',))
    async with provider(whole(dialect, said)) as fake:
        asked = request(dialect, fake, tools=(TOOL,))
        asking = msgspec.structs.replace(asked, output_schema=schema)
        items = await read(drivers[dialect.driver], asking)

    (sent,) = fake.asked
    assert (schema in _objects(sent.body)) == (dialect.driver == "openai")
    assert isinstance(items[-1], Done)
    assert items[-1].text == '{"n": 1}'


def _objects(value: object) -> list[object]:
    inner: list[object] = []
    if isinstance(value, dict):
        inner = list(cast("dict[str, object]", value).values())
    elif isinstance(value, list):
        inner = cast("list[object]", value)
    return [value, *(found for one in inner for found in _objects(one))]


def _texts(value: object) -> list[str]:
    return [one for one in _objects(value) if isinstance(one, str)]
