"""The folded configuration of a session, cached while the rows it was made from are the same."""

from collections import OrderedDict
from typing import NamedTuple

import msgspec

from mainspring_api.domain.resources import Basis, decode_tier, encode_tier
from mainspring_api.domain.tiers import (
    Configuration,
    Tiers,
    configure,
    with_instructions,
    with_tools,
)
from mainspring_api.ports.operator import OperatorDoor
from mainspring_api.ports.store import Store
from mainspring_api.usecases import pinning, providers
from mainspring_api.usecases.known import known_session
from mainspring_api.usecases.mcp_servers import with_own_servers
from mainspring_api.usecases.mounting import Mounts
from mainspring_harness.builtin.agent_instructions import FILE, shown
from mainspring_harness.registry import Registry
from mainspring_kernel.errors import NotFound
from mainspring_kernel.ids import Ids, OrgId, SessionId
from mainspring_kernel.limits import CONFIG_CACHE_ENTRIES_MAX
from mainspring_schema.agents import decode_runtime_agent
from mainspring_schema.toolsets import ListToolsets

HASHES_KNOWN_MAX = 100_000
"""32 bytes each: what the engine has is sent once per process."""


class _Key(NamedTuple):
    """All that a folded configuration depends on: sessions that agree in it share one."""

    basis: Basis
    message_model_id: str | None


class Configurations:
    """One per process. `known` tells which hashes the engine has acknowledged."""

    def __init__(self, store: Store, operator: OperatorDoor, registry: Registry, ids: Ids) -> None:
        self._store = store
        self._registry = registry
        self.operator = operator
        self.mounts = Mounts(store, ids)
        self._folded: OrderedDict[_Key, Configuration] = OrderedDict()
        self._known: set[bytes] = set()

    async def of(self, org_id: OrgId, session_id: SessionId, model_id: str | None) -> Configuration:
        """One statement while nothing changed, and neither workspace nor workers have a say in it.

        Raises NotFound for an unknown session, ToolsetUnknown, Unavailable, and what
        `Registry.resolve` raises for tiers that are sound one by one and not together.
        """
        configuration = await self._of_tiers(org_id, session_id, model_id)
        names = configuration.toolsets
        if configuration.reads_instructions:
            text = await instructions(self._store, org_id, session_id)
            configuration = with_instructions(configuration, text)
        if names:
            announced = await self.operator.inspect(ListToolsets(names=names))
            configuration = with_tools(configuration, announced.toolsets, self._registry)
        if not self.is_known(configuration.hash):
            self._registry.resolve(decode_runtime_agent(configuration.data).capabilities)
        return configuration

    async def _of_tiers(
        self, org_id: OrgId, session_id: SessionId, model_id: str | None
    ) -> Configuration:
        basis = await self._store.basis(org_id, session_id)
        if basis is None:
            msg = "no such session"
            raise NotFound(msg)
        basis = settled(basis)
        kept = self._folded.get(_Key(basis, model_id))
        if kept is not None:
            self._folded.move_to_end(_Key(basis, model_id))
            return kept
        # Kept under what was really read: a tier may have changed since the statement above.
        tiers = await load_tiers(self._store, org_id, session_id, model_id)
        configuration = configure(tiers, model_id, self._registry)
        self._folded[_Key(basis_of(tiers), model_id)] = configuration
        if len(self._folded) > CONFIG_CACHE_ENTRIES_MAX:
            self._folded.popitem(last=False)
        return configuration

    def is_known(self, hash_: bytes) -> bool:
        """Whether the engine has the bytes of this hash."""
        return hash_ in self._known

    def acknowledged(self, hash_: bytes) -> None:
        """The engine took a message with this hash."""
        if len(self._known) >= HASHES_KNOWN_MAX:
            self._known.clear()
        self._known.add(hash_)

    def forgotten(self, hash_: bytes) -> None:
        """The engine asked for the bytes again."""
        self._known.discard(hash_)


async def instructions(store: Store, org_id: OrgId, session_id: SessionId) -> str | None:
    """What the session's workspace says to its agents; None where it says nothing."""
    async with store.transaction(org_id) as tx:
        session = await tx.session(session_id)
        file = None if session is None else await tx.file(session.workspace_id, FILE)
    return None if file is None or file.content is None else shown(file.content)


async def load_tiers(
    store: Store, org_id: OrgId, session_id: SessionId, message_model_id: str | None = None
) -> Tiers:
    """Raises NotFound."""
    async with store.transaction(org_id) as tx:
        session = await known_session(tx, session_id)
        tiers = await with_own_servers(tx, await pinning.tiers_of(tx, session))
        return await providers.with_own_model(tx, tiers, message_model_id)


def basis_of(tiers: Tiers) -> Basis:
    """The same as the store's statement gives for these very rows.

    Raises NotFound where the tiers have no session.
    """
    session, agent, harness = tiers.session, tiers.agent, tiers.harnesses[-1]
    if session is None:
        msg = "no such session"
        raise NotFound(msg)
    found = Basis(
        tier=encode_tier(session.tier),
        org_id=harness.org_id,
        org_rev=tiers.org_rev,
        harness_id=harness.id,
        harness_rev=0 if harness.built_in else harness.rev,
        agent_id=agent.id if agent else None,
        agent_rev=agent.rev if agent else 0,
    )
    return settled(found)


def settled(basis: Basis) -> Basis:
    """Without what changes nothing: what a session keeps stays as its harness and agent go on."""
    if decode_tier(basis.tier).base is None:
        return basis
    return msgspec.structs.replace(basis, harness_rev=0, agent_rev=0)
