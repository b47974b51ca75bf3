"""Settings, wiring, start and drain of the scheduler."""

import os
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from mainspring_kernel.clock import Clock, SystemClock
from mainspring_kernel.draws import Draws, SystemDraws
from mainspring_kernel.ids import Ids, RandomIds
from mainspring_postgres import Database, Options
from mainspring_rpc import (
    Channel,
    ControlClient,
    EventStoreClient,
    SessionClient,
    schedule_service,
    serve,
)
from mainspring_runtime.lifecycle import Service, run_service
from mainspring_runtime.settings import Address, Bind, ProcessSettings
from mainspring_scheduler.adapters.calls import RpcDutyCalls
from mainspring_scheduler.adapters.grpc_schedules import ScheduleServicer
from mainspring_scheduler.adapters.grpc_turns import RpcTurns
from mainspring_scheduler.adapters.grpc_workflows import RpcWorkflows
from mainspring_scheduler.adapters.loop import Loop
from mainspring_scheduler.adapters.postgres import PostgresDutyStore, PostgresScheduleStore
from mainspring_scheduler.ports.duties import DutyCalls, DutyStore
from mainspring_scheduler.ports.schedules import ScheduleStore
from mainspring_scheduler.ports.targets import Turns, Workflows
from mainspring_scheduler.usecases.duties import plant
from mainspring_scheduler.usecases.firing import Firing
from mainspring_scheduler.usecases.schedules import Schedules
from mainspring_scheduler.usecases.targets import SlotTargets
from mainspring_scheduler.usecases.work import Duties

_CONNECTIONS_MAX: Final = 4
"""A claim, a settlement, a pass over schedules, and what a person asks."""


class Settings(ProcessSettings, frozen=True, kw_only=True):
    """NATS is no part of it: nothing here needs to be woken."""

    database_url: str
    engine_addr: Address
    eventstore_addr: Address
    resource_addr: Address
    scheduler_bind: Bind = Bind("127.0.0.1", 9004)


class Parts(Struct, frozen=True, kw_only=True):
    """Whom a scheduler asks and where its rows are."""

    duties: DutyStore
    schedules: ScheduleStore
    calls: DutyCalls
    turns: Turns
    workflows: Workflows
    clock: Clock
    ids: Ids
    draws: Draws


class Scheduler:
    """The loop and what people ask of it; also for one process with everything in it."""

    def __init__(self, parts: Parts) -> None:
        firing = Firing(
            store=parts.schedules,
            targets=SlotTargets(parts.turns, parts.workflows),
            clock=parts.clock,
            ids=parts.ids,
            draws=parts.draws,
        )
        self.work = Duties(
            calls=parts.calls, firing=firing, store=parts.schedules, clock=parts.clock
        )
        self.loop = Loop(store=parts.duties, work=self.work, clock=parts.clock, draws=parts.draws)
        self.schedules = Schedules(parts.schedules, self.loop.wake)


async def start(settings: Settings, service: Service) -> None:
    """Opens everything; what is pushed last is closed first, so health tells of the end first."""
    clock, draws = SystemClock(), SystemDraws()
    options = Options(
        url=settings.database_url,
        application_name="mainspring-scheduler",
        connections_max=_CONNECTIONS_MAX,
    )
    database = await Database.open(options, migrated=True, clock=clock, draws=draws)
    service.stack.push_async_callback(database.close)
    engine, eventstore, api = (
        Channel(str(address))
        for address in (settings.engine_addr, settings.eventstore_addr, settings.resource_addr)
    )
    for channel in (engine, eventstore, api):
        service.stack.push_async_callback(channel.close)
    parts = Parts(
        duties=PostgresDutyStore(database),
        schedules=PostgresScheduleStore(database),
        calls=RpcDutyCalls(ControlClient(engine), EventStoreClient(eventstore)),
        turns=RpcTurns(SessionClient(api)),
        workflows=RpcWorkflows(ControlClient(engine)),
        clock=clock,
        ids=RandomIds(clock),
        draws=draws,
    )
    await plant(parts.duties)  # fails as another service's role
    scheduler = Scheduler(parts)
    serving = service.spawn("loop", scheduler.loop.serve())

    async def drain() -> None:
        scheduler.loop.stop()
        await serving

    service.stack.push_async_callback(drain)
    servicer = ScheduleServicer(scheduler.schedules)
    server = await serve(str(settings.scheduler_bind), [schedule_service(servicer)])
    service.stack.push_async_callback(server.stop)
    server.set_serving(serving=True)


def main(words: Sequence[str] = ()) -> int:
    """The exit status of the process."""
    return run_service("scheduler", Settings, start, os.environ, words)
