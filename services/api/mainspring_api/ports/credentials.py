"""Where the keys of the house's model providers come from."""

from typing import Protocol

from msgspec import Struct

from mainspring_kernel.ids import ProviderId


class Credentials(Struct, frozen=True, kw_only=True):
    """What a worker needs to call a provider; empty where none is set.

    `driver` says how it is spoken to; a source of keys alone need not know.
    """

    api_key: str = ""
    base_url: str = ""
    driver: str = ""

    def __repr__(self) -> str:
        """Without the key, which must reach no log."""
        return f"Credentials(api_key={'set' if self.api_key else 'unset'})"


class CredentialSource(Protocol):
    """The keys of the house, the same for every organization."""

    def of(self, provider_id: ProviderId) -> Credentials:
        """Raises NotFound for a provider that the house does not have."""
        ...
