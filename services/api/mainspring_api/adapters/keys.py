"""Keys of model providers from this process's own settings, the same for every organization."""

from collections.abc import Mapping

from mainspring_api.domain.catalogue import PROVIDERS
from mainspring_api.ports.credentials import Credentials
from mainspring_kernel.errors import NotFound
from mainspring_kernel.ids import ProviderId


class EnvironmentKeys:
    def __init__(self, keys: Mapping[str, str], base_urls: Mapping[str, str] | None = None) -> None:
        self._keys = dict(keys)
        self._base_urls = dict(base_urls or {})

    def of(self, provider_id: ProviderId) -> Credentials:
        provider = PROVIDERS.get(provider_id)
        if provider is None:
            msg = "no such provider"
            raise NotFound(msg)
        name = provider.key_name or ""
        return Credentials(api_key=self._keys.get(name, ""), base_url=self._base_urls.get(name, ""))
