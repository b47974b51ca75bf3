"""The scheduler over gRPC."""

import msgspec

from mainspring_kernel.errors import ValidationFailed
from mainspring_rpc import ScheduleClient
from mainspring_rpc.generated.scheduler.v1 import scheduler_pb2 as pb
from mainspring_schema import codec
from mainspring_schema.schedules import (
    ChangeSchedule,
    CreateSchedule,
    ListSchedules,
    ListSlots,
    OneSchedule,
    OneSlot,
    ScheduleCommand,
    SchedulePage,
    ScheduleRecord,
    SchedulesOfSessions,
    SessionCounts,
    SlotCounts,
    SlotPage,
    SlotRecord,
    TriggerSchedule,
)


class RpcSchedules:
    def __init__(self, client: ScheduleClient) -> None:
        self._client = client

    async def create(self, command: CreateSchedule) -> ScheduleRecord:
        request = pb.CreateScheduleRequest(command=_packed(command))
        made = await self._client.create_schedule(request)
        return msgspec.msgpack.decode(made.schedule, type=ScheduleRecord)

    async def get(self, command: OneSchedule) -> ScheduleRecord:
        request = pb.GetScheduleRequest(command=_packed(command))
        found = await self._client.get_schedule(request)
        return msgspec.msgpack.decode(found.schedule, type=ScheduleRecord)

    async def list(self, command: ListSchedules) -> SchedulePage:
        request = pb.ListSchedulesRequest(command=_packed(command))
        listed = await self._client.list_schedules(request)
        return msgspec.msgpack.decode(listed.page, type=SchedulePage)

    async def change(self, command: ChangeSchedule) -> ScheduleRecord:
        request = pb.ChangeScheduleRequest(command=_packed(command))
        changed = await self._client.change_schedule(request)
        return msgspec.msgpack.decode(changed.schedule, type=ScheduleRecord)

    async def delete(self, command: OneSchedule) -> None:
        await self._client.delete_schedule(pb.DeleteScheduleRequest(command=_packed(command)))

    async def trigger(self, command: TriggerSchedule) -> SlotRecord:
        request = pb.TriggerScheduleRequest(command=_packed(command))
        triggered = await self._client.trigger_schedule(request)
        return msgspec.msgpack.decode(triggered.slot, type=SlotRecord)

    async def slots(self, command: ListSlots) -> SlotPage:
        listed = await self._client.list_slots(pb.ListSlotsRequest(command=_packed(command)))
        return msgspec.msgpack.decode(listed.page, type=SlotPage)

    async def slot(self, command: OneSlot) -> SlotRecord:
        found = await self._client.get_slot(pb.GetSlotRequest(command=_packed(command)))
        return msgspec.msgpack.decode(found.slot, type=SlotRecord)

    async def counts(self, command: OneSchedule) -> SlotCounts:
        found = await self._client.count_slots(pb.CountSlotsRequest(command=_packed(command)))
        return msgspec.msgpack.decode(found.counts, type=SlotCounts)

    async def of_sessions(self, command: SchedulesOfSessions) -> SessionCounts:
        request = pb.CountOfSessionsRequest(command=_packed(command))
        found = await self._client.count_of_sessions(request)
        return msgspec.msgpack.decode(found.counts, type=SessionCounts)


def _packed(command: ScheduleCommand) -> bytes:
    """Raises ValidationFailed for a number that no service could read."""
    try:
        return codec.pack(command)
    except OverflowError as error:
        detail = "a number is out of range"
        raise ValidationFailed(detail) from error
