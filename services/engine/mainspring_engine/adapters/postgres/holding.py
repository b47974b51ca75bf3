"""Tasks that workers hold: beats, starts, and what became of leases."""

from collections.abc import Collection
from typing import cast
from uuid import UUID

from mainspring_engine.adapters.postgres.claims import TASKS
from mainspring_engine.adapters.postgres.flights import LEASE_MS
from mainspring_engine.adapters.postgres.replies import expired_task, open_task
from mainspring_engine.domain.loss import LOSS_RESTS_MS
from mainspring_engine.domain.rows import OpenTask
from mainspring_engine.ports.store import ExpiredTask, Handed, Release, Renewal, Renewed
from mainspring_kernel.limits import LEASE_RENEW_AFTER_S
from mainspring_postgres import Database
from mainspring_schema.frames import Verdict


class Holding:
    def __init__(self, database: Database, *, settle_ms: int) -> None:
        self._database = database
        self._settle_ms = settle_ms

    async def open_tasks(self, workflows: tuple[UUID, ...]) -> dict[UUID, tuple[OpenTask, ...]]:
        found: dict[UUID, tuple[OpenTask, ...]] = {}
        for row in await self._database.fetch(TASKS["open_tasks"], list(workflows)):
            workflow_id = cast(UUID, row["workflow_id"])
            found[workflow_id] = (*found.get(workflow_id, ()), open_task(row))
        return found

    async def renew(self, renewals: tuple[Renewal, ...]) -> tuple[Renewed, ...]:
        # An empty flight goes as well: its landing is the proof that the database answers.
        rows = await self._database.fetch(
            TASKS["renew"],
            *_columns(renewals),
            round(LEASE_RENEW_AFTER_S * 1000),
            LEASE_MS,
        )
        return tuple(
            Renewed(
                held=renewal.held,
                lost=cast(bool, row["lost"]),
                cancelling=cast(bool, row["cancelling"]),
            )
            for renewal, row in zip(renewals, rows, strict=True)
        )

    async def acknowledge(self, handed: tuple[Handed, ...]) -> None:
        await self._database.execute(TASKS["acknowledge"], *_carried(handed))

    async def lapse(self, handed: tuple[Handed, ...]) -> tuple[Verdict, ...]:
        rows = await self._database.fetch(TASKS["lapse"], *_carried(handed))
        return tuple(Verdict.COMMITTED if row["lapsed"] else Verdict.STALE for row in rows)

    async def start(self, starts: tuple[Renewal, ...]) -> tuple[Verdict, ...]:
        rows = await self._database.fetch(TASKS["start"], *_columns(starts))
        return tuple(Verdict(cast(int, row["verdict"])) for row in rows)

    async def expired(self, limit: int, but: Collection[UUID]) -> tuple[ExpiredTask, ...]:
        rows = await self._database.fetch(TASKS["expired"], limit, self._settle_ms, but)
        return tuple(expired_task(row) for row in rows)

    async def held_by(self, incarnation: UUID) -> tuple[ExpiredTask, ...]:
        rows = await self._database.fetch(TASKS["held_by"], incarnation)
        return tuple(expired_task(row) for row in rows)

    async def release(self, releases: tuple[Release, ...]) -> tuple[Verdict, ...]:
        rows = await self._database.fetch(
            TASKS["release"],
            [r.held.task_id for r in releases],
            [r.held.fence for r in releases],
            [r.closing for r in releases],
            [r.counts_death for r in releases],
            [r.expired_only for r in releases],
            [r.unstarted_only for r in releases],
            [r.incarnation for r in releases],
            [r.attach_number for r in releases],
            LOSS_RESTS_MS,
        )
        return tuple(Verdict.COMMITTED if row["released"] else Verdict.STALE for row in rows)


def _columns(renewals: tuple[Renewal, ...]) -> tuple[list[UUID], list[int], list[UUID]]:
    return (
        [r.held.task_id for r in renewals],
        [r.held.fence for r in renewals],
        [r.incarnation for r in renewals],
    )


def _carried(handed: tuple[Handed, ...]) -> tuple[list[UUID], list[int], list[UUID], list[int]]:
    return (
        [h.held.task_id for h in handed],
        [h.held.fence for h in handed],
        [h.incarnation for h in handed],
        [h.attach_number for h in handed],
    )
