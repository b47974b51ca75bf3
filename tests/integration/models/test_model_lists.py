"""Lists of models, as each provider gives them, and what becomes of a provider that does not."""

from typing import cast

import pytest

from mainspring_worker.adapters.models.providers import profiles
from mainspring_worker.adapters.models.providers.driver import DRIVERS, DriverName, ProviderDriver
from mainspring_worker.domain.limits import PROVIDER_MODELS_MAX
from mainspring_worker.ports.model import Credentials, Deadlines, ModelFailure, OfferRequest
from tests.integration.models.asking import KEY
from tests.integration.models.provider import Answer, Cut, Provider, Send, Stall, provider

Drivers = dict[str, ProviderDriver]
NOW_MS = 1_790_000_000_000
OPENAI = b'{"object":"list","data":[{"id":"big-1","object":"model"},{"id":"text-embedding-3"}]}'
CLAUDE = b'{"data":[{"type":"model","id":"big-1","display_name":"Big"}],"has_more":false}'
GEMINI = (
    b'{"models":[{"name":"models/big-1","displayName":"Big","outputTokenLimit":9,'
    b'"supportedGenerationMethods":["generateContent"]},'
    b'{"name":"models/embed","supportedGenerationMethods":["embedContent"]}]}'
)
LISTS = {
    "openai": OPENAI, "openai_completions": OPENAI, "anthropic": CLAUDE, "gemini": GEMINI,
}  # fmt: skip
each_driver = pytest.mark.parametrize("name", DRIVERS)


def said(body: bytes, **more: object) -> Answer:
    return Answer([Send(body)], content_type="application/json", **more)  # pyright: ignore[reportArgumentType] -- members of an answer


def asked(name: str, fake: Provider, deadlines: Deadlines | None = None) -> OfferRequest:
    return OfferRequest(
        provider="Fake",
        now_ms=NOW_MS,
        base_url=fake.url + ("/v1" if name.startswith("openai") else ""),
        credentials=Credentials(api_key=KEY),
        deadlines=deadlines or Deadlines(total_ms=10_000),
    )


async def refused(driver: ProviderDriver, request: OfferRequest) -> ModelFailure:
    with pytest.raises(ModelFailure) as caught:
        await driver.offered(request)
    return caught.value


@each_driver
async def test_what_can_be_talked_to_is_found(drivers: Drivers, name: DriverName) -> None:
    async with provider(said(LISTS[name])) as fake:
        found = await drivers[name].offered(asked(name, fake))

    assert [one.model for one in found.models] == ["big-1"]
    assert found.skipped == (0 if name == "anthropic" else 1)
    assert KEY in " ".join(fake.asked[0].headers.values())
    assert KEY not in fake.asked[0].path


@pytest.mark.parametrize(
    ("name", "first", "last", "behind"),
    [
        (
            "anthropic",
            b'{"data":[{"id":"a"}],"has_more":true,"last_id":"a&b"}',
            b'{"data":[{"id":"c"}],"has_more":false,"last_id":"c"}',
            "/v1/models?limit=1000&after_id=a%26b",
        ),
        (
            "gemini",
            b'{"models":[{"name":"models/a"}],"nextPageToken":"a&b"}',
            b'{"models":[{"name":"models/c"},{"name":"models/a"}]}',
            "/v1beta/models?pageSize=1000&pageToken=a%26b",
        ),
    ],
)
async def test_a_list_is_read_to_its_end(
    drivers: Drivers, name: str, first: bytes, last: bytes, behind: str
) -> None:
    async with provider(said(last)) as fake:
        fake.first.append(said(first))
        found = await drivers[name].offered(asked(name, fake))

    assert {one.model for one in found.models} == {"a", "c"}
    assert fake.asked[1].path == behind


async def test_a_list_without_end_is_refused(drivers: Drivers) -> None:
    endless = b'{"data":[{"id":"a"}],"has_more":true,"last_id":"a"}'
    async with provider(said(endless)) as fake:
        failed = await refused(drivers["anthropic"], asked("anthropic", fake))

    assert failed.failure.code == "invalid_model_output"


async def test_a_list_of_too_many_is_refused(drivers: Drivers) -> None:
    many = ",".join(f'{{"id":"m-{number}"}}' for number in range(PROVIDER_MODELS_MAX + 1))
    async with provider(said(f'{{"data":[{many}]}}'.encode())) as fake:
        failed = await refused(drivers["openai"], asked("openai", fake))

    assert failed.failure.code == "invalid_model_output"


@each_driver
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "provider_misconfigured"),
        (403, "provider_misconfigured"),
        (404, "provider_rejected_request"),
        (429, "rate_limited"),
        (500, "service_unavailable"),
        (503, "service_unavailable"),
    ],
)
async def test_a_refusal_is_told_in_the_providers_words_without_the_key(
    drivers: Drivers, name: str, status: int, code: str
) -> None:
    body = f'{{"error":{{"message":"no, {KEY} is bad","type":"x"}}}}'.encode()
    async with provider(said(body, status=status, headers={"retry-after": "7"})) as fake:
        failed = await refused(drivers[name], asked(name, fake))

    assert failed.failure.code == code
    assert failed.failure.message == f"status {status}: no, … is bad"
    assert failed.failure.retry_after_ms == 7000


async def test_what_another_server_says_is_not_passed_on(drivers: Drivers) -> None:
    async with provider(said(b"<html>the inner pages</html>", status=403)) as fake:
        failed = await refused(drivers["openai"], asked("openai", fake))

    assert failed.failure.message == "status 403"


async def test_the_key_is_not_carried_to_where_a_redirect_leads(drivers: Drivers) -> None:
    async with provider(said(OPENAI)) as other:
        moved = said(b"", status=302, headers={"location": f"{other.url}/v1/models"})
        async with provider(moved) as fake:
            failed = await refused(drivers["openai"], asked("openai", fake))

    assert "302" in failed.failure.message
    assert other.asked == []


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"data":[{"id":3}]}', b'{"data":{}}'])
async def test_what_is_no_list_is_refused(drivers: Drivers, body: bytes) -> None:
    async with provider(said(body)) as fake:
        failed = await refused(drivers["openai"], asked("openai", fake))

    assert failed.failure.code == "invalid_model_output"


@pytest.mark.parametrize("hangs", ["before", "within"])
async def test_a_silent_provider_has_a_bound(drivers: Drivers, hangs: str) -> None:
    silent = Answer([Send(b'{"data":['), Stall()], stall_before_headers=hangs == "before")
    async with provider(silent) as fake:
        request = asked("openai", fake, Deadlines(total_ms=100))
        failed = await refused(drivers["openai"], request)
        await fake.gone.wait()

    assert failed.failure.code == "provider_timeout"


async def test_a_broken_answer_is_no_short_list(drivers: Drivers) -> None:
    async with provider(Answer([Send(b'{"data":['), Cut()])) as fake:
        failed = await refused(drivers["openai"], asked("openai", fake))

    assert failed.failure.error_class == "transient"


# ── what is known beside the list ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "model"),
    [("openai", "gpt-5.2"), ("anthropic", "claude-sonnet-4-5"), ("gemini", "gemini-2.5-flash")],
)
def test_a_known_model_has_its_prices(name: DriverName, model: str) -> None:
    request = OfferRequest(provider="Theirs", now_ms=NOW_MS)

    profile = profiles.known(name, model, request, output_tokens=64_000)

    assert profile is not None
    cost = cast("dict[str, float]", profile["cost"])
    assert 0 < cost["cache_read"] < cost["input"] < cost["output"]
    assert cast("dict[str, int]", profile["limits"])["output"] == 64_000
    assert (profile["tool_call"], profile["attachment"]) == (True, True)


def test_a_model_at_an_address_of_ones_own_has_nobody_elses_prices() -> None:
    request = OfferRequest(provider="Mine", now_ms=NOW_MS, base_url="http://127.0.0.1:1/v1")

    assert profiles.known("openai", "gpt-5.2", request, output_tokens=None) is None


def test_a_model_nobody_knows_has_no_profile() -> None:
    request = OfferRequest(provider="Theirs", now_ms=NOW_MS)

    assert profiles.known("openai", "big-1", request, output_tokens=None) is None
