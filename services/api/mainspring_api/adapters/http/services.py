"""Everything a request may need, wired once in main."""

from msgspec import Struct

from mainspring_api.adapters.http.tracing import PostSpans
from mainspring_api.ports.control import Control
from mainspring_api.ports.credentials import CredentialSource
from mainspring_api.ports.endings import Endings
from mainspring_api.ports.gates import Gates
from mainspring_api.ports.log import Log
from mainspring_api.ports.operator import OperatorDoor
from mainspring_api.ports.schedules import Schedules
from mainspring_api.ports.store import Store
from mainspring_api.ports.vault import Vault
from mainspring_api.usecases.configuration import Configurations
from mainspring_api.usecases.monitor import Monitor
from mainspring_api.usecases.outlines import Outlines
from mainspring_api.usecases.stream.hub import Hub
from mainspring_harness.registry import Registry
from mainspring_kernel.clock import Clock
from mainspring_kernel.ids import Ids


class Services(Struct, frozen=True, kw_only=True):
    store: Store
    control: Control
    gates: Gates
    operator: OperatorDoor
    log: Log
    schedules: Schedules
    hub: Hub
    endings: Endings
    monitor: Monitor
    configurations: Configurations
    outlines: Outlines
    credentials: CredentialSource
    vault: Vault
    registry: Registry
    clock: Clock
    ids: Ids
    spans: PostSpans
