"""Hands a provider's key to whoever holds a task at this moment, and to nobody else."""

from mainspring_api.ports.credentials import Credentials, CredentialSource
from mainspring_api.ports.store import Store
from mainspring_kernel.errors import LeaseLost
from mainspring_kernel.ids import ProviderId, TaskId


async def credentials_for(
    store: Store, source: CredentialSource, task_id: TaskId, fence: int, provider_id: ProviderId
) -> Credentials:
    """Raises LeaseLost for a fence that is not the task's, NotFound for no such provider."""
    org_id = await store.held_org(task_id, fence)
    if org_id is None:
        raise LeaseLost(str(task_id), fence)
    return source.of(org_id, provider_id)
