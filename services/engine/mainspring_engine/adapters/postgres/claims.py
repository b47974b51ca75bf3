"""Who takes tasks: claims and attaches."""

from typing import Final, cast
from uuid import UUID

from mainspring_engine.adapters.postgres.flights import LEASE_MS
from mainspring_engine.adapters.postgres.routes import RouteNumbers
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import Closing
from mainspring_engine.ports.store import Attachment, AttachReply, Claimed, Want
from mainspring_kernel.limits import CLAIM_ORGS_MAX
from mainspring_postgres import Database, Row, load_queries
from mainspring_schema.frames import Held

TASKS: Final = load_queries("mainspring_engine.adapters.postgres", "tasks.sql")
_NOBODY: Final = UUID(int=0)
_ATTACHED, _LOST, _CANCELLING, _RELEASED = 1, 2, 3, 4


class Claims:
    def __init__(self, database: Database, routes: RouteNumbers) -> None:
        self._database = database
        self._routes = routes
        self._served: dict[int, UUID] = {}
        """Route → the organization that was served last, behind which the next round begins."""

    async def claim(self, wants: tuple[Want, ...]) -> tuple[Claimed, ...]:
        numbers = await self._routes.of({want.route for want in wants})
        rows = await self._database.fetch(
            TASKS["claim"],
            LEASE_MS,
            CLAIM_ORGS_MAX,
            [
                (
                    numbers[want.route],
                    self._served.get(numbers[want.route], _NOBODY),
                    want.incarnation,
                    want.attach_number,
                    want.limit,
                )
                for want in wants
            ],
        )
        names = {number: route for route, number in numbers.items()}
        for row in rows:
            self._served[cast(int, row["route"])] = cast(UUID, row["org_id"])
        return tuple(_claimed(row, names[cast(int, row["route"])]) for row in rows)

    async def attach(self, attachments: tuple[Attachment, ...]) -> tuple[AttachReply, ...]:
        held = [(a.incarnation, h.task_id, h.fence) for a in attachments for h in a.held]
        rows = await self._database.fetch(
            TASKS["attach"],
            LEASE_MS,
            Closing.UNDELIVERED,
            [a.incarnation for a in attachments],
            [a.attach_number for a in attachments],
            [a.name for a in attachments],
            [a.build for a in attachments],
            [incarnation for incarnation, _, _ in held],
            [task_id for _, task_id, _ in held],
            [fence for _, _, fence in held],
        )
        return tuple(_attach_reply(attachment, rows) for attachment in attachments)


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
    )


def _attach_reply(attachment: Attachment, rows: list[Row]) -> AttachReply:
    mine = [row for row in rows if row["incarnation"] == attachment.incarnation]
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
