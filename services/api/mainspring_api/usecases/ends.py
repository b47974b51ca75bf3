"""Which of many awaited tasks and workflows have ended: one question, however many they are."""

from uuid import UUID

from msgspec import Struct

from mainspring_api.ports.endings import Endings
from mainspring_api.ports.operator import OperatorDoor
from mainspring_api.usecases.told import told_within
from mainspring_kernel.clock import Clock
from mainspring_schema.open_work import FindOpen


class Awaited(Struct, frozen=True, kw_only=True):
    """At most OPEN_IDS_PER_QUESTION_MAX of an organization; what it has not is not open."""

    org_id: UUID
    task_ids: frozenset[UUID]
    workflow_ids: frozenset[UUID]


async def ended(
    operator: OperatorDoor, endings: Endings, clock: Clock, awaited: Awaited, *, wait_s: float
) -> frozenset[UUID]:
    """Those that are not open, once there are any; after `wait_s` none. Raises Unavailable."""
    until_s = clock.mono() + wait_s
    ids = awaited.task_ids | awaited.workflow_ids
    with endings.any_of(awaited.task_ids, awaited.workflow_ids) as told:
        while True:
            # Asked once it is listened for, for they may have ended before.
            found = await operator.inspect(FindOpen(ids=tuple(ids), org_id=awaited.org_id))
            gone, left_s = ids.difference(found.ids), until_s - clock.mono()
            if gone or left_s <= 0 or endings.leaving:
                return gone
            await told_within(told, clock, left_s)
