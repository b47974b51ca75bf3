"""Real drivers against a fake provider: the providers' own types out, their own parsers in."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from uuid import UUID

import pytest
from mainspring_harness.conversation import AssistantMessage, PromptMessage, ToolReply, UserMessage
from mainspring_schema.agents import ModelChoice, ToolDefinition
from mainspring_schema.events import ModelMetadata
from mainspring_schema.messages import TextPart, ToolCallPart
from mainspring_worker.adapters.models.providers.driver import ProviderDriver
from mainspring_worker.ports.model import (
    Credentials,
    Deadlines,
    Done,
    ModelFailure,
    ModelItem,
    ModelRequest,
    TextDelta,
    ThinkingDelta,
    ToolArgumentsDelta,
)

from tests.integration.models.dialects import (
    CACHED_TOKENS,
    DIALECTS,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    RESPONSE_ID,
    Anthropic,
    Call,
    Completions,
    Dialect,
    Gemini,
    Responses,
    Said,
)
from tests.integration.models.provider import Answer, Cut, Provider, Send, Stall, provider

KEY = "sk-very-secret"
TOOL = ToolDefinition(
    name="add",
    kind="client_side",
    description="Adds.",
    parameters={"type": "object", "properties": {"a": {"type": "number", "minimum": 0}}},
)
HELLO: tuple[PromptMessage, ...] = (
    UserMessage(message_id="message_1", content=(TextPart(text="hello"),)),
)

each_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.driver)


def request(
    dialect: Dialect,
    fake: Provider,
    *,
    messages: tuple[PromptMessage, ...] = HELLO,
    deadlines: Deadlines | None = None,
    key: str | None = KEY,
    tools: tuple[ToolDefinition, ...] = (),
    effort: str | None = None,
) -> ModelRequest:
    base = "/v1" if dialect.driver.startswith("openai") else ""
    return ModelRequest(
        choice=ModelChoice(
            model_id="model_1",
            model=dialect.model,
            provider_id="provider_1",
            driver=dialect.driver,
            provider="Fake",
            base_url=fake.url + base,
        ),
        system="Be <kind>.",
        messages=messages,
        tools=tools,
        reasoning_effort=effort,
        deadlines=deadlines or Deadlines(),
        turn_id=UUID(int=1),
        credentials=Credentials(api_key=key),
    )


@pytest.fixture(scope="module")
async def drivers() -> AsyncIterator[dict[str, ProviderDriver]]:
    made = {dialect.driver: ProviderDriver(dialect.driver) for dialect in DIALECTS}  # pyright: ignore[reportArgumentType] - the names are DriverNames
    yield made
    for driver in made.values():
        await driver.aclose()


async def read(driver: ProviderDriver, asked: ModelRequest) -> list[ModelItem]:
    async with aclosing(driver.stream(asked)) as items:
        return [item async for item in items]


async def fail(driver: ProviderDriver, asked: ModelRequest) -> ModelFailure:
    with pytest.raises(ModelFailure) as caught:
        await read(driver, asked)
    return caught.value


def whole(dialect: Dialect, said: Said) -> Answer:
    return Answer([Send(event) for event in dialect.events(said)])


def begun(dialect: Dialect, then: Sequence[Send | Cut | Stall]) -> Answer:
    """The first half of an answer, then something else."""
    events = list(dialect.events(Said(texts=("one ", "two ", "three ", "four "))))
    return Answer([*(Send(event) for event in events[:4]), *then])


def last(items: list[ModelItem]) -> Done:
    done = items[-1]
    assert isinstance(done, Done)
    return done


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


@pytest.mark.parametrize(
    "dialect", [one for one in DIALECTS if one.streams_arguments], ids=lambda one: one.driver
)
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


@pytest.mark.parametrize(
    "dialect", [one for one in DIALECTS if one.shows_thinking], ids=lambda one: one.driver
)
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


def _objects(value: object) -> Sequence[object]:
    inner: list[object] = []
    if isinstance(value, dict):
        inner = list(value.values())
    elif isinstance(value, list):
        inner = list(value)
    return [value, *(found for one in inner for found in _objects(one))]


def _texts(value: object) -> list[str]:
    return [one for one in _objects(value) if isinstance(one, str)]


CODES = {
    "openai_completions": ("rate_limit_exceeded", "invalid_api_key", "context_length_exceeded"),
    "openai": ("rate_limit_exceeded", "invalid_api_key", "context_length_exceeded"),
    "anthropic": ("rate_limit_error", "authentication_error", "invalid_request_error"),
    "gemini": ("RESOURCE_EXHAUSTED", "UNAUTHENTICATED", "INVALID_ARGUMENT"),
}
TOO_LONG = {
    "anthropic": "prompt is too long: 300000 tokens > 200000 maximum",
    "gemini": "The input token count (2000000) exceeds the maximum number of tokens allowed",
}


@each_dialect
@pytest.mark.parametrize(
    ("status", "kind", "error_class", "code"),
    [
        (429, 0, "rate_limited", "rate_limited"),
        (401, 1, "auth", "provider_misconfigured"),
        (403, 1, "auth", "provider_misconfigured"),
        (400, 2, "context_overflow", "request_too_large"),
        (413, 2, "context_overflow", "request_too_large"),
        (404, 1, "invalid_request", "model_not_available"),
        (422, 1, "invalid_request", "provider_rejected_request"),
        (500, 1, "transient", "service_unavailable"),
        (502, 1, "transient", "service_unavailable"),
        (503, 1, "transient", "service_unavailable"),
        (529, 1, "transient", "provider_overloaded"),
    ],
)
async def test_an_error_response_is_classified_and_asked_once(
    dialect: Dialect,
    drivers: dict[str, ProviderDriver],
    status: int,
    kind: int,
    error_class: str,
    code: str,
) -> None:
    words = "too much " + KEY if kind == 0 else "no"
    if kind == 2:
        words = TOO_LONG.get(dialect.driver, "the context is too long")
    their_code = CODES[dialect.driver][kind] if status in {429, 401, 403, 400, 413} else "x"
    body = dialect.error(status, words, their_code)
    answer = Answer(
        [Send(body)],
        status=status,
        headers={"retry-after": "7"} if status == 429 else {},
        content_type="application/json",
    )

    async with provider(answer) as fake:
        failure = await fail(drivers[dialect.driver], request(dialect, fake))

    assert (failure.failure.error_class, failure.failure.code) == (error_class, code)
    assert len(fake.asked) == 1
    assert failure.failure.retry_after_ms == (7000 if status == 429 else None)
    assert KEY not in failure.failure.message


@each_dialect
async def test_a_cut_connection_is_transient(
    dialect: Dialect, drivers: dict[str, ProviderDriver]
) -> None:
    async with provider(begun(dialect, [Cut()])) as fake:
        failure = await fail(drivers[dialect.driver], request(dialect, fake))

    assert failure.failure.error_class == "transient"
    assert failure.failure.code == "provider_stream_cut"
    assert len(fake.asked) == 1


@each_dialect
async def test_a_stream_that_stops_politely_but_early_is_cut_too(
    dialect: Dialect, drivers: dict[str, ProviderDriver]
) -> None:
    async with provider(begun(dialect, [])) as fake:
        failure = await fail(drivers[dialect.driver], request(dialect, fake))

    assert (failure.failure.error_class, failure.failure.code) == (
        "transient",
        "provider_stream_cut",
    )


@pytest.mark.parametrize(
    "dialect", [Completions(), Responses(), Anthropic()], ids=lambda x: x.driver
)
async def test_an_error_event_inside_a_200_counts_as_the_error(
    dialect: Dialect, drivers: dict[str, ProviderDriver]
) -> None:
    event = dialect.error_event()
    assert event is not None
    async with provider(begun(dialect, [Send(event), Stall()])) as fake:
        failure = await fail(drivers[dialect.driver], request(dialect, fake))

    assert failure.failure.error_class == "transient"
    assert failure.failure.code == "provider_overloaded"


@each_dialect
async def test_bytes_that_are_no_answer_are_transient(
    dialect: Dialect, drivers: dict[str, ProviderDriver]
) -> None:
    answer = Answer([Send(b"data: {nonsense\n\n")])
    async with provider(answer) as fake:
        failure = await fail(drivers[dialect.driver], request(dialect, fake))

    assert failure.failure.error_class == "transient"


@each_dialect
async def test_silence_before_the_headers_ends_at_the_first_byte_timer(
    dialect: Dialect, drivers: dict[str, ProviderDriver]
) -> None:
    deadlines = Deadlines(first_byte_ms=80, gap_ms=60_000)
    async with provider(Answer(stall_before_headers=True)) as fake:
        failure = await fail(drivers[dialect.driver], request(dialect, fake, deadlines=deadlines))
        await fake.gone.wait()

    assert (failure.failure.error_class, failure.failure.code) == ("transient", "provider_timeout")


@each_dialect
async def test_silence_in_mid_stream_ends_at_the_gap_timer(
    dialect: Dialect, drivers: dict[str, ProviderDriver]
) -> None:
    deadlines = Deadlines(first_byte_ms=60_000, gap_ms=80)
    async with provider(begun(dialect, [Stall()])) as fake:
        failure = await fail(drivers[dialect.driver], request(dialect, fake, deadlines=deadlines))
        await fake.gone.wait()

    assert failure.failure.code == "provider_timeout"


@each_dialect
async def test_a_call_ends_at_its_total_timer(
    dialect: Dialect, drivers: dict[str, ProviderDriver]
) -> None:
    deadlines = Deadlines(total_ms=1_000)
    async with provider(begun(dialect, [Stall()])) as fake:
        failure = await fail(drivers[dialect.driver], request(dialect, fake, deadlines=deadlines))
        await fake.gone.wait()

    assert failure.failure.code == "provider_timeout"
    assert "1000 ms" in failure.failure.message


@each_dialect
async def test_a_cancel_closes_the_providers_stream(
    dialect: Dialect, drivers: dict[str, ProviderDriver]
) -> None:
    async with provider(begun(dialect, [Stall()])) as fake:
        reading = asyncio.create_task(read(drivers[dialect.driver], request(dialect, fake)))
        await fake.sent.wait()

        reading.cancel()

        with pytest.raises(asyncio.CancelledError):
            await reading
        await fake.gone.wait()


@each_dialect
async def test_leaving_the_stream_early_closes_it(
    dialect: Dialect, drivers: dict[str, ProviderDriver]
) -> None:
    async with provider(begun(dialect, [Stall()])) as fake:
        async with aclosing(drivers[dialect.driver].stream(request(dialect, fake))) as items:
            async for item in items:
                if isinstance(item, TextDelta):
                    break
        await fake.gone.wait()


@each_dialect
async def test_nobody_listening_is_transient(
    dialect: Dialect, drivers: dict[str, ProviderDriver]
) -> None:
    async with provider(Answer()) as fake:
        pass

    failure = await fail(drivers[dialect.driver], request(dialect, fake))

    assert (failure.failure.error_class, failure.failure.code) == (
        "transient",
        "provider_connection_failed",
    )


@each_dialect
async def test_a_missing_key_never_asks_the_environment(
    dialect: Dialect, drivers: dict[str, ProviderDriver], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.setenv(name, "from-the-environment")
    async with provider(whole(dialect, Said(texts=("ok",)))) as fake:
        asked = request(dialect, fake, key=None)
        if isinstance(dialect, Completions):
            # A server of one's own may need no key; it is not given ours either.
            await read(drivers[dialect.driver], asked)
            assert "from-the-environment" not in str(fake.asked[0].headers)
        else:
            failure = await fail(drivers[dialect.driver], asked)
            assert failure.failure.code == "provider_misconfigured"
            assert fake.asked == []


async def test_a_failed_call_tells_what_it_has_cost(drivers: dict[str, ProviderDriver]) -> None:
    dialect = Anthropic()
    async with provider(begun(dialect, [Cut()])) as fake:
        failure = await fail(drivers[dialect.driver], request(dialect, fake))

    assert failure.usage is not None
    assert failure.usage.input_tokens == INPUT_TOKENS


async def test_an_unknown_effort_is_refused(drivers: dict[str, ProviderDriver]) -> None:
    async with provider(Answer()) as fake:
        failure = await fail(drivers["openai"], request(Responses(), fake, effort="huge"))

    assert failure.failure.code == "provider_rejected_request"
