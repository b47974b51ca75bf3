"""What api asks of the scheduler."""

from typing import Protocol

from mainspring_schema.schedules import (
    ChangeSchedule,
    CreateSchedule,
    ListSchedules,
    ListSlots,
    OneSchedule,
    OneSlot,
    SchedulePage,
    ScheduleRecord,
    SchedulesOfSessions,
    SessionCounts,
    SlotCounts,
    SlotPage,
    SlotRecord,
    TriggerSchedule,
)


class Schedules(Protocol):
    """Each method raises the scheduler's own error, or Unavailable where it cannot be reached."""

    async def create(self, command: CreateSchedule) -> ScheduleRecord:
        """Asked again with the same id, it answers with what is there.

        Raises ValidationFailed, NameTaken, TooManyRequests.
        """
        ...

    async def get(self, command: OneSchedule) -> ScheduleRecord:
        """Raises NotFound."""
        ...

    async def list(self, command: ListSchedules) -> SchedulePage:
        """Newest first."""
        ...

    async def change(self, command: ChangeSchedule) -> ScheduleRecord:
        """Raises NotFound, ValidationFailed, NameTaken."""
        ...

    async def delete(self, command: OneSchedule) -> None:
        """What it has begun goes on. Raises NotFound."""
        ...

    async def trigger(self, command: TriggerSchedule) -> SlotRecord:
        """A slot now, by hand; asked again with the same id, the same one.

        Raises NotFound, TooManyRequests.
        """
        ...

    async def slots(self, command: ListSlots) -> SlotPage:
        """Newest first. Raises NotFound."""
        ...

    async def slot(self, command: OneSlot) -> SlotRecord:
        """Raises NotFound."""
        ...

    async def counts(self, command: OneSchedule) -> SlotCounts:
        """Of the newest slots. Raises NotFound."""
        ...

    async def of_sessions(self, command: SchedulesOfSessions) -> SessionCounts:
        """How many will still write to each session."""
        ...
