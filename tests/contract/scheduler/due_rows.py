"""Schedules that are due by the machine's clock, which is the store's, and what is done to them."""

from uuid import UUID

import msgspec

from mainspring_kernel.clock import SystemClock
from mainspring_scheduler.domain.slots import Schedule, Slot
from mainspring_scheduler.ports.schedules import Held, ScheduleStore, Write
from tests.unit.scheduler.rows import SCHEDULE, schedule

HOLD_MS = 60_000
NOW = SystemClock().wall_ms()


def due(**members: object) -> Schedule:
    """Due for a second."""
    return schedule(next_ms=NOW - 1000, **members)  # pyright: ignore[reportArgumentType] -- as each test says


def by_number(number: int, **members: object) -> Schedule:
    row = due(id_=UUID(int=500 + number), name=f"s{number}", **members)
    return msgspec.structs.replace(row, created_ms=NOW + number)


async def claim(store: ScheduleStore, *, limit: int = 10, hold_ms: int = HOLD_MS) -> list[Held]:
    return list((await store.claim(limit=limit, hold_ms=hold_ms)).held)


async def known(store: ScheduleStore, row: Schedule) -> Schedule:
    found = await store.get(row.org_id, row.id)
    assert found is not None
    return found


async def put(store: ScheduleStore, *slots: Slot) -> None:
    """Slots of the one schedule, which stays due."""
    (held,) = await claim(store, hold_ms=0)
    write = Write(
        schedule=msgspec.structs.replace(held.schedule, due_ms=NOW - 1),
        slots=slots,
        fresh=frozenset(one.id for one in slots),
    )
    assert await store.commit([write]) == {SCHEDULE}
