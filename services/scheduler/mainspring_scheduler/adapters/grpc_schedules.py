"""ScheduleService: what api asks on behalf of people."""

from typing import Final

import msgspec

from mainspring_rpc.generated.scheduler.v1 import scheduler_pb2 as pb
from mainspring_scheduler.usecases.schedules import Schedules
from mainspring_schema.codec import pack, read_command
from mainspring_schema.schedules import (
    ChangeSchedule,
    CreateSchedule,
    ListSchedules,
    ListSlots,
    OneSchedule,
    OneSlot,
    SchedulesOfSessions,
    TriggerSchedule,
)

_CREATE_SCHEDULE: Final = msgspec.msgpack.Decoder(CreateSchedule).decode
_ONE_SCHEDULE: Final = msgspec.msgpack.Decoder(OneSchedule).decode
_LIST_SCHEDULES: Final = msgspec.msgpack.Decoder(ListSchedules).decode
_CHANGE_SCHEDULE: Final = msgspec.msgpack.Decoder(ChangeSchedule).decode
_TRIGGER_SCHEDULE: Final = msgspec.msgpack.Decoder(TriggerSchedule).decode
_LIST_SLOTS: Final = msgspec.msgpack.Decoder(ListSlots).decode
_ONE_SLOT: Final = msgspec.msgpack.Decoder(OneSlot).decode
_SCHEDULES_OF_SESSIONS: Final = msgspec.msgpack.Decoder(SchedulesOfSessions).decode


class ScheduleServicer:
    def __init__(self, schedules: Schedules) -> None:
        self._schedules = schedules

    async def create_schedule(
        self, request: pb.CreateScheduleRequest, /
    ) -> pb.CreateScheduleResponse:
        made = await self._schedules.create(read_command(_CREATE_SCHEDULE, request.command))
        return pb.CreateScheduleResponse(schedule=pack(made))

    async def get_schedule(self, request: pb.GetScheduleRequest, /) -> pb.GetScheduleResponse:
        found = await self._schedules.get(read_command(_ONE_SCHEDULE, request.command))
        return pb.GetScheduleResponse(schedule=pack(found))

    async def list_schedules(self, request: pb.ListSchedulesRequest, /) -> pb.ListSchedulesResponse:
        page = await self._schedules.list(read_command(_LIST_SCHEDULES, request.command))
        return pb.ListSchedulesResponse(page=pack(page))

    async def change_schedule(
        self, request: pb.ChangeScheduleRequest, /
    ) -> pb.ChangeScheduleResponse:
        changed = await self._schedules.change(read_command(_CHANGE_SCHEDULE, request.command))
        return pb.ChangeScheduleResponse(schedule=pack(changed))

    async def delete_schedule(
        self, request: pb.DeleteScheduleRequest, /
    ) -> pb.DeleteScheduleResponse:
        await self._schedules.delete(read_command(_ONE_SCHEDULE, request.command))
        return pb.DeleteScheduleResponse()

    async def trigger_schedule(
        self, request: pb.TriggerScheduleRequest, /
    ) -> pb.TriggerScheduleResponse:
        slot = await self._schedules.trigger(read_command(_TRIGGER_SCHEDULE, request.command))
        return pb.TriggerScheduleResponse(slot=pack(slot))

    async def list_slots(self, request: pb.ListSlotsRequest, /) -> pb.ListSlotsResponse:
        page = await self._schedules.slots(read_command(_LIST_SLOTS, request.command))
        return pb.ListSlotsResponse(page=pack(page))

    async def get_slot(self, request: pb.GetSlotRequest, /) -> pb.GetSlotResponse:
        slot = await self._schedules.slot(read_command(_ONE_SLOT, request.command))
        return pb.GetSlotResponse(slot=pack(slot))

    async def count_slots(self, request: pb.CountSlotsRequest, /) -> pb.CountSlotsResponse:
        counts = await self._schedules.counts(read_command(_ONE_SCHEDULE, request.command))
        return pb.CountSlotsResponse(counts=pack(counts))

    async def count_of_sessions(
        self, request: pb.CountOfSessionsRequest, /
    ) -> pb.CountOfSessionsResponse:
        counts = await self._schedules.of_sessions(
            read_command(_SCHEDULES_OF_SESSIONS, request.command)
        )
        return pb.CountOfSessionsResponse(counts=pack(counts))
