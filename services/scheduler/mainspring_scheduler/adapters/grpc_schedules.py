"""ScheduleService: what api asks on behalf of people."""

from typing import TypeVar

import msgspec

from mainspring_kernel.errors import MalformedBody
from mainspring_rpc.generated.scheduler.v1 import scheduler_pb2 as pb
from mainspring_scheduler.usecases.schedules import Schedules
from mainspring_schema import codec
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

T = TypeVar("T")


class ScheduleServicer:
    def __init__(self, schedules: Schedules) -> None:
        self._schedules = schedules

    async def create_schedule(
        self, request: pb.CreateScheduleRequest, /
    ) -> pb.CreateScheduleResponse:
        made = await self._schedules.create(_read(request.command, CreateSchedule))
        return pb.CreateScheduleResponse(schedule=codec.pack(made))

    async def get_schedule(self, request: pb.GetScheduleRequest, /) -> pb.GetScheduleResponse:
        found = await self._schedules.get(_read(request.command, OneSchedule))
        return pb.GetScheduleResponse(schedule=codec.pack(found))

    async def list_schedules(self, request: pb.ListSchedulesRequest, /) -> pb.ListSchedulesResponse:
        page = await self._schedules.list(_read(request.command, ListSchedules))
        return pb.ListSchedulesResponse(page=codec.pack(page))

    async def change_schedule(
        self, request: pb.ChangeScheduleRequest, /
    ) -> pb.ChangeScheduleResponse:
        changed = await self._schedules.change(_read(request.command, ChangeSchedule))
        return pb.ChangeScheduleResponse(schedule=codec.pack(changed))

    async def delete_schedule(
        self, request: pb.DeleteScheduleRequest, /
    ) -> pb.DeleteScheduleResponse:
        await self._schedules.delete(_read(request.command, OneSchedule))
        return pb.DeleteScheduleResponse()

    async def trigger_schedule(
        self, request: pb.TriggerScheduleRequest, /
    ) -> pb.TriggerScheduleResponse:
        slot = await self._schedules.trigger(_read(request.command, TriggerSchedule))
        return pb.TriggerScheduleResponse(slot=codec.pack(slot))

    async def list_slots(self, request: pb.ListSlotsRequest, /) -> pb.ListSlotsResponse:
        page = await self._schedules.slots(_read(request.command, ListSlots))
        return pb.ListSlotsResponse(page=codec.pack(page))

    async def get_slot(self, request: pb.GetSlotRequest, /) -> pb.GetSlotResponse:
        slot = await self._schedules.slot(_read(request.command, OneSlot))
        return pb.GetSlotResponse(slot=codec.pack(slot))

    async def count_slots(self, request: pb.CountSlotsRequest, /) -> pb.CountSlotsResponse:
        counts = await self._schedules.counts(_read(request.command, OneSchedule))
        return pb.CountSlotsResponse(counts=codec.pack(counts))

    async def count_of_sessions(
        self, request: pb.CountOfSessionsRequest, /
    ) -> pb.CountOfSessionsResponse:
        counts = await self._schedules.of_sessions(_read(request.command, SchedulesOfSessions))
        return pb.CountOfSessionsResponse(counts=codec.pack(counts))


def _read(data: bytes, type_: type[T]) -> T:
    try:
        return msgspec.msgpack.decode(data, type=type_)
    except msgspec.MsgspecError as error:
        detail = f"the command cannot be read: {error}"
        raise MalformedBody(detail) from error
