"""What a driver makes of errors, cuts, stalls, cancels and missing keys."""

import asyncio
from contextlib import aclosing

import pytest

from mainspring_worker.adapters.models.providers.driver import ProviderDriver
from mainspring_worker.ports.model import Deadlines, TextDelta
from tests.integration.models.anthropic_words import Anthropic
from tests.integration.models.asking import (
    KEY,
    begun,
    each_dialect,
    fail,
    name_of,
    read,
    request,
    whole,
)
from tests.integration.models.openai_words import Completions, Responses
from tests.integration.models.provider import Answer, Cut, Send, Stall, provider
from tests.integration.models.said import INPUT_TOKENS, Dialect, Said

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


@pytest.mark.parametrize("dialect", [Completions(), Responses(), Anthropic()], ids=name_of)
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
    assert "Connect call failed" in failure.failure.message


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
