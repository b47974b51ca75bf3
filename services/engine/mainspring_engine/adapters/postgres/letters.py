"""Dead letters and their resolutions."""

from typing import Final, cast
from uuid import UUID

from mainspring_engine.adapters.postgres.inbox import unpacked
from mainspring_engine.domain.limits import REQUEUE_LATE_S, REQUEUE_RETRY_S
from mainspring_engine.domain.plain import takes_up
from mainspring_engine.ports.letters import Requeue, Resolve, Settled
from mainspring_postgres import Database, Row, load_queries
from mainspring_schema.operations import LetterFilter, LetterView

LETTERS: Final = load_queries("mainspring_engine.adapters.postgres", "letters.sql")
_RETRY_MS: Final = round(REQUEUE_RETRY_S * 1000)
_LATE_MS: Final = round(REQUEUE_LATE_S * 1000)


class PostgresLetters:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self,
        org_id: UUID,
        wanted: LetterFilter,
        *,
        after: UUID | None,
        limit: int,
        but: tuple[str, ...] = (),
    ) -> tuple[LetterView, ...]:
        return tuple(
            await self._database.fetch_as(
                LetterView,
                LETTERS["letters"],
                org_id,
                None,
                after,
                wanted.reason,
                wanted.kind,
                wanted.session_id,
                wanted.workflow_id,
                wanted.from_ms,
                wanted.until_ms,
                wanted.status,
                limit,
                list(but),
            )
        )

    async def letter(self, org_id: UUID, task_id: UUID) -> LetterView | None:
        nothing_else = (None,) * 8
        found = await self._database.fetch_as(
            LetterView, LETTERS["letters"], org_id, task_id, *nothing_else, 1, []
        )
        return found[0] if found else None

    async def resolve(self, orders: tuple[Resolve, ...]) -> tuple[bool, ...]:
        rows = await self._database.fetch(
            LETTERS["resolve"],
            [order.task_id for order in orders],
            [order.org_id for order in orders],
            [order.workflow_id for order in orders],
            [order.delay_ms for order in orders],
        )
        taken = {(cast(UUID, row["org_id"]), cast(UUID, row["task_id"])) for row in rows}
        return tuple((order.org_id, order.task_id) in taken for order in orders)

    async def due(self, task_ids: tuple[UUID, ...] | None, limit: int) -> tuple[Requeue, ...]:
        named = None if task_ids is None else list(task_ids)
        rows = await self._database.fetch(LETTERS["due"], named, _RETRY_MS, limit)
        return tuple(_requeue(row) for row in rows)

    async def keep_pace(self) -> None:
        await self._database.execute(LETTERS["keep_pace"], _LATE_MS)

    async def settle(self, settled: tuple[Settled, ...]) -> None:
        await self._database.execute(
            LETTERS["settle"],
            [one.task_id for one in settled],
            [one.refusal for one in settled],
        )

    async def reopen(self, task_id: UUID, workflow_id: UUID) -> None:
        await self._database.execute(LETTERS["reopen"], task_id, workflow_id)


def _requeue(row: Row) -> Requeue:
    controls, _ = unpacked(cast("bytes | None", row["controls"]))
    task_id, heir = cast(UUID, row["task_id"]), cast("bytes | None", row["heir"])
    return Requeue(
        task_id=task_id,
        org_id=cast(UUID, row["org_id"]),
        session_id=cast(UUID, row["session_id"]),
        workflow_id=cast(UUID, row["workflow_id"]),
        dead_workflow_id=cast(UUID, row["dead_workflow_id"]),
        state=cast("bytes | None", row["state"]) or b"",
        config_hash=cast("bytes | None", row["config_hash"]) or b"",
        controls=controls,
        taken_up=cast(bool, row["taken_up"]) or (heir is not None and takes_up(heir, task_id)),
        of_plain=row["state"] is None,
    )
