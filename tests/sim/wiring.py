"""What the services of a simulated stack hold of one another, beside the network."""
# What stands for every port has no type.
# pyright: reportExplicitAny=false, reportAny=false

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from mainspring_api.adapters.keys import EnvironmentKeys
from mainspring_api.adapters.memory.store import MemoryStore as ApiStore
from mainspring_api.adapters.vault import EnvelopeVault
from mainspring_api.usecases.credentials import StoredCredentials
from mainspring_local.dev.roads import DirectCredentials, DirectDuties
from mainspring_workstream.identity import Identity
from tests.sim.network import Remote

BUILD: Final = "sim"
SLOTS: Final = 4
"""Of each worker."""


class Duties:
    """scheduler → an engine and an event store, each call to whichever answers."""

    def __init__(self, engine: Remote, eventstore: Callable[[], Any]) -> None:
        self._engine, self._eventstore = engine, eventstore

    async def perform(self, duty: Any) -> Any:
        store = self._eventstore()
        return await self._engine.call(lambda engine: DirectDuties(engine, store).perform(duty))


def identity(
    incarnation: UUID, capabilities: tuple[str, ...], *, build: str, toolset: bytes
) -> Identity:
    return Identity(
        incarnation=incarnation,
        name=f"sim-{incarnation.hex[-6:]}",
        build=build,
        queues=("default",),
        capabilities=capabilities,
        slots=SLOTS,
        toolset=toolset,
    )


def house_credentials(store: ApiStore) -> DirectCredentials:
    """Nobody brings keys here: the simulated model needs none."""
    brought = StoredCredentials(store, EnvironmentKeys({}), EnvelopeVault([]))
    return DirectCredentials(store, brought)
