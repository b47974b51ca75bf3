"""The port over named queries and functions of schema `engine`: one statement per operation."""

import asyncio
import logging
from collections.abc import Collection
from contextlib import suppress
from typing import Final, cast
from uuid import UUID

from mainspring_engine.adapters.postgres.budgets import PostgresBudgets
from mainspring_engine.adapters.postgres.claims import Claims
from mainspring_engine.adapters.postgres.errors import closing, errors_of
from mainspring_engine.adapters.postgres.flights import Routes, arguments, routes_of
from mainspring_engine.adapters.postgres.holding import Holding
from mainspring_engine.adapters.postgres.inbox import PostgresInbox
from mainspring_engine.adapters.postgres.plain import PostgresPlain
from mainspring_engine.adapters.postgres.progress import PostgresProgress
from mainspring_engine.adapters.postgres.replies import committed, views
from mainspring_engine.adapters.postgres.retention import PostgresRetention
from mainspring_engine.adapters.postgres.routes import RouteNumbers
from mainspring_engine.adapters.postgres.whole import (
    is_whole,
    of_workflows,
    whole_arguments,
    written,
)
from mainspring_engine.adapters.postgres.workflows import (
    WORKFLOWS,
    PostgresWorkflows,
    concerns,
    more_arguments,
    whole_arguments_of_workflows,
)
from mainspring_engine.domain.backlog import Group, ReadyGroup
from mainspring_engine.domain.changes import Changes
from mainspring_engine.domain.limits import (
    POSTGRES_SETTLE_S,
    RETOLD_TASK_AGE_MS,
    SUSPECT_TRIAL_MS,
    SUSPECTS_MAX,
)
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import OpenTask, View
from mainspring_engine.ports.store import (
    AttachReply,
    AttachRow,
    Claimed,
    ClaimRequest,
    Committed,
    DueTimer,
    Ended,
    ExpiredTask,
    Handed,
    ReadyPage,
    Release,
    Renewal,
    Renewed,
    Step,
)
from mainspring_kernel.limits import PARTITIONS_AHEAD_MS, PARTITIONS_BEHIND_MS
from mainspring_postgres import Database, QueryFailed, Row, load_queries
from mainspring_schema.frames import Verdict

_PACKAGE: Final = "mainspring_engine.adapters.postgres"
COMMIT: Final = load_queries(_PACKAGE, "commit.sql")
SWEEPS: Final = load_queries(_PACKAGE, "sweeps.sql")

_log = logging.getLogger(__name__)


class PostgresStore:
    """`settle_s`: no lease expires so soon after the server's own start; tests shorten it."""

    def __init__(self, database: Database, *, settle_s: float = POSTGRES_SETTLE_S) -> None:
        self._database = database
        self._routes = RouteNumbers(database, COMMIT)
        self._claims = Claims(database, self._routes)
        self._holding = Holding(database, settle_ms=round(settle_s * 1000))
        self.workflows = PostgresWorkflows(database)
        self.plain = PostgresPlain(database, self._routes)
        self.progress = PostgresProgress(database)
        self.retention = PostgresRetention(database)
        self.inbox = PostgresInbox(database)
        self.budgets = PostgresBudgets(database)

    # ── sessions ────────────────────────────────────────────────────────────────────────────────

    async def warm(self, connections: int) -> None:
        """Opens that many connections and lets each plan the commit: an empty flight, all at once.

        The first flight of a connection learns the row types and plans, which takes some 20 ms.
        """
        empty = arguments((), {})
        await asyncio.gather(
            *(self._database.fetch(COMMIT["commit"], *empty) for _ in range(connections))
        )
        nothing = whole_arguments((), {})
        await asyncio.gather(
            *(self._database.fetch(COMMIT["commit_whole"], *nothing) for _ in range(connections))
        )
        of_none = (*nothing, *whole_arguments_of_workflows(()))
        query = WORKFLOWS["commit_workflows_whole"]
        await asyncio.gather(*(self._database.fetch(query, *of_none) for _ in range(connections)))

    async def commit(self, flight: tuple[Changes, ...]) -> tuple[Committed, ...]:
        if not flight:
            return ()
        if len({changes.expected.session_id for changes in flight}) < len(flight):
            message = "a flight has at most one item per session"
            raise ValueError(message)
        routes = await self._routes.of(routes_of(flight))
        if any(_goes_alone(changes) for changes in flight):
            return await self._commit_apart(flight, routes)
        if is_whole(flight):
            whole = await self._commit_whole(flight, routes)
            if whole is not None:
                return whole
        return await self._commit(flight, routes)

    async def _commit_apart(
        self, flight: tuple[Changes, ...], routes: Routes
    ) -> tuple[Committed, ...]:
        """Items that spend or move messages go one by one: what is short undoes its statement."""
        rest = tuple(changes for changes in flight if not _goes_alone(changes))
        others = iter(await self.commit(rest))
        return tuple([
            await self._spend(changes, routes) if _goes_alone(changes) else next(others)
            for changes in flight
        ])  # fmt: skip

    async def _spend(self, changes: Changes, routes: Routes) -> Committed:
        try:
            written = await self.budgets.commit(changes, routes)
        except (QueryFailed, ValueError, OverflowError) as error:
            return await self._invalid(changes, error)
        if written is not None:
            return written
        return Committed(verdict=Verdict.CONFLICT, now_ms=await self._now_ms())

    async def _now_ms(self) -> int:
        rows = await self._database.fetch(COMMIT["now_ms"])
        return cast(int, rows[0]["now_ms"])

    async def _commit_whole(
        self, flight: tuple[Changes, ...], routes: Routes
    ) -> tuple[Committed, ...] | None:
        """None where anything differs from what was decided on: then it is judged."""
        with suppress(QueryFailed, ValueError, OverflowError):
            values, query = whole_arguments(flight, routes), COMMIT["commit_whole"]
            if of_workflows(flight):
                query = WORKFLOWS["commit_workflows_whole"]
                values = (*values, *whole_arguments_of_workflows(flight))
            row = (await self._database.fetch(query, *values))[0]
            return None if row["now_ms"] is None else written(flight, row)
        return None

    async def _commit(self, flight: tuple[Changes, ...], routes: Routes) -> tuple[Committed, ...]:
        try:
            rows = await self._fetch_commit(flight, routes)
        # The driver refuses what no column can hold by a ValueError, before anything is sent.
        except (QueryFailed, ValueError, OverflowError) as error:
            if len(flight) == 1:
                return (await self._invalid(flight[0], error),)
            middle = len(flight) // 2
            first = await self._commit(flight[:middle], routes)
            return first + await self._commit(flight[middle:], routes)
        return committed(flight, rows[0])

    async def _fetch_commit(self, flight: tuple[Changes, ...], routes: Routes) -> list[Row]:
        given, errors = arguments(flight, routes), errors_of(flight)
        if concerns(flight):
            query = WORKFLOWS["commit_workflows"]
            return await closing(self._database, errors, query, *given, *more_arguments(flight))
        return await closing(self._database, errors, COMMIT["commit"], *given)

    async def _invalid(self, changes: Changes, error: Exception) -> Committed:
        session_id = changes.expected.session_id.hex
        _log.error("a commit for session %s broke a rule of the tables: %s", session_id, error)
        return Committed(verdict=Verdict.INVALID, now_ms=await self._now_ms(), problem=str(error))

    async def load(self, sessions: tuple[UUID, ...]) -> dict[UUID, View]:
        rows = await self._database.fetch(COMMIT["load"], list(sessions))
        return views(rows[0])

    async def steps(self, wanted: tuple[Step, ...]) -> dict[tuple[UUID, str], bytes]:
        rows = await self._database.fetch(
            COMMIT["steps"], [s.workflow_id for s in wanted], [s.step for s in wanted]
        )
        return {
            (cast(UUID, row["workflow_id"]), cast(str, row["step"])): cast(bytes, row["body"])
            for row in rows
        }

    async def configs(self, hashes: tuple[bytes, ...]) -> dict[bytes, bytes]:
        rows = await self._database.fetch(COMMIT["configs"], list(hashes))
        return {cast(bytes, row["hash"]): cast(bytes, row["body"]) for row in rows}

    # ── tasks ───────────────────────────────────────────────────────────────────────────────────

    async def open_tasks(self, workflows: tuple[UUID, ...]) -> dict[UUID, tuple[OpenTask, ...]]:
        return await self._holding.open_tasks(workflows)

    async def ready_groups(self, after: Group | None, limit: int) -> ReadyPage:
        return await self._claims.ready_groups(after, limit)

    async def depths(self, groups: tuple[ReadyGroup, ...]) -> tuple[int, ...]:
        return await self._claims.depths(groups)

    async def claim(self, request: ClaimRequest) -> tuple[Claimed, ...]:
        return await self._claims.claim(request)

    async def renew(self, renewals: tuple[Renewal, ...]) -> tuple[Renewed, ...]:
        return await self._holding.renew(renewals)

    async def acknowledge(self, handed: tuple[Handed, ...]) -> None:
        await self._holding.acknowledge(handed)

    async def start(self, starts: tuple[Renewal, ...]) -> tuple[Verdict, ...]:
        return await self._holding.start(starts)

    async def attach(self, attach_rows: tuple[AttachRow, ...]) -> tuple[AttachReply, ...]:
        return await self._claims.attach(attach_rows)

    async def expired(self, limit: int, *, but: Collection[UUID] = ()) -> tuple[ExpiredTask, ...]:
        return await self._holding.expired(limit, but)

    async def held_by(self, incarnation: UUID) -> tuple[ExpiredTask, ...]:
        return await self._holding.held_by(incarnation)

    async def lapse(self, handed: tuple[Handed, ...]) -> tuple[Verdict, ...]:
        return await self._holding.lapse(handed)

    async def release(self, releases: tuple[Release, ...]) -> tuple[Verdict, ...]:
        return await self._holding.release(releases)

    # ── time ────────────────────────────────────────────────────────────────────────────────────

    async def ready_retries(self, limit: int) -> tuple[Route, ...]:
        rows = await self._database.fetch(
            SWEEPS["ready_retries"], limit, SUSPECT_TRIAL_MS, SUSPECTS_MAX
        )
        numbers = [cast(int, row["route"]) for row in rows]
        routes = await self._routes.named(set(numbers))
        return tuple(routes[number] for number in numbers)

    async def due_timers(self, limit: int, *, but: Collection[UUID] = ()) -> tuple[DueTimer, ...]:
        return tuple(await self._database.fetch_as(DueTimer, SWEEPS["due_timers"], limit, but))

    async def ended_lately(self, *, within_ms: int, limit: int) -> tuple[Ended, ...]:
        return tuple(
            await self._database.fetch_as(
                Ended, SWEEPS["ended_lately"], within_ms, limit, RETOLD_TASK_AGE_MS
            )
        )

    async def sweep_ages_ms(self) -> dict[str, int]:
        rows = await self._database.fetch(SWEEPS["sweep_ages"])
        return {cast(str, row["kind"]): cast(int, row["age_ms"]) for row in rows}

    async def make_partitions(self) -> int:
        return await self._database.fetchval_as(
            int, SWEEPS["make_partitions"], PARTITIONS_BEHIND_MS, PARTITIONS_AHEAD_MS
        )

    async def forget_keys(self, *, older_than_ms: int, limit: int) -> int:
        return await self._database.fetchval_as(int, SWEEPS["forget_keys"], older_than_ms, limit)

    async def epoch(self) -> int:
        return await self._database.fetchval_as(int, SWEEPS["epoch"])

    async def ping(self) -> None:
        await self._database.ping()


def _goes_alone(changes: Changes) -> bool:
    return changes.spending is not None or bool(changes.places)
