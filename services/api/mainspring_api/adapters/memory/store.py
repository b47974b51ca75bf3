"""The store as dictionaries under the lock that all twins share."""

import asyncio
import copy
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from uuid import UUID

from mainspring_api.adapters.memory.rows import Rows, forget_past
from mainspring_api.adapters.memory.transaction import MemoryTransaction
from mainspring_api.domain.resources import Basis, Organization, encode_tier
from mainspring_api.ports.grants import HoldGrant, LogGrant
from mainspring_api.ports.store import Holding, Opened, Transaction, Unfinished, unheard
from mainspring_kernel.clock import Clock, SystemClock
from mainspring_kernel.errors import LeaseLost, NameTaken
from mainspring_kernel.ids import OrgId, SessionId, TaskId


class MemoryStore:
    """Transactions run one after the other; a failed one puts the rows back as they were."""

    def __init__(
        self,
        *,
        lock: AbstractContextManager[object],
        log: LogGrant,
        hold: HoldGrant,
        first: Organization,
        opened: Opened = unheard,
        clock: Clock | None = None,
    ) -> None:
        self._lock = lock
        self._log = log
        self._hold = hold
        self._opened = opened
        self._clock = clock or SystemClock()
        self._turn = asyncio.Lock()
        self._rows = Rows()
        self._rows.organizations[first.id] = first

    @asynccontextmanager
    async def transaction(self, org_id: OrgId) -> AsyncGenerator[Transaction]:
        async with self._turn:
            before = copy.copy(self._rows)
            self._rows = self._rows.draft()
            tx = MemoryTransaction(self._rows, org_id, self._clock)
            try:
                yield tx
                # The other owners' share comes last: what it refuses undoes everything.
                with self._lock:
                    if tx.opened:
                        self._log.open(tx.opened)
                    for fork in tx.forked:
                        self._log.fork(fork)
            except BaseException:
                self._rows = before
                raise
        if tx.opened:
            self._opened(tx.opened)

    @asynccontextmanager
    async def held_transaction(self, task_id: TaskId, fence: int) -> AsyncGenerator[Holding]:
        session_id, org_id = self._holder(task_id, fence)
        async with self.transaction(org_id) as tx:
            yield Holding(tx, org_id, session_id)
            # In Postgres the task's lock keeps its holder until here.
            self._holder(task_id, fence)

    def _holder(self, task_id: TaskId, fence: int) -> tuple[SessionId, OrgId]:
        with self._lock:
            held = self._hold.hold(task_id, fence)
        if held is None:
            raise LeaseLost(str(task_id), fence)
        return SessionId(held[0]), OrgId(held[1])

    async def basis(self, org_id: OrgId, session_id: SessionId) -> Basis | None:
        rows = self._rows
        session = rows.sessions.get((org_id, session_id))
        organization = rows.organizations.get(org_id)
        if session is None or organization is None or session_id in rows.deleting:
            return None
        agent = rows.agents.get((org_id, session.agent_id)) if session.agent_id else None
        harness = rows.harnesses.get((org_id, session.harness_id))
        return Basis(
            tier=encode_tier(session.tier),
            org_id=org_id,
            org_rev=organization.rev,
            harness_id=session.harness_id,
            harness_rev=harness.rev if harness else 0,
            agent_id=session.agent_id,
            agent_rev=agent.rev if agent else 0,
        )

    async def organization_exists(self, org_id: OrgId) -> bool:
        return org_id in self._rows.organizations

    async def organizations(self, *, offset: int, limit: int) -> tuple[Sequence[Organization], int]:
        known = sorted(self._rows.organizations.values(), key=lambda one: one.id)
        return known[offset : offset + limit], len(known)

    async def create_organization(self, organization: Organization) -> None:
        if any(known.name == organization.name for known in self._rows.organizations.values()):
            msg = f"an organization named {organization.name!r} exists"
            raise NameTaken(msg)
        self._rows.organizations[organization.id] = organization

    async def held_org(self, task_id: TaskId, fence: int) -> OrgId | None:
        with self._lock:
            held = self._hold.hold(task_id, fence)
        return OrgId(held[1]) if held is not None else None

    async def unfinished_deletes(self, *, older_than_ms: int, limit: int) -> Sequence[Unfinished]:
        rows, until_ms = self._rows, self._clock.wall_ms() - older_than_ms
        old = sorted(
            (begun, session_id) for session_id, begun in rows.deleting.items() if begun <= until_ms
        )
        return [
            Unfinished(org_id=org_id, session_id=session_id)
            for _, session_id in old[:limit]
            for org_id, known in rows.sessions
            if known == session_id
        ]

    async def forget_record_past(self, *, before_ms: int, limit: int) -> int:
        forks = self._rows.record_forks.values()
        return forget_past(self._rows.record_past, forks, before_ms=before_ms, limit=limit)

    async def forget_file_past(self, *, before_ms: int, limit: int) -> int:
        forks = self._rows.forks.values()
        return forget_past(self._rows.past, forks, before_ms=before_ms, limit=limit)

    async def forget_keys(self, *, older_than_ms: int, limit: int) -> int:
        before_ms = self._clock.wall_ms() - older_than_ms
        old = [key for key, kept in self._rows.keys.items() if kept.claimed_ms < before_ms]
        for key in old[:limit]:
            del self._rows.keys[key]
        return len(old[:limit])


def organization_of(id_: UUID, name: str, now_ms: int) -> Organization:
    return Organization(id=OrgId(id_), name=name, created_ms=now_ms, updated_ms=now_ms)
