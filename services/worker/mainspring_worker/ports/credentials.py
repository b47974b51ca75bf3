"""Secrets that a worker gets for the time it holds a task, and never keeps."""

from typing import Protocol

from msgspec import Struct

from mainspring_schema.frames import Held
from mainspring_worker.ports.model import Credentials


class ProviderAccess(Struct, frozen=True, kw_only=True):
    """What opens a provider's door, and where the door is if not at its usual address.

    `driver` is who speaks to it.
    """

    credentials: Credentials
    base_url: str | None = None
    driver: str = ""


class CredentialSource(Protocol):
    """Who gives them out: only to the holder of a task."""

    async def fetch(self, held: Held, provider_id: str) -> ProviderAccess:
        """Without a key where none is stored for the provider.

        Raises NotFound for no such provider, LeaseLost for who does not hold the task, Unavailable
        where nobody answers.
        """
        ...
