"""Asks models: access to a provider, and short answers that nobody watches."""

from contextlib import aclosing

from msgspec import structs

from mainspring_schema.agents import ModelChoice
from mainspring_schema.discovery import FoundModels
from mainspring_schema.frames import Held
from mainspring_worker.ports.credentials import CredentialSource
from mainspring_worker.ports.failures import Kind
from mainspring_worker.ports.failures import failure as failed
from mainspring_worker.ports.model import (
    Credentials,
    Done,
    ModelDrivers,
    ModelRequest,
    OfferRequest,
)


class ModelDoor:
    """One per worker. `keyless` names drivers that need no credentials."""

    def __init__(
        self, *, drivers: ModelDrivers, credentials: CredentialSource, keyless: frozenset[str]
    ) -> None:
        self.drivers = drivers
        self._credentials = credentials
        self._keyless = keyless

    async def access(
        self, held: Held, choice: ModelChoice
    ) -> tuple[ModelChoice, Credentials | None]:
        """The choice with the address to ask at, and what opens it.

        Raises ModelFailure for a driver that nobody knows, and what the source raises.
        """
        if choice.driver in self._keyless:
            return choice, None
        # A provider that nobody knows has no credentials either, and that is not what is wrong.
        self.drivers.named(choice.driver)
        access = await self._credentials.fetch(held, choice.provider_id)
        if access.base_url is not None and choice.base_url is None:
            choice = structs.replace(choice, base_url=access.base_url)
        return choice, access.credentials

    async def offered(self, held: Held, provider_id: str, *, now_ms: int) -> FoundModels:
        """What a provider lists. Raises as `access` does, and ModelFailure for what it answers."""
        access = await self._credentials.fetch(held, provider_id)
        request = OfferRequest(
            provider=access.driver,
            now_ms=now_ms,
            base_url=access.base_url,
            credentials=access.credentials,
        )
        return await self.drivers.named(access.driver).offered(request)

    async def whole(self, request: ModelRequest) -> Done:
        """An answer as a whole, with a text or without. Raises ModelFailure."""
        done = None
        async with aclosing(self.drivers.named(request.choice.driver).stream(request)) as items:
            async for item in items:
                if isinstance(item, Done):
                    done = item
        if done is None:
            raise failed(Kind.STREAM_CUT, "the model's stream ended early")
        return done

    async def said(self, request: ModelRequest) -> Done:
        """The same. Raises ModelFailure also for an answer without a text."""
        done = await self.whole(request)
        if not done.text.strip():
            raise failed(Kind.BAD_OUTPUT, "the model answered without a text")
        return done
