from collections.abc import Sequence
from uuid import UUID

from mainspring_kernel.errors import MainspringError
from mainspring_scheduler.domain.slots import Ended, Schedule, Slot, Started, asked_of, slot_key
from mainspring_schema.schedules import WorkflowTarget


class MemoryTargets:
    """What slots begin, until a test says how it ended. `asked` counts every asking by key."""

    def __init__(self) -> None:
        self.begun: dict[str, Slot] = {}
        self.asked: list[str] = []
        self.ended: dict[UUID, Ended] = {}
        self.cancelled: set[UUID] = set()
        self.refusal: MainspringError | None = None

    async def start(self, schedule: Schedule, slot: Slot) -> Started:
        key = slot_key(slot)
        self.asked.append(key)
        if self.refusal is not None:
            raise self.refusal
        first = self.begun.setdefault(key, slot)
        if isinstance(asked_of(schedule, slot).target, WorkflowTarget):
            return Started(workflow_id=first.id)
        return Started(turn_id=first.message_id)

    async def look(self, slots: Sequence[Slot]) -> Sequence[Ended | None]:
        if self.refusal is not None:
            raise self.refusal
        return [self.ended.get(slot.id) for slot in slots]

    async def cancel(self, slot: Slot) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.cancelled.add(slot.id)
