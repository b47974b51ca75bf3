"""Schedules and slots as tests need them, and ids that say which they are."""

import itertools
from uuid import UUID

import msgspec

from mainspring_scheduler.domain.planning import Ids
from mainspring_scheduler.domain.slots import Schedule, Slot
from mainspring_schema.schedules import (
    Interval,
    MessageTarget,
    Overlap,
    SlotOrigin,
    SlotStatus,
    Spec,
    Target,
    Timing,
    WorkflowTarget,
)

NOW = 1_790_000_000_000
MINUTE = 60_000
ORG = UUID(int=1)
SCHEDULE = UUID(int=2)
SESSION = UUID(int=3)
EVERY_MINUTE = Interval(every_ms=MINUTE, anchor_ms=NOW - 100 * MINUTE)
MESSAGE = MessageTarget(session_id=SESSION, message=b"{}")
NEW_SESSION = MessageTarget(message=b"{}")
WORKFLOW = WorkflowTarget(workflow_type="report")


def schedule(
    *,
    overlap: Overlap = "skip",
    timing: Timing = EVERY_MINUTE,
    target: Target = MESSAGE,
    name: str = "s",
    id_: UUID = SCHEDULE,
    next_ms: int | None = NOW,
    catch_up_s: int = 3600,
    jitter_s: int = 0,
) -> Schedule:
    """Due now."""
    return Schedule(
        org_id=ORG,
        id=id_,
        spec=Spec(
            name=name,
            timing=timing,
            target=target,
            overlap=overlap,
            catch_up_s=catch_up_s,
            jitter_s=jitter_s,
        ),
        paused=False,
        next_ms=next_ms,
        due_ms=next_ms,
        created_ms=NOW - 100 * MINUTE,
        updated_ms=NOW - 100 * MINUTE,
    )


def slot(
    number: int,
    status: SlotStatus = "running",
    *,
    slot_ms: int = NOW - MINUTE,
    origin: SlotOrigin = "time",
    schedule_id: UUID = SCHEDULE,
) -> Slot:
    made = Slot(
        org_id=ORG,
        id=UUID(int=100 + number),
        schedule_id=schedule_id,
        slot_ms=slot_ms,
        origin=origin,
        status=status,
        created_ms=slot_ms,
    )
    if status == "running":
        return msgspec.structs.replace(
            made,
            attempts=1,
            session_id=SESSION,
            message_id=UUID(int=200 + number),
            turn_id=UUID(int=300 + number),
            started_ms=slot_ms,
            due_ms=slot_ms + 2000,
        )
    return made


def ids() -> Ids:
    numbers = itertools.count(1000)

    def new() -> UUID:
        return UUID(int=next(numbers))

    return Ids(slot=new, session=new, message=new, workflow=new)
