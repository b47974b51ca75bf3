"""What is shown of sessions beyond their rows: features of their capabilities, and schedules."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from uuid import UUID

from msgspec import structs

from mainspring_api.domain.limits import OUTLINE_S_MAX
from mainspring_api.domain.pinning import BaseRecord, on_base
from mainspring_api.domain.resources import Session, encode_tier
from mainspring_api.domain.tiers import Tiers, capability_refs
from mainspring_api.ports.operator import OperatorDoor
from mainspring_api.ports.schedules import Schedules
from mainspring_api.ports.store import Store, Transaction
from mainspring_api.usecases import pinning
from mainspring_api.usecases.sessions import SessionView
from mainspring_harness import toolsets
from mainspring_harness.registry import Registry
from mainspring_kernel.errors import MainspringError
from mainspring_kernel.ids import OrgId
from mainspring_kernel.limits import CONFIG_CACHE_ENTRIES_MAX
from mainspring_schema.agents import CapabilityRef
from mainspring_schema.schedules import SchedulesOfSessions
from mainspring_schema.toolsets import ListToolsets, Toolset

Refs = tuple[CapabilityRef, ...]


class Outlines:
    """One per process. What a pinned session has depends on its tier alone, so it is kept."""

    def __init__(
        self, store: Store, schedules: Schedules, operator: OperatorDoor, registry: Registry
    ) -> None:
        self._store = store
        self._schedules = schedules
        self._operator = operator
        self._registry = registry
        self._kept: OrderedDict[bytes, Refs] = OrderedDict()

    async def begun(self, tx: Transaction, view: SessionView) -> SessionView:
        """A session made in this transaction, where nobody else is asked.

        So what workers announced of their tools is first told where it is read.
        """
        refs = await self._refs(tx, [view.session])
        return structs.replace(view, features=self._features(refs[view.session.id], ()))

    async def shown(self, org_id: OrgId, views: Sequence[SessionView]) -> Sequence[SessionView]:
        """One statement and one question to each service for all of them, and none for none.

        A service that is away or slow is done without: what it alone knows is left out.
        """
        if not views:
            return views
        ids = tuple(view.session.id for view in views)
        counts, found = await asyncio.gather(
            self._counts(org_id, ids), self._found(org_id, [view.session for view in views])
        )
        announced = await self._announced(found)
        return [
            structs.replace(
                view,
                features=self._features(found[view.session.id], announced),
                active_schedules=None if counts is None else counts.get(view.session.id, 0),
            )
            for view in views
        ]

    def _features(self, refs: Refs, announced: Sequence[Toolset]) -> tuple[str, ...]:
        """None where the capabilities cannot be had together, which the next turn will say."""
        try:
            applied = self._registry.resolve(toolsets.filled(refs, announced, lenient=True))
        except MainspringError:
            return ()
        return toolsets.features(applied)

    async def _counts(self, org_id: OrgId, ids: tuple[UUID, ...]) -> Mapping[UUID, int] | None:
        try:
            async with asyncio.timeout(OUTLINE_S_MAX):
                asked = SchedulesOfSessions(org_id=org_id, session_ids=ids)
                return (await self._schedules.of_sessions(asked)).active
        except (MainspringError, TimeoutError):
            return None

    async def _announced(self, found: Mapping[UUID, Refs]) -> Sequence[Toolset]:
        names = toolsets.names([ref for refs in found.values() for ref in refs])
        if not names:
            return ()
        try:
            async with asyncio.timeout(OUTLINE_S_MAX):
                return (await self._operator.inspect(ListToolsets(names=names))).toolsets
        except (MainspringError, TimeoutError):
            return ()

    async def _found(self, org_id: OrgId, sessions: Sequence[Session]) -> Mapping[UUID, Refs]:
        found: dict[UUID, Refs] = {}
        for session in sessions:
            refs = self._known(_key(session))
            if refs is not None:
                found[session.id] = refs
        missing = [session for session in sessions if session.id not in found]
        if missing:
            async with self._store.transaction(org_id) as tx:
                return found | await self._refs(tx, missing)
        return found

    async def _refs(self, tx: Transaction, sessions: Sequence[Session]) -> dict[UUID, Refs]:
        pinned = {session.tier.base.id for session in sessions if session.tier.base is not None}
        bases = {base.id: base for base in await tx.records_named(BaseRecord, sorted(pinned))}
        found: dict[UUID, Refs] = {}
        for session in sessions:
            base = bases.get(session.tier.base.id) if session.tier.base is not None else None
            if base is not None:
                tiers = on_base(Tiers(harnesses=base.harnesses, session=session), base)
                found[session.id] = self._keep(_key(session), _refs_of(tiers))
            else:  # made before sessions kept a base: it goes with what is there now
                found[session.id] = _refs_of(await pinning.tiers_of(tx, session))
        return found

    def _known(self, key: bytes) -> Refs | None:
        refs = self._kept.get(key)
        if refs is not None:
            self._kept.move_to_end(key)
        return refs

    def _keep(self, key: bytes, refs: Refs) -> Refs:
        self._kept[key] = refs
        if len(self._kept) > CONFIG_CACHE_ENTRIES_MAX:
            self._kept.popitem(last=False)
        return refs


def _key(session: Session) -> bytes:
    return hashlib.sha256(encode_tier(session.tier)).digest()


def _refs_of(tiers: Tiers) -> Refs:
    """None where they do not fold, which the next turn will say."""
    try:
        return capability_refs(tiers)
    except MainspringError:
        return ()
