"""The ports that use cases need which serve holders of a task."""

from msgspec import Struct

from mainspring_api.ports.schedules import Schedules
from mainspring_api.ports.store import Store
from mainspring_api.ports.vault import Vault
from mainspring_api.usecases.messages import MessagePath
from mainspring_kernel.ids import Ids


class Keeper(Struct, frozen=True, kw_only=True):
    """Rows, what opens those that are sealed, who knows what comes when, and the way to turns."""

    store: Store
    vault: Vault
    schedules: Schedules
    path: MessagePath
    ids: Ids
