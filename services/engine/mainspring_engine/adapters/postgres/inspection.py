"""What operators look at: statements of their own, which no task waits for."""

from typing import Final, cast
from uuid import UUID

from mainspring_engine.domain import closed
from mainspring_engine.domain.limits import CLOSED_WINDOW_MAX, REPLICA_SILENT_S, SAMPLE_TASKS_MAX
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import Closing, TaskState
from mainspring_engine.domain.samples import RouteSample, Sample, SeatSample, Vitals
from mainspring_engine.ports.inspection import ClosedPage
from mainspring_postgres import Database, Row, load_queries
from mainspring_schema.operations import AttemptView, ListTasks, TaskDetails, TaskView

INSPECTION: Final = load_queries("mainspring_engine.adapters.postgres", "inspection.sql")
_SILENT_MS: Final = round(REPLICA_SILENT_S * 1000)
_ABOVE_ALL: Final = UUID(int=(1 << 128) - 1)
_BELOW_ALL: Final = UUID(int=0)


class PostgresInspection:
    def __init__(self, database: Database) -> None:
        self._database = database

    # ── tasks ───────────────────────────────────────────────────────────────────────────────────

    async def tasks(self, asked: ListTasks) -> tuple[TaskView, ...]:
        return tuple(
            await self._database.fetch_as(
                TaskView,
                INSPECTION["tasks"],
                asked.org_id,
                asked.after,
                None if asked.status is None else TaskState[asked.status.upper()],
                None if asked.kind is None else closed.KIND_OF[asked.kind],
                asked.queue,
                asked.session_id,
                asked.workflow_id,
                asked.worker_id,
                None,
                asked.limit + 1,
            )
        )

    async def still_open(
        self, ids: tuple[UUID, ...], org_id: UUID | None = None
    ) -> tuple[UUID, ...]:
        rows = await self._database.fetch(INSPECTION["still_open"], list(ids), org_id)
        return tuple(cast(UUID, row["id"]) for row in rows)

    async def closed(self, org_id: UUID, before: UUID | None, limit: int) -> ClosedPage:
        top = before or _ABOVE_ALL
        # The window first: tasks that come meanwhile cannot move it over those already listed.
        edge = await self._database.fetch(INSPECTION["closed_window"], top, CLOSED_WINDOW_MAX - 1)
        bottom = cast(UUID, edge[0]["task_id"]) if edge else None
        rows = await self._database.fetch(
            INSPECTION["closed_tasks"], org_id, top, bottom or _BELOW_ALL, limit + 1
        )
        page = rows[:limit]
        ids = [cast(UUID, row["task_id"]) for row in page]
        by_task: dict[UUID, list[AttemptView]] = {id_: [] for id_ in ids}
        for row in await self._database.fetch(INSPECTION["attempts_of"], ids):
            by_task[cast(UUID, row["task_id"])].append(attempt_view(row))
        return ClosedPage(
            tasks=tuple(_closed(row, tuple(by_task[row["task_id"]])) for row in page),
            next=ids[-1] if len(rows) > limit else bottom,
        )

    async def task(self, org_id: UUID, task_id: UUID) -> TaskDetails | None:
        narrowed = (org_id, None, None, None, None, None, None, None, task_id, 1)
        open_ones = await self._database.fetch_as(TaskView, INSPECTION["tasks"], *narrowed)
        made = await self._database.fetch(INSPECTION["payload"], task_id, org_id)
        if not made:
            return None
        payload = cast(bytes, made[0]["payload"])
        rows = await self._database.fetch(INSPECTION["attempts_of"], [task_id])
        attempts = tuple(attempt_view(row) for row in rows)
        if open_ones:
            return TaskDetails(task=open_ones[0], attempts=attempts, payload=payload)
        step, task = cast(str, made[0]["step"]), closed.read(payload)
        owner = closed.owner(task_id, task)
        session_id = owner
        if owner != task_id:
            session_id = await self._database.fetchval_as(
                UUID, INSPECTION["session_of"], owner, org_id
            )
        ended = closed.view(task_id, session_id, step, task, attempts)
        return TaskDetails(task=ended, attempts=attempts, payload=payload)

    # ── everything that is open ─────────────────────────────────────────────────────────────────

    async def sample(self) -> Sample:
        routes = await self._database.fetch(INSPECTION["sample_routes"], SAMPLE_TASKS_MAX)
        seats = await self._database.fetch(INSPECTION["sample_seats"], _SILENT_MS)
        (rest,) = await self._database.fetch(INSPECTION["sample_rest"], _SILENT_MS)
        return Sample(
            at_ms=cast(int, rest["at_ms"]),
            routes=tuple(_route(row) for row in routes),
            seats=tuple(seat_sample(row) for row in seats),
            replicas=cast(int, rest["replicas"]),
            dead_letters=cast(int, rest["dead_letters"]),
            cut=bool(routes) and cast(int, routes[0]["read"]) >= SAMPLE_TASKS_MAX,
        )

    async def vitals(self) -> Vitals:
        rows = await self._database.fetch(INSPECTION["vitals"])
        (first, *_) = rows  # the tables are there, or nothing else would work either
        return Vitals(
            dead_rows={cast(str, row["collection"]): cast(int, row["dead_rows"]) for row in rows},
            horizon_s=cast("float | None", first["horizon_s"]),
            horizon_behind=cast("int | None", first["horizon_behind"]),
        )


def _closed(row: Row, attempts: tuple[AttemptView, ...]) -> TaskView:
    task_id, step = cast(UUID, row["task_id"]), cast(str, row["step"])
    made = closed.read(cast(bytes, row["payload"]))
    return closed.view(task_id, task_id, step, made, attempts)


def attempt_view(row: Row) -> AttemptView:
    return AttemptView(
        fence=cast(int, row["fence"]),
        worker_id=cast(UUID, row["worker_id"]),
        worker_name=cast("str | None", row["worker_name"]),
        worker_build=cast("str | None", row["worker_build"]),
        claimed_ms=cast(int, row["claimed_ms"]),
        closed_ms=cast(int, row["closed_ms"]),
        acknowledged=cast(bool, row["acknowledged"]),
        started=cast(bool, row["started"]),
        closing=Closing(cast(int, row["closing"])).name.lower(),
        error_code=cast(str, row["error_code"]),
        error_message=cast(str, row["error_message"]),
    )


def _route(row: Row) -> RouteSample:
    return RouteSample(
        route=Route.named(
            cast(str, row["queue"]),
            cast(str, row["capability"]),
            cast(str, row["build"]),
            cast(str, row["model"]),
        ),
        ready=cast(int, row["ready"]),
        leased=cast(int, row["leased"]),
        delayed=cast(int, row["delayed"]),
        waiting=cast(int, row["waiting"]),
        oldest_ms=cast(int, row["oldest_ms"]),
    )


def seat_sample(row: Row) -> SeatSample:
    return SeatSample(
        queues=frozenset(cast("list[str]", row["queues"])),
        capabilities=frozenset(cast("list[str]", row["capabilities"])),
        build=cast(str, row["build"]),
        active=cast(int, row["active"]),
        silent=cast(int, row["silent"]),
        draining=cast(int, row["draining"]),
        slots=cast(int, row["slots"]),
        held=cast(int, row["held"]),
    )
