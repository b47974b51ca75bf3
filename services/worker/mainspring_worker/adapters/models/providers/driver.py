"""The light half of the real providers: checks what can be checked, then loads the heavy half."""

import asyncio
import importlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final, Literal, Protocol, TypeAlias, cast

from mainspring_schema.discovery import FoundModels
from mainspring_worker.ports.failures import Kind, failure
from mainspring_worker.ports.model import Credentials, ModelItem, ModelRequest, OfferRequest

DriverName: TypeAlias = Literal["openai", "openai_completions", "anthropic", "gemini"]
"""`openai` speaks the Responses API; `openai_completions` Chat Completions, for any compatible
server with a base URL."""

DRIVERS: Final[tuple[DriverName, ...]] = ("openai", "openai_completions", "anthropic", "gemini")

BASE_URLS: Final[dict[DriverName, str]] = {
    "openai": "https://api.openai.com/v1",
    "openai_completions": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
    "gemini": "https://generativelanguage.googleapis.com",
}
"""Given outright: the libraries would otherwise take one from the environment."""

_CLIENT: Final = "mainspring_worker.adapters.models.providers.client"


class Client(Protocol):
    """The heavy half: `providers.client`."""

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem, None]: ...

    async def offered(self, request: OfferRequest) -> FoundModels: ...

    async def aclose(self) -> None: ...


class _ClientModule(Protocol):
    def ProviderClient(self, name: DriverName, *, proxy: str | None) -> Client: ...  # noqa: N802 - a class of that module


class ProviderDriver:
    """One provider. `proxy` is the URL of a forward proxy; the environment's is never taken."""

    def __init__(self, name: DriverName, *, proxy: str | None = None) -> None:
        self._name: DriverName = name
        self._proxy = proxy
        self._client: Client | None = None

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        choice = request.choice
        self._check(request.credentials, choice.provider, choice.base_url)
        client = await self._loaded()
        async with aclosing(client.stream(request)) as items:
            async for item in items:
                yield item

    async def offered(self, request: OfferRequest) -> FoundModels:
        self._check(request.credentials, request.provider, request.base_url)
        return await (await self._loaded()).offered(request)

    async def aclose(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _check(self, credentials: Credentials | None, provider: str, base_url: str | None) -> None:
        # Without this the libraries would look for a key in the worker's environment.
        key = credentials.api_key if credentials else None
        own_server = self._name == "openai_completions" and base_url is not None
        if not key and not own_server:
            message = f"no API key is stored for provider {provider!r}"
            raise failure(Kind.MISCONFIGURED, message)

    async def _loaded(self) -> Client:
        if self._client is None:
            self._client = await self._load()
        return self._client

    async def _load(self) -> Client:
        # In a thread: seconds of importing would keep the worker from beating.
        try:
            module = await asyncio.to_thread(importlib.import_module, _CLIENT)
        except ImportError as error:
            message = f"driver {self._name!r} needs the extra `providers`: {error}"
            raise failure(Kind.MODEL_NOT_AVAILABLE, message) from error
        loaded = cast("_ClientModule", cast("object", module))
        return loaded.ProviderClient(self._name, proxy=self._proxy)
