"""The light half of the real providers: checks what can be checked, then loads the heavy half."""

import asyncio
import importlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final, Literal, Protocol, TypeAlias, cast

from mainspring_worker.ports.failures import Kind, failure
from mainspring_worker.ports.model import ModelItem, ModelRequest

DriverName: TypeAlias = Literal["openai", "openai_completions", "anthropic", "gemini"]
"""`openai` speaks the Responses API; `openai_completions` Chat Completions, for any compatible
server with a base URL."""

DRIVERS: Final[tuple[DriverName, ...]] = ("openai", "openai_completions", "anthropic", "gemini")

_CLIENT: Final = "mainspring_worker.adapters.models.providers.client"


class Client(Protocol):
    """The heavy half: `providers.client`."""

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem, None]: ...

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
        self._check(request)
        if self._client is None:
            self._client = await self._load()
        async with aclosing(self._client.stream(request)) as items:
            async for item in items:
                yield item

    async def aclose(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _check(self, request: ModelRequest) -> None:
        # Without this the libraries would look for a key in the worker's environment.
        key = request.credentials.api_key if request.credentials else None
        own_server = self._name == "openai_completions" and request.choice.base_url is not None
        if not key and not own_server:
            message = f"no API key is stored for provider {request.choice.provider!r}"
            raise failure(Kind.MISCONFIGURED, message)

    async def _load(self) -> Client:
        # In a thread: seconds of importing would keep the worker from beating.
        try:
            module = await asyncio.to_thread(importlib.import_module, _CLIENT)
        except ImportError as error:
            message = f"driver {self._name!r} needs the extra `providers`: {error}"
            raise failure(Kind.MODEL_NOT_AVAILABLE, message) from error
        loaded = cast("_ClientModule", cast("object", module))
        return loaded.ProviderClient(self._name, proxy=self._proxy)
