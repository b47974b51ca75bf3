"""The store in Postgres."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from mainspring_api.adapters.flights import Flights
from mainspring_api.adapters.postgres.records import Q
from mainspring_api.adapters.postgres.rows import BasisRow, HeldRow
from mainspring_api.adapters.postgres.transaction import F, PostgresTransaction, R, S
from mainspring_api.domain.limits import BASIS_FLIGHT_ITEMS_MAX, BASIS_FLIGHTS_MAX
from mainspring_api.domain.resources import Basis, Organization
from mainspring_api.ports.store import Holding, Opened, Transaction, Unfinished, unheard
from mainspring_kernel.errors import LeaseLost, NameTaken
from mainspring_kernel.ids import OrgId, SessionId, TaskId
from mainspring_kernel.limits import LANE_QUEUE_ITEMS_MAX
from mainspring_postgres import Database, UniqueViolation


class _Asked(NamedTuple):
    org_id: OrgId
    session_id: SessionId


class PostgresStore:
    def __init__(self, database: Database, *, opened: Opened = unheard) -> None:
        self._database = database
        self._opened = opened
        # Messages that arrive together share the statement that each of them needs.
        self._bases: Flights[_Asked, Basis | None] = Flights(
            self._fetch_bases,
            items_max=BASIS_FLIGHT_ITEMS_MAX,
            waiting_max=LANE_QUEUE_ITEMS_MAX,
            in_air_max=BASIS_FLIGHTS_MAX,
        )

    @asynccontextmanager
    async def transaction(self, org_id: OrgId) -> AsyncGenerator[Transaction]:
        async with self._database.transaction() as tx:
            await tx.execute(R["enter"], org_id)
            own = PostgresTransaction(tx, org_id)
            yield own
        if own.opened:
            self._opened(own.opened)

    @asynccontextmanager
    async def held_transaction(self, task_id: TaskId, fence: int) -> AsyncGenerator[Holding]:
        async with self._database.transaction() as tx:
            # First: until the end nobody claims, renews or ends the task.
            held = await tx.fetchrow_as(HeldRow, S["held"], task_id, fence)
            if held is None:
                raise LeaseLost(str(task_id), fence)
            await tx.execute(R["enter"], held.org_id)
            yield Holding(PostgresTransaction(tx, held.org_id), held.org_id, held.session_id)

    async def basis(self, org_id: OrgId, session_id: SessionId) -> Basis | None:
        return await self._bases.ask(_Asked(org_id, session_id))

    async def _fetch_bases(self, asked: Sequence["_Asked"]) -> Sequence[Basis | None]:
        sessions: dict[OrgId, list[SessionId]] = {}
        for one in asked:
            sessions.setdefault(one.org_id, []).append(one.session_id)
        found: dict[_Asked, Basis] = {}
        for org_id, wanted in sessions.items():
            for row in await self._database.fetch_as(BasisRow, R["basis"], org_id, wanted):
                found[_Asked(org_id, row.session_id)] = row.basis(org_id)
        return [found.get(one) for one in asked]

    async def organization_exists(self, org_id: OrgId) -> bool:
        async with self.transaction(org_id) as tx:
            return await tx.organization() is not None

    async def organizations(self, *, offset: int, limit: int) -> tuple[Sequence[Organization], int]:
        async with self._database.transaction() as tx:
            found = await tx.fetch_as(Organization, R["list_organizations"], offset, limit)
            total = await tx.fetchval_as(int, R["count_organizations"])
        return found, total

    async def create_organization(self, organization: Organization) -> None:
        try:
            async with self._database.transaction() as tx:
                await tx.execute(R["enter"], organization.id)
                await tx.execute(
                    R["insert_organization"],
                    organization.id,
                    organization.name,
                    organization.default_model_id,
                    organization.default_harness_id,
                    organization.rev,
                    organization.created_ms,
                    organization.updated_ms,
                )
        except UniqueViolation as error:
            detail = f"an organization named {organization.name!r} exists"
            raise NameTaken(detail) from error

    async def held_org(self, task_id: TaskId, fence: int) -> OrgId | None:
        row = await self._database.fetchrow_as(HeldRow, S["held"], task_id, fence)
        return row.org_id if row is not None else None

    async def unfinished_deletes(self, *, older_than_ms: int, limit: int) -> Sequence[Unfinished]:
        values = (older_than_ms, limit)
        return await self._database.fetch_as(Unfinished, S["unfinished_deletes"], *values)

    async def forget_record_past(self, *, before_ms: int, limit: int) -> int:
        return await self._database.fetchval_as(int, Q["forget_record_past"], before_ms, limit)

    async def forget_file_past(self, *, before_ms: int, limit: int) -> int:
        return await self._database.fetchval_as(int, F["forget_file_past"], before_ms, limit)

    async def forget_keys(self, *, older_than_ms: int, limit: int) -> int:
        return await self._database.fetchval_as(int, F["forget_keys"], older_than_ms, limit)
