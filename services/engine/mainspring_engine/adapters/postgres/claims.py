"""How workers get tasks: claims and attaches."""

from typing import Final, cast
from uuid import UUID

from mainspring_engine.adapters.postgres.flights import LEASE_MS
from mainspring_engine.adapters.postgres.progress import progress_of
from mainspring_engine.adapters.postgres.routes import RouteNumbers
from mainspring_engine.domain.backlog import Group, ReadyGroup
from mainspring_engine.domain.limits import PRIORITY_AGING_S, PROGRESS_STEPS_MAX
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import Closing
from mainspring_engine.ports.store import (
    AttachReply,
    AttachRow,
    Claimed,
    ClaimRequest,
    ReadyPage,
)
from mainspring_kernel.limits import PRIORITY_MAX
from mainspring_postgres import Database, Row, load_queries
from mainspring_schema.frames import Held

TASKS: Final = load_queries("mainspring_engine.adapters.postgres", "tasks.sql")
_NOBODY: Final = UUID(int=0)
_ATTACHED, _LOST, _CANCELLING, _RELEASED = 1, 2, 3, 4


class Claims:
    def __init__(self, database: Database, routes: RouteNumbers) -> None:
        self._database = database
        self._routes = routes

    async def ready_groups(self, after: Group | None, limit: int) -> ReadyPage:
        place = (0, _NOBODY, 0) if after is None else await self._place(after)
        rows = await self._database.fetch(TASKS["ready_groups"], *place, limit)
        numbers = {cast(int, row["route"]) for row in rows if row["route"] is not None}
        names = await self._routes.named(numbers)
        groups = tuple(
            _ready_group(row, names[row["route"]]) for row in rows if row["route"] in names
        )
        return ReadyPage(board=cast(int, rows[0]["version"]), groups=groups)

    async def _place(self, group: Group) -> tuple[int, UUID, int]:
        numbers = await self._routes.of({group.route})
        return numbers[group.route], group.org_id, group.priority

    async def depths(self, groups: tuple[ReadyGroup, ...]) -> tuple[int, ...]:
        numbers = await self._routes.of({ready.group.route for ready in groups})
        rows = await self._database.fetch(
            TASKS["depths"], [_group(ready, numbers) for ready in groups]
        )
        return tuple(cast(int, row["depth"]) for row in rows)

    async def claim(self, request: ClaimRequest) -> tuple[Claimed, ...]:
        numbers = await self._routes.of({want.route for want in request.wants})
        rows = await self._database.fetch(
            TASKS["claim"],
            LEASE_MS,
            round(PRIORITY_AGING_S * 1000),
            PRIORITY_MAX,
            [
                (numbers[want.route], want.incarnation, want.attach_number, want.limit)
                for want in request.wants
            ],
            [_group(ready, numbers) for ready in request.groups],
            [(share.org_id, share.lead, share.weight) for share in request.shares],
            [(numbers[limit.route], limit.key, limit.at_once) for limit in request.limits],
            PROGRESS_STEPS_MAX,
        )  # fmt: skip
        names = {number: route for route, number in numbers.items()}
        return tuple(_claimed(row, names[cast(int, row["route"])]) for row in rows)

    async def attach(self, attach_rows: tuple[AttachRow, ...]) -> tuple[AttachReply, ...]:
        held = [(a.incarnation, h.task_id, h.fence) for a in attach_rows for h in a.held]
        rows = await self._database.fetch(
            TASKS["attach"],
            LEASE_MS,
            Closing.UNDELIVERED,
            [a.incarnation for a in attach_rows],
            [a.attach_number for a in attach_rows],
            [a.name for a in attach_rows],
            [a.build for a in attach_rows],
            [incarnation for incarnation, _, _ in held],
            [task_id for _, task_id, _ in held],
            [fence for _, _, fence in held],
        )
        return tuple(_attach_reply(attach_row, rows) for attach_row in attach_rows)


def _claimed(row: Row, route: Route) -> Claimed:
    return Claimed(
        held=Held(cast(UUID, row["task_id"]), cast(int, row["fence"])),
        route=route,
        session_id=cast(UUID, row["session_id"]),
        workflow_id=cast(UUID, row["workflow_id"]),
        org_id=cast(UUID, row["org_id"]),
        payload=cast(bytes, row["payload"]),
        config_hash=cast(bytes, row["config_hash"]),
        traceparent=cast(str, row["traceparent"]),
        failures=cast(int, row["failures"]),
        incarnation=cast(UUID, row["incarnation"]),
        started=cast(bool, row["started"]),
        priority=cast(int, row["priority"]),
        progress=progress_of(cast("list[Row]", row["progress"])),
    )


def _group(ready: ReadyGroup, numbers: dict[Route, int]) -> tuple[object, ...]:
    group = ready.group
    return numbers[group.route], group.org_id, group.priority, ready.from_id, ready.depth


def _ready_group(row: Row, route: Route) -> ReadyGroup:
    group = Group(route, cast(UUID, row["org_id"]), cast(int, row["priority"]))
    return ReadyGroup(group=group, from_id=cast(UUID, row["from_id"]))


def _attach_reply(attach_row: AttachRow, rows: list[Row]) -> AttachReply:
    mine = [row for row in rows if row["incarnation"] == attach_row.incarnation]
    if not any(row["kind"] == _ATTACHED for row in mine):
        return AttachReply(refused=True)
    return AttachReply(
        refused=False,
        lost=_of_kind(mine, _LOST),
        cancelling=_of_kind(mine, _CANCELLING),
        released=len(_of_kind(mine, _RELEASED)),
    )


def _of_kind(rows: list[Row], kind: int) -> tuple[Held, ...]:
    return tuple(
        Held(cast(UUID, row["task_id"]), cast(int, row["fence"]))
        for row in rows
        if row["kind"] == kind
    )
