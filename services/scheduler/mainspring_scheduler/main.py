"""Settings, wiring, start and drain of the scheduler."""

import os

from mainspring_kernel.clock import SystemClock
from mainspring_kernel.draws import SystemDraws
from mainspring_postgres import Database, Options
from mainspring_rpc import Channel, ControlClient, EventStoreClient, serve
from mainspring_runtime.lifecycle import Service, run_service
from mainspring_runtime.settings import Address, Bind, ProcessSettings
from mainspring_scheduler.adapters.calls import RpcDutyCalls
from mainspring_scheduler.adapters.loop import Loop
from mainspring_scheduler.adapters.postgres import PostgresDutyStore

_CONNECTIONS_MAX = 2  # a claim and a settlement may meet; more never do


class Settings(ProcessSettings, frozen=True, kw_only=True):
    """NATS is no part of it: nothing here needs to be woken."""

    database_url: str
    engine_addr: Address
    eventstore_addr: Address
    scheduler_bind: Bind = Bind("127.0.0.1", 9004)


async def start(settings: Settings, service: Service) -> None:
    """Opens everything; what is pushed last is closed first, so health tells of the end first."""
    clock, draws = SystemClock(), SystemDraws()
    database = await Database.open(
        Options(
            url=settings.database_url,
            application_name="mainspring-scheduler",
            connections_max=_CONNECTIONS_MAX,
        ),
        clock=clock,
        draws=draws,
    )
    service.stack.push_async_callback(database.close)
    engine = Channel(str(settings.engine_addr))
    service.stack.push_async_callback(engine.close)
    eventstore = Channel(str(settings.eventstore_addr))
    service.stack.push_async_callback(eventstore.close)
    loop = Loop(
        store=PostgresDutyStore(database),
        calls=RpcDutyCalls(ControlClient(engine), EventStoreClient(eventstore)),
        clock=clock,
        draws=draws,
    )
    serving = service.spawn("loop", loop.serve())

    async def drain() -> None:
        loop.stop()
        await serving

    service.stack.push_async_callback(drain)
    server = await serve(str(settings.scheduler_bind), [])
    service.stack.push_async_callback(server.stop)
    await server.set_serving(serving=True)


def main() -> int:
    """The exit status of the process."""
    return run_service("scheduler", Settings, start, os.environ)
