"""The rows of schedules and their slots."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from mainspring_scheduler.domain.slots import Schedule, Slot
from mainspring_schema.schedules import ListSchedules, ListSlots, SlotCounts


class Held(Struct, frozen=True, kw_only=True):
    """A claimed schedule with its open slots: nobody else's until its hold ends."""

    schedule: Schedule
    slots: tuple[Slot, ...]


class Claimed(Struct, frozen=True, kw_only=True):
    """`now_ms` is the store's clock, the only one by which slots are due."""

    now_ms: int
    held: tuple[Held, ...] = ()


class Write(Struct, frozen=True, kw_only=True):
    """What becomes of a claimed schedule. Its slots are inserted where they are in `fresh`.

    With `keep_hold` the schedule stays held, for more is written in a moment.
    """

    schedule: Schedule
    slots: tuple[Slot, ...]
    fresh: frozenset[UUID] = frozenset()
    keep_hold: bool = False


class ScheduleStore(Protocol):
    """Shared by all replicas. Each operation is one transaction. All raise Unavailable.

    A claim, a write and every change of a schedule raise its `rev`, and each compares it: after
    another claim nothing of an earlier one can be written, and nobody changes a schedule as it was
    before it fired. The times that rows bear, but for
    those that the store's own clock decides, come with the values.
    """

    async def now_ms(self) -> int:
        """The store's time."""
        ...

    async def insert(self, schedule: Schedule) -> Schedule:
        """The row that bears its id now: this one, or the one of an earlier call.

        Raises NameTaken.
        """
        ...

    async def get(self, org_id: UUID, schedule_id: UUID) -> Schedule | None:
        """None also for a deleted one."""
        ...

    async def page(self, wanted: ListSchedules) -> tuple[Sequence[Schedule], int]:
        """A page, newest first, and how many match."""
        ...

    async def count(self, org_id: UUID) -> int:
        """How many schedules the organization has."""
        ...

    async def counts_of_sessions(
        self, org_id: UUID, session_ids: Sequence[UUID]
    ) -> Mapping[UUID, int]:
        """How many schedules will still write to each session; none where it is not there."""
        ...

    async def replace(self, schedule: Schedule) -> bool:
        """Writes a changed row where its `rev` still stands, and raises that. Raises NameTaken."""
        ...

    async def add_slot(self, slot: Slot) -> Slot | None:
        """Inserts a slot and makes its schedule due at once; an earlier call's slot stands.

        None where the schedule is not there.
        """
        ...

    async def slot_page(self, wanted: ListSlots) -> tuple[Sequence[Slot], int]:
        """A page, newest first, and how many match."""
        ...

    async def slot(self, org_id: UUID, slot_id: UUID) -> Slot | None:
        """None where its schedule is deleted, too."""
        ...

    async def open_slots(self, schedule_id: UUID) -> int:
        """How many have not ended."""
        ...

    async def counts(self, schedule_id: UUID, *, limit: int) -> SlotCounts:
        """Of the newest `limit` slots."""
        ...

    async def claim(self, *, limit: int, hold_ms: int) -> Claimed:
        """Takes schedules that are due, most overdue first, passing over what others take now."""
        ...

    async def commit(self, writes: Sequence[Write]) -> Collection[UUID]:
        """Writes schedules with their slots, each whole or not at all; the ids that were written.

        A time that has its slot already gets no second one.
        """
        ...

    async def forget(self, *, before_ms: int, limit: int) -> int:
        """Removes slots that ended before, then deleted schedules without slots; how many rows."""
        ...
