"""Gives a provider's key to the worker that holds a task at this moment, and to nobody else."""

from msgspec import structs

from mainspring_api.domain import catalogue
from mainspring_api.domain.providers import OwnProvider
from mainspring_api.domain.secrets import about
from mainspring_api.ports.credentials import Credentials, CredentialSource
from mainspring_api.ports.store import Store
from mainspring_api.ports.vault import Vault
from mainspring_kernel.errors import LeaseLost, NotFound
from mainspring_kernel.ids import OrgId, ProviderId, TaskId


class StoredCredentials:
    """The house's own keys, and those that organizations have brought."""

    def __init__(self, store: Store, house: CredentialSource, vault: Vault) -> None:
        self._store = store
        self._house = house
        self._vault = vault

    async def of(self, org_id: OrgId, provider_id: ProviderId) -> Credentials:
        """Raises NotFound for a provider the organization does not have."""
        if provider_id in catalogue.PROVIDERS:
            driver = catalogue.PROVIDERS[provider_id].driver
            return structs.replace(self._house.of(provider_id), driver=driver)
        async with self._store.transaction(org_id) as tx:
            provider = await tx.record(OwnProvider, provider_id)
        if provider is None:
            msg = "no such provider"
            raise NotFound(msg)
        sealed = provider.sealed
        key = self._vault.open(sealed, about=about(provider)) if sealed is not None else ""
        return Credentials(api_key=key, base_url=provider.base_url or "", driver=provider.driver)


async def credentials_for(
    store: Store, source: StoredCredentials, task_id: TaskId, fence: int, provider_id: ProviderId
) -> Credentials:
    """Raises LeaseLost for a fence that is not the task's, NotFound for no such provider."""
    org_id = await store.held_org(task_id, fence)
    if org_id is None:
        raise LeaseLost(str(task_id), fence)
    return await source.of(org_id, provider_id)
