"""Plain tasks over two functions of schema `engine`, one statement per batch."""

import logging
from collections.abc import Sequence
from typing import Final, cast
from uuid import UUID

import msgspec

from mainspring_engine.adapters.postgres.errors import AttemptError, closing
from mainspring_engine.adapters.postgres.flights import LEASE_MS
from mainspring_engine.adapters.postgres.routes import RouteNumbers
from mainspring_engine.domain.plain import NOT_BEGUN, NOT_BEGUN_BODY, NewPlain, PlainEnd
from mainspring_engine.domain.rows import TaskState
from mainspring_engine.ports.plain import Cancelled, PlainAdded, PlainCancel, PlainRow
from mainspring_postgres import Database, QueryFailed, Row, load_queries
from mainspring_schema.frames import Held, Verdict

PLAIN: Final = load_queries("mainspring_engine.adapters.postgres", "plain.sql")
_REFUSED: Final = (QueryFailed, ValueError, OverflowError)
"""The driver refuses what no column can hold by a ValueError, before anything is sent."""
_log = logging.getLogger(__name__)


class PostgresPlain:
    def __init__(self, database: Database, routes: RouteNumbers) -> None:
        self._database = database
        self._routes = routes

    async def submit(self, tasks: tuple[NewPlain, ...]) -> PlainAdded:
        numbers = await self._routes.of({task.route for task in tasks})
        rows = [
            (
                task.id, task.org_id, numbers[task.route], task.priority, task.step, task.payload,
                None if task.claim is None else task.claim.incarnation,
                None if task.claim is None else task.claim.attach_number,
            )
            for task in tasks
        ]  # fmt: skip
        try:
            if len(tasks) == 1:
                added = await self._submit_alone(tasks[0], rows[0])
                if added is not None:
                    return added
            (row,) = await self._submit(tasks, rows)
        except _REFUSED as error:
            return await self._submit_apart(tasks, error)
        return PlainAdded(
            known=frozenset(cast("list[UUID]", row["known"])),
            differing=frozenset(cast("list[UUID]", row["differing"])),
            unclaimed=frozenset(cast("list[UUID]", row["unclaimed"])),
        )

    async def _submit_alone(self, task: NewPlain, row: tuple[object, ...]) -> PlainAdded | None:
        """None where its id is taken, or when it is to be started by is a row of its own."""
        if task.start_within_ms is not None:
            return None
        (inserted,) = await self._database.fetch(PLAIN["submit_task"], LEASE_MS, *row)
        if inserted["state"] is None:
            return None
        left = task.claim is not None and inserted["state"] == TaskState.READY
        return PlainAdded(unclaimed=frozenset((task.id,) if left else ()))

    async def _submit(
        self, tasks: tuple[NewPlain, ...], rows: Sequence[tuple[object, ...]]
    ) -> list[Row]:
        bounded = {t.id: t.start_within_ms for t in tasks if t.start_within_ms is not None}
        if not bounded:
            return await self._database.fetch(PLAIN["submit_tasks"], LEASE_MS, rows)
        return await self._database.fetch(
            PLAIN["submit_bounded"], LEASE_MS, rows, list(bounded), list(bounded.values())
        )

    async def _submit_apart(self, tasks: tuple[NewPlain, ...], error: Exception) -> PlainAdded:
        """Bisects until the culprit is alone."""
        if len(tasks) == 1:
            _log.error("task %s broke a rule of the tables: %s", tasks[0].id.hex, error)
            return PlainAdded(invalid=frozenset({tasks[0].id}))
        middle = len(tasks) // 2
        first, second = await self.submit(tasks[:middle]), await self.submit(tasks[middle:])
        return PlainAdded(
            known=first.known | second.known,
            differing=first.differing | second.differing,
            invalid=first.invalid | second.invalid,
            unclaimed=first.unclaimed | second.unclaimed,
        )

    async def end(self, ends: tuple[PlainEnd, ...]) -> tuple[Verdict, ...]:
        if not ends:
            return ()
        try:
            rows = [_end(end) for end in ends]
            (row,) = await closing(self._database, _errors(ends), PLAIN["end_tasks"], rows)
        except _REFUSED as error:
            if len(ends) == 1:
                task_id = ends[0].held.task_id.hex
                _log.error("the end of task %s broke a rule of the tables: %s", task_id, error)
                return (Verdict.INVALID,)
            middle = len(ends) // 2
            return await self.end(ends[:middle]) + await self.end(ends[middle:])
        return tuple(Verdict(verdict) for verdict in cast("list[int]", row["verdicts"]))

    async def cancel(self, cancels: tuple[PlainCancel, ...]) -> tuple[Cancelled, ...]:
        rows = await self._database.fetch(
            PLAIN["cancel_tasks"],
            [cancel.org_id for cancel in cancels],
            [cancel.task_id for cancel in cancels],
            [cancel.reason for cancel in cancels],
        )
        return tuple(_cancelled(row) for row in rows)

    async def time_out(self, task_ids: tuple[UUID, ...]) -> tuple[UUID, ...]:
        ended = await self._database.fetchval_as(
            list[UUID],
            PLAIN["time_out_tasks"],
            LEASE_MS,
            list(task_ids),
            NOT_BEGUN.code,
            NOT_BEGUN_BODY,
        )
        return tuple(ended)

    async def get(self, org_id: UUID, task_id: UUID) -> PlainRow | None:
        rows = await self._database.fetch(PLAIN["plain_task"], org_id, task_id)
        if not rows:
            return None
        return msgspec.convert(dict(rows[0]), PlainRow)

    async def times(self, attempts: tuple[Held, ...]) -> dict[Held, tuple[int, int]]:
        rows = await self._database.fetch(
            PLAIN["attempt_times"],
            [held.task_id for held in attempts],
            [held.fence for held in attempts],
        )
        return {
            Held(cast(UUID, row["task_id"]), cast(int, row["fence"])): (
                cast(int, row["claimed_ms"]),
                cast(int, row["closed_ms"]),
            )
            for row in rows
        }

    async def payloads(self, task_ids: tuple[UUID, ...]) -> dict[tuple[UUID, UUID], bytes]:
        rows = await self._database.fetch(PLAIN["plain_payloads"], list(task_ids))
        return {
            (cast(UUID, row["org_id"]), cast(UUID, row["task_id"])): cast(bytes, row["payload"])
            for row in rows
        }


def _cancelled(row: Row) -> Cancelled:
    task_id, fence = cast(UUID, row["ended"]), cast("int | None", row["held_fence"])
    return Cancelled(task_id=task_id, held=None if fence is None else Held(task_id, fence))


def _errors(ends: tuple[PlainEnd, ...]) -> list[AttemptError]:
    return [
        AttemptError(end.held.task_id, end.held.fence, end.result_hash, end.error_message)
        for end in ends
        if end.error_message
    ]


def _end(end: PlainEnd) -> tuple[object, ...]:
    return (
        end.held.task_id, end.held.fence, end.closing, end.result_hash, end.error_code, end.body,
        end.delay_ms, end.counts_failure, end.counts_death, end.expired_only, end.reason,
        end.detail,
    )  # fmt: skip
