"""Workers and replicas: rows of engine.worker and engine.replica."""

from typing import Final, cast
from uuid import UUID

from mainspring_engine.domain.limits import (
    REPLICA_HEARD_S,
    REPLICA_SILENT_S,
    SWEEP_BATCH_ROWS_MAX,
    WORKER_KEPT_S,
)
from mainspring_engine.ports.registry import Presence, Registration
from mainspring_postgres import Database, load_queries
from mainspring_schema.operations import ListWorkers, WorkerView

REGISTRY: Final = load_queries("mainspring_engine.adapters.postgres", "registry.sql")
SILENT_MS: Final = round(REPLICA_SILENT_S * 1000)


class PostgresRegistry:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def register(self, registration: Registration) -> bool:
        rows = await self._database.fetch(
            REGISTRY["register"],
            registration.incarnation,
            registration.attach_number,
            registration.replica,
            list(registration.queues),
            list(registration.capabilities),
            registration.slots,
        )
        return any(cast(bool, row["drained"]) for row in rows)

    async def try_misfits(
        self, queues: tuple[str, ...], capabilities: tuple[str, ...], *, looks: int
    ) -> int:
        values = (list(queues), list(capabilities), looks)
        return await self._database.execute(REGISTRY["try_misfits"], *values)

    async def tell(self, presences: tuple[Presence, ...]) -> None:
        await self._database.execute(
            REGISTRY["tell"],
            [p.incarnation for p in presences],
            [p.attach_number for p in presences],
            [p.attached for p in presences],
            [p.silent for p in presences],
            [p.leaving for p in presences],
        )

    async def beat(self, replica: UUID) -> frozenset[UUID]:
        rows = await self._database.fetch(REGISTRY["beat"], replica)
        return frozenset(cast(UUID, row["incarnation"]) for row in rows)

    async def unknown(self, attached: tuple[tuple[UUID, int], ...]) -> frozenset[UUID]:
        incarnations, numbers = [id_ for id_, _ in attached], [number for _, number in attached]
        rows = await self._database.fetch(REGISTRY["unknown"], incarnations, numbers)
        return frozenset(cast(UUID, row["incarnation"]) for row in rows)

    async def drain(self, incarnation: UUID, *, drained: bool) -> bool:
        return await self._database.execute(REGISTRY["drain"], incarnation, drained) > 0

    async def workers(self, asked: ListWorkers) -> tuple[WorkerView, ...]:
        return tuple(
            await self._database.fetch_as(
                WorkerView,
                REGISTRY["workers"],
                None,
                asked.after,
                asked.queue,
                asked.status,
                SILENT_MS,
                asked.limit + 1,
            )
        )

    async def replicas_of(
        self, queue: str, capability: str, *, build: str = "", limit: int
    ) -> tuple[UUID, ...]:
        rows = await self._database.fetch(
            REGISTRY["replicas_of"], queue, capability, SILENT_MS, limit, build
        )
        return tuple(cast(UUID, row["id"]) for row in rows)

    async def shares(self) -> dict[UUID, int]:
        rows = await self._database.fetch(REGISTRY["shares"], round(REPLICA_HEARD_S * 1000))
        return {cast(UUID, row["id"]): cast(int, row["streams"]) for row in rows}

    async def worker(self, incarnation: UUID) -> WorkerView | None:
        found = await self._database.fetch_as(
            WorkerView, REGISTRY["workers"], [incarnation], None, None, None, SILENT_MS, 1
        )
        return found[0] if found else None

    async def announce(self, incarnation: UUID, name: str, body: bytes) -> None:
        await self._database.execute(REGISTRY["announce"], name, incarnation, body)

    async def toolsets(self, names: tuple[str, ...], *, limit: int) -> tuple[bytes, ...]:
        rows = await self._database.fetch(REGISTRY["toolsets"], list(names), limit)
        return tuple(cast(bytes, row["body"]) for row in rows)

    async def forget(self) -> int:
        return await self._database.fetchval_as(
            int, REGISTRY["forget"], round(WORKER_KEPT_S * 1000), SWEEP_BATCH_ROWS_MAX
        )
