"""What api asks of the scheduler: over gRPC and inside one process it goes alike."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from mainspring_api.adapters.rpc.schedules import RpcSchedules
from mainspring_api.ports.schedules import Schedules as Port
from mainspring_kernel.clock import ManualClock
from mainspring_kernel.errors import (
    MalformedBody,
    NameTaken,
    NotFound,
    Unavailable,
    ValidationFailed,
)
from mainspring_rpc import Channel, ScheduleClient, schedule_service, serve
from mainspring_rpc.generated.scheduler.v1 import scheduler_pb2 as pb
from mainspring_scheduler.adapters.grpc_schedules import ScheduleServicer
from mainspring_scheduler.adapters.memory import MemoryScheduleStore
from mainspring_scheduler.usecases.schedules import Schedules
from mainspring_schema.schedules import (
    ChangeSchedule,
    CreateSchedule,
    Cron,
    Interval,
    ListSchedules,
    ListSlots,
    OneSchedule,
    OneSlot,
    SchedulesOfSessions,
    Spec,
    TriggerSchedule,
)
from mainspring_testkit.servers import free_port
from tests.unit.scheduler.rows import MESSAGE, MINUTE, NOW, ORG, SCHEDULE, SESSION

SPEC = Spec(name="s", timing=Interval(every_ms=MINUTE), target=MESSAGE)
CREATE = CreateSchedule(org_id=ORG, id=SCHEDULE, spec=SPEC)
ONE = OneSchedule(org_id=ORG, id=SCHEDULE)
SLOT = UUID(int=5)


def inner() -> Schedules:
    clock = ManualClock(wall_ms=NOW)
    return Schedules(MemoryScheduleStore(clock), wake=lambda: None)


@pytest.fixture(params=["direct", "grpc"])
async def schedules(request: pytest.FixtureRequest) -> AsyncIterator[Port]:
    if request.param == "direct":
        yield inner()
        return
    server = await serve("127.0.0.1:0", [schedule_service(ScheduleServicer(inner()))])
    channel = Channel(server.address)
    yield RpcSchedules(ScheduleClient(channel))
    await channel.close()
    await server.stop(0)


async def test_a_schedule_through_its_life(schedules: Port) -> None:
    made = await schedules.create(CREATE)
    assert await schedules.get(ONE) == made
    assert (await schedules.list(ListSchedules(org_id=ORG, limit=5))).schedules == (made,)

    changed = await schedules.change(
        ChangeSchedule(org_id=ORG, id=SCHEDULE, description=None, paused=True)
    )
    assert (changed.paused, changed.spec.name, changed.next_ms) == (True, "s", None)

    slot = await schedules.trigger(TriggerSchedule(org_id=ORG, id=SCHEDULE, slot_id=SLOT))
    assert await schedules.slot(OneSlot(org_id=ORG, id=SLOT)) == slot
    page = await schedules.slots(ListSlots(org_id=ORG, schedule_id=SCHEDULE, limit=5))
    assert (page.slots, page.total) == ((slot,), 1)
    assert (await schedules.counts(ONE)).by_status == {"waiting": 1}

    await schedules.delete(ONE)
    with pytest.raises(NotFound):
        await schedules.get(ONE)


async def test_sessions_are_told_how_many_schedules_write_to_them(schedules: Port) -> None:
    asked = SchedulesOfSessions(org_id=ORG, session_ids=(SESSION, UUID(int=9)))
    await schedules.create(CREATE)
    assert (await schedules.of_sessions(asked)).active == {SESSION: 1}

    await schedules.change(ChangeSchedule(org_id=ORG, id=SCHEDULE, paused=True))
    assert (await schedules.of_sessions(asked)).active == {}

    await schedules.change(ChangeSchedule(org_id=ORG, id=SCHEDULE, paused=False))
    assert (await schedules.of_sessions(asked)).active == {SESSION: 1}


async def test_refusals_come_as_they_are(schedules: Port) -> None:
    await schedules.create(CREATE)
    wrong = Spec(name="t", timing=Cron(expression="nope"), target=MESSAGE)

    with pytest.raises(ValidationFailed, match="cron"):
        await schedules.create(CreateSchedule(org_id=ORG, id=UUID(int=9), spec=wrong))
    with pytest.raises(NameTaken):
        await schedules.create(CreateSchedule(org_id=ORG, id=UUID(int=9), spec=SPEC))


async def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(MalformedBody):
        await ScheduleServicer(inner()).get_schedule(pb.GetScheduleRequest(command=b"\xc1"))


async def test_a_number_that_nobody_could_read_is_refused() -> None:
    channel = Channel(f"127.0.0.1:{free_port()}")

    with pytest.raises(ValidationFailed):
        await RpcSchedules(ScheduleClient(channel)).list(
            ListSchedules(org_id=ORG, offset=2**64, limit=5)
        )

    await channel.close()


async def test_a_scheduler_that_is_away_is_unavailable() -> None:
    channel = Channel(f"127.0.0.1:{free_port()}")

    with pytest.raises(Unavailable):
        await RpcSchedules(ScheduleClient(channel)).get(ONE)

    await channel.close()
