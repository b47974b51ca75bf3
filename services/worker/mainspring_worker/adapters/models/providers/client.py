"""The heavy half of a provider's driver: one pool of connections, one attempt per call."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, TypeAlias, TypeVar, assert_never

import httpx2
from anthropic import AsyncAnthropic
from google.genai.types import HttpRetryOptions
from openai import AsyncOpenAI
from pydantic_ai.direct import model_request_stream
from pydantic_ai.models import Model, StreamedResponse
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.settings import ModelSettings

from mainspring_schema.discovery import FoundModels
from mainspring_schema.events import Usage
from mainspring_worker.adapters.models.providers import caching, errors, items, listing, prompt
from mainspring_worker.adapters.models.providers.driver import BASE_URLS, DriverName
from mainspring_worker.adapters.models.providers.transport import WATCH, Watch, Watched
from mainspring_worker.ports.failures import Kind, failure
from mainspring_worker.ports.model import (
    Credentials,
    ModelFailure,
    ModelItem,
    ModelRequest,
    OfferRequest,
    UsageReported,
)

T = TypeVar("T")

_PLACEHOLDER: Final = "set-by-the-transport"
_MAX_TOKENS: Final = {"anthropic": 16_384, "gemini": 8_192}
_SHAPING: Final[frozenset[DriverName]] = frozenset({"openai"})
"""Those who take the schema of an answer with any model and beside tools; others read of it."""
_CONNECTIONS: Final = httpx2.Limits(max_connections=1000, max_keepalive_connections=100)
_PROVIDERS_MAX: Final = 64
"""Base URLs whose client is kept: the least recently used one is made again when it is needed."""

AnyProvider: TypeAlias = OpenAIProvider | AnthropicProvider | GoogleProvider


class ProviderClient:
    """Keeps connections and the libraries' clients, one per base URL; never a key."""

    def __init__(self, name: DriverName, *, proxy: str | None) -> None:
        self._name: DriverName = name
        shared = httpx2.AsyncHTTPTransport(
            limits=_CONNECTIONS, proxy=proxy, trust_env=False, retries=0
        )
        self._http = httpx2.AsyncClient(
            transport=Watched(shared),
            trust_env=False,
            timeout=None,  # the transport watches the bytes
        )
        self._providers: dict[str, AnyProvider] = {}

    async def aclose(self) -> None:
        await self._http.aclose()

    async def offered(self, request: OfferRequest) -> FoundModels:
        headers = _headers(self._name, request.credentials)
        return await listing.offered(self._name, self._http, request, headers)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        call = _Call(request)
        try:
            async with self._open(request, call) as stream:
                call.stream = stream
                reader = items.Reader()
                events = aiter(stream)
                while (event := await call.bounded(anext(events, None))) is not None:
                    for item in reader.read(event):
                        yield item
                    if (usage := call.news()) is not None:
                        yield UsageReported(usage)
                for item in reader.rest():
                    yield item
                yield items.done(stream)
        except ModelFailure as error:
            raise ModelFailure(error.failure, call.usage()) from error
        except Exception as error:
            # No exception of a library leaves a driver.
            raise call.failed(error) from error

    @asynccontextmanager
    async def _open(
        self, request: ModelRequest, call: "_Call"
    ) -> AsyncGenerator[StreamedResponse, None]:
        provider = await self._provider(request.choice.base_url or BASE_URLS[self._name])
        model = _model(self._name, request.choice.model, provider)
        watch = Watch(request.deadlines, _headers(self._name, request.credentials))
        WATCH.set(watch)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(watch.close)
            opening = model_request_stream(
                model,
                prompt.messages(request, provider_name=model.system),
                model_settings=_settings(self._name, request),
                model_request_parameters=prompt.parameters(request, shaped=self._name in _SHAPING),
                instrument=False,
            )
            stream = await call.bounded(stack.enter_async_context(opening))
            # Closed first: leaving a stream half-read must cut the connection, not drain it.
            stack.push_async_callback(stream.close_stream)
            yield stream

    async def _provider(self, base_url: str) -> AnyProvider:
        known = self._providers.pop(base_url, None)
        if known is None:
            # In a thread: one of the libraries reads certificates for some 200 ms.
            known = await asyncio.to_thread(_provider, self._name, base_url, self._http)
        self._providers[base_url] = known
        if len(self._providers) > _PROVIDERS_MAX:
            del self._providers[next(iter(self._providers))]
        return known


class _Call:
    """One attempt: its total timer, and what it has cost."""

    def __init__(self, request: ModelRequest) -> None:
        self._request = request
        loop = asyncio.get_running_loop()
        self._deadline = loop.time() + request.deadlines.total_ms / 1000
        self._told = Usage()
        self.stream: StreamedResponse | None = None

    async def bounded(self, step: Awaitable[T]) -> T:
        """One wait inside the total timer. The timer is never held while a consumer works."""
        try:
            async with asyncio.timeout_at(self._deadline):
                return await step
        except TimeoutError as error:
            total_ms = self._request.deadlines.total_ms
            raise failure(Kind.TIMEOUT, f"no whole answer in {total_ms} ms") from error

    def usage(self) -> Usage | None:
        return None if self.stream is None else items.usage_of(self.stream.usage)

    def news(self) -> Usage | None:
        """The usage, where it changed since it was last told."""
        usage = self.usage()
        if usage is None or usage == self._told:
            return None
        self._told = usage
        return usage

    def failed(self, error: Exception) -> ModelFailure:
        credentials = self._request.credentials
        secret = credentials.api_key if credentials else None
        found = errors.classify(error, started=self.stream is not None, secret=secret)
        return ModelFailure(found.failure, self.usage())


def _settings(name: DriverName, request: ModelRequest) -> ModelSettings:
    chosen = prompt.settings(request) | caching.marks(name)
    if "max_tokens" not in chosen and name in _MAX_TOKENS:
        chosen["max_tokens"] = _MAX_TOKENS[name]
    return chosen


def _model(name: DriverName, model: str, provider: AnyProvider) -> Model:
    match provider:
        case AnthropicProvider():
            return AnthropicModel(model, provider=provider)
        case GoogleProvider():
            return GoogleModel(model, provider=provider)
        case OpenAIProvider() if name == "openai":
            return OpenAIResponsesModel(model, provider=provider)
        case OpenAIProvider():
            # A stream that stops without a finish reason was cut, whatever it said until then.
            profile = OpenAIModelProfile(openai_chat_streaming_requires_finish_reason=True)
            return OpenAIChatModel(model, provider=provider, profile=profile)
        case _:
            assert_never(provider)


def _provider(name: DriverName, base_url: str, http: httpx2.AsyncClient) -> AnyProvider:
    match name:
        case "openai" | "openai_completions":
            openai = AsyncOpenAI(
                api_key=_PLACEHOLDER, base_url=base_url, http_client=http, max_retries=0
            )
            return OpenAIProvider(openai_client=openai)
        case "anthropic":
            anthropic = AsyncAnthropic(
                api_key=_PLACEHOLDER, base_url=base_url, http_client=http, max_retries=0
            )
            return AnthropicProvider(anthropic_client=anthropic)
        case "gemini":
            # One attempt: left alone, this library makes five.
            return GoogleProvider(
                api_key=_PLACEHOLDER,
                base_url=base_url,
                http_client=http,
                retry_options=HttpRetryOptions(attempts=1),
            )
        case _:
            assert_never(name)


def _headers(name: DriverName, credentials: Credentials | None) -> dict[str, str]:
    headers = dict(credentials.headers) if credentials else {}
    key = credentials.api_key if credentials else None
    if key:
        match name:
            case "openai" | "openai_completions":
                headers["authorization"] = f"Bearer {key}"
            case "anthropic":
                headers["x-api-key"] = key
            case "gemini":
                headers["x-goog-api-key"] = key
            case _:
                assert_never(name)
    return headers
