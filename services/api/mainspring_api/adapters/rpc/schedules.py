"""The scheduler over gRPC."""

import msgspec

from mainspring_rpc import ScheduleClient
from mainspring_rpc.generated.scheduler.v1 import scheduler_pb2 as pb
from mainspring_schema.codec import pack_command
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


class RpcSchedules:
    def __init__(self, client: ScheduleClient) -> None:
        self._client = client

    async def create(self, command: CreateSchedule) -> ScheduleRecord:
        request = pb.CreateScheduleRequest(command=pack_command(command))
        made = await self._client.create_schedule(request)
        return msgspec.msgpack.decode(made.schedule, type=ScheduleRecord)

    async def get(self, command: OneSchedule) -> ScheduleRecord:
        request = pb.GetScheduleRequest(command=pack_command(command))
        found = await self._client.get_schedule(request)
        return msgspec.msgpack.decode(found.schedule, type=ScheduleRecord)

    async def list(self, command: ListSchedules) -> SchedulePage:
        request = pb.ListSchedulesRequest(command=pack_command(command))
        listed = await self._client.list_schedules(request)
        return msgspec.msgpack.decode(listed.page, type=SchedulePage)

    async def change(self, command: ChangeSchedule) -> ScheduleRecord:
        request = pb.ChangeScheduleRequest(command=pack_command(command))
        changed = await self._client.change_schedule(request)
        return msgspec.msgpack.decode(changed.schedule, type=ScheduleRecord)

    async def delete(self, command: OneSchedule) -> None:
        await self._client.delete_schedule(pb.DeleteScheduleRequest(command=pack_command(command)))

    async def trigger(self, command: TriggerSchedule) -> SlotRecord:
        request = pb.TriggerScheduleRequest(command=pack_command(command))
        triggered = await self._client.trigger_schedule(request)
        return msgspec.msgpack.decode(triggered.slot, type=SlotRecord)

    async def slots(self, command: ListSlots) -> SlotPage:
        listed = await self._client.list_slots(pb.ListSlotsRequest(command=pack_command(command)))
        return msgspec.msgpack.decode(listed.page, type=SlotPage)

    async def slot(self, command: OneSlot) -> SlotRecord:
        found = await self._client.get_slot(pb.GetSlotRequest(command=pack_command(command)))
        return msgspec.msgpack.decode(found.slot, type=SlotRecord)

    async def counts(self, command: OneSchedule) -> SlotCounts:
        found = await self._client.count_slots(pb.CountSlotsRequest(command=pack_command(command)))
        return msgspec.msgpack.decode(found.counts, type=SlotCounts)

    async def of_sessions(self, command: SchedulesOfSessions) -> SessionCounts:
        request = pb.CountOfSessionsRequest(command=pack_command(command))
        found = await self._client.count_of_sessions(request)
        return msgspec.msgpack.decode(found.counts, type=SessionCounts)
