"""The five services wired by hand into one process: one lock, one clock, one bus."""

import logging
import secrets
import threading

import msgspec

from mainspring_api.adapters.endings import BusEndings
from mainspring_api.adapters.feed import BusFeed
from mainspring_api.adapters.http.browsers import NOBODY
from mainspring_api.adapters.http.looking import engine_monitor
from mainspring_api.adapters.http.server import HttpServer
from mainspring_api.adapters.http.services import Services
from mainspring_api.adapters.keys import EnvironmentKeys
from mainspring_api.adapters.listening import telling
from mainspring_api.adapters.memory.store import MemoryStore as ApiStore
from mainspring_api.adapters.memory.store import organization_of
from mainspring_api.adapters.posting import SessionDoor
from mainspring_api.adapters.spans import RecordedPosts
from mainspring_api.adapters.vault import EnvelopeVault
from mainspring_api.main import serve_http
from mainspring_api.usecases.configuration import Configurations
from mainspring_api.usecases.credentials import StoredCredentials
from mainspring_api.usecases.keeper import Keeper
from mainspring_api.usecases.messages import MessagePath
from mainspring_api.usecases.outlines import Outlines
from mainspring_api.usecases.stream.hub import Hub
from mainspring_engine.adapters.grpc_worker import WorkerServicer
from mainspring_engine.adapters.memory import MemoryGates, memory_backstage
from mainspring_engine.adapters.memory import MemoryStore as EngineStore
from mainspring_engine.adapters.witness import TelemetryWitness
from mainspring_engine.main import Engine, measure
from mainspring_eventstore.adapters.memory import MemoryLog
from mainspring_eventstore.adapters.memory import MemoryStore as LogStore
from mainspring_eventstore.adapters.publisher import BusPublisher
from mainspring_eventstore.usecases.eventstore import EventStore
from mainspring_harness.registry import Registry
from mainspring_kernel.clock import Clock, SystemClock
from mainspring_kernel.draws import Draws, SystemDraws
from mainspring_kernel.ids import DEFAULT_ORG_ID, RandomIds
from mainspring_local import sockets
from mainspring_local.dev.doors import EngineDoor
from mainspring_local.dev.roads import (
    DirectControl,
    DirectCredentials,
    DirectDuties,
    DirectEventLog,
    DirectFiles,
    DirectLog,
    DirectOperator,
    DirectResources,
)
from mainspring_messaging import MemoryBus
from mainspring_rpc.server import Server, serve
from mainspring_rpc.services import worker_service
from mainspring_runtime.lifecycle import Service
from mainspring_runtime.listeners import Listeners
from mainspring_scheduler.adapters.memory import MemoryDutyStore, MemoryScheduleStore
from mainspring_scheduler.main import Parts as SchedulerParts
from mainspring_scheduler.main import Scheduler
from mainspring_worker.adapters.mcp.entry import ServerRules
from mainspring_worker.main import Roads, assemble, identity
from mainspring_workstream.queue_link import QueueEngineLink


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What all services share, and the stores of those that have one."""

    clock: Clock
    draws: Draws
    ids: RandomIds
    bus: MemoryBus
    eventstore: EventStore
    engine: Engine
    engine_store: EngineStore
    api_store: ApiStore
    schedules: MemoryScheduleStore
    keys: EnvironmentKeys
    vault: EnvelopeVault
    registry: Registry


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """What has started, and where it listens."""

    parts: Parts
    scheduler: Scheduler
    api: HttpServer
    workers: Server


async def start(  # noqa: PLR0913 - the composition root names each
    service: Service,
    keys: EnvironmentKeys,
    registry: Registry,
    *,
    host: str,
    port: int,
    workers_port: int,
    origins: frozenset[str] = NOBODY,
    hosts: frozenset[str] = NOBODY,
    trace_ratio: float,
    clock: Clock | None = None,
) -> Running:
    """Starts everything in the order of `up`. The closers run backwards. A port of 0 is any."""
    parts = await _parts(service, keys, registry, trace_ratio, clock or SystemClock())
    service.stack.push_async_callback(parts.bus.close)
    service.stack.push_async_callback(parts.eventstore.drain)
    service.spawn("engine", parts.engine.work())
    measure(parts.engine, service)
    path = MessagePath(
        configurations=Configurations(
            parts.api_store, DirectOperator(parts.engine.operator), registry, parts.ids
        ),
        control=DirectControl(
            parts.engine.control, parts.engine.workflows, parts.engine.plain_tasks
        ),
        log=DirectLog(parts.eventstore),
    )
    scheduler = _scheduler(parts, path)
    service.spawn("scheduler", scheduler.loop.serve())
    await _start_worker(service, parts, scheduler, path)
    workers = await _serve_workers(service, parts, workers_port)
    services = await _api(service, parts, path, scheduler)
    api = await serve_http(services, service, host, port, origins=origins, hosts=hosts)
    return Running(parts=parts, scheduler=scheduler, api=api, workers=workers)


async def _parts(
    service: Service, keys: EnvironmentKeys, registry: Registry, trace_ratio: float, clock: Clock
) -> Parts:
    draws, bus, ids = SystemDraws(), MemoryBus(), RandomIds(clock)
    # Re-entrant, for a twin that holds it calls what another one grants.
    lock = threading.RLock()
    log = MemoryLog(lock=lock, clock=clock)
    engine_store = EngineStore(lock=lock, log=log, clock=clock)
    first = organization_of(DEFAULT_ORG_ID, "default", clock.wall_ms())
    listeners = Listeners.of(service)
    api_store = ApiStore(
        lock=lock, log=log, hold=engine_store, first=first, opened=telling(listeners), clock=clock
    )
    engine = Engine(
        store=engine_store,
        gates=MemoryGates(engine_store.tables, lock=lock, clock=clock),
        backstage=memory_backstage(engine_store, lock=lock, clock=clock),
        bus=bus,
        witness=lambda agents: TelemetryWitness(service.telemetry, listeners, agents),
        clock=clock,
        ids=ids,
        draws=draws,
        trace_ratio=trace_ratio,
        epoch=log.epoch,
    )
    return Parts(
        clock=clock,
        draws=draws,
        ids=ids,
        bus=bus,
        eventstore=await EventStore.open(LogStore(log), BusPublisher(bus)),
        engine=engine,
        engine_store=engine_store,
        api_store=api_store,
        schedules=MemoryScheduleStore(clock),
        keys=keys,
        # Gone at exit with all that is sealed under it.
        vault=EnvelopeVault([secrets.token_urlsafe(32)]),
        registry=registry,
    )


def _scheduler(parts: Parts, path: MessagePath) -> Scheduler:
    return Scheduler(
        SchedulerParts(
            duties=MemoryDutyStore(parts.clock, parts.schedules),
            schedules=parts.schedules,
            calls=DirectDuties(parts.engine, parts.eventstore),
            turns=SessionDoor(
                store=parts.api_store,
                path=path,
                registry=parts.registry,
                clock=parts.clock,
                ids=parts.ids,
            ),
            # The engine's use case has the port's very shape.
            workflows=parts.engine.workflows,
            clock=parts.clock,
            ids=parts.ids,
            draws=parts.draws,
        )
    )


async def _start_worker(
    service: Service, parts: Parts, scheduler: Scheduler, path: MessagePath
) -> None:
    keeper = Keeper(
        store=parts.api_store,
        vault=parts.vault,
        schedules=scheduler.schedules,
        path=path,
        ids=parts.ids,
    )
    door = EngineDoor(parts.engine.conversations)
    service.stack.push_async_callback(door.close)
    roads = Roads(
        link=QueueEngineLink(door),
        log=DirectEventLog(parts.eventstore),
        credentials=DirectCredentials(
            parts.api_store, StoredCredentials(parts.api_store, parts.keys, parts.vault)
        ),
        files=DirectFiles(parts.api_store, parts.clock, parts.ids),
        resources=DirectResources(keeper, parts.clock),
    )
    worker = await assemble(
        service,
        roads,
        identity(parts.ids, parts.registry),
        registry=parts.registry,
        clock=parts.clock,
        draws=parts.draws,
        servers=ServerRules(loopback=True),
    )
    # Nothing outlives this process, so nobody has to wait for the end of a turn.
    service.stack.callback(worker.halt)


async def _serve_workers(service: Service, parts: Parts, port: int) -> Server:
    """People's own workers come over the wire, as to a stack of processes."""
    address = f"{sockets.LOOPBACK}:{port}"
    server = await serve(address, [worker_service(WorkerServicer(parts.engine.conversations))])
    service.stack.push_async_callback(server.stop)
    server.set_serving(serving=True)
    logging.getLogger(__name__).info("workers of your own attach at %s", server.address)
    return server


async def _api(service: Service, parts: Parts, path: MessagePath, scheduler: Scheduler) -> Services:
    endings = BusEndings()
    await endings.start(parts.bus)
    operator = DirectOperator(parts.engine.operator)
    gates = parts.engine.gate_control
    return Services(
        store=parts.api_store,
        control=path.control,
        # The engine's use case has the port's very shape.
        gates=gates,
        operator=operator,
        log=path.log,
        schedules=scheduler.schedules,
        hub=Hub(path.log, BusFeed(parts.bus), parts.clock, parts.draws),
        endings=endings,
        monitor=engine_monitor(operator, gates, parts.clock, parts.draws),
        configurations=path.configurations,
        outlines=Outlines(parts.api_store, scheduler.schedules, operator, parts.registry),
        credentials=parts.keys,
        vault=parts.vault,
        registry=parts.registry,
        clock=parts.clock,
        ids=parts.ids,
        spans=RecordedPosts(service.telemetry),
    )
