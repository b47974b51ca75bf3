"""Wiring by hand: what an api consists of, and how it starts and drains."""

import os
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from litestar.types import ASGIApp
from msgspec import Meta

from mainspring_api.adapters.endings import BusEndings
from mainspring_api.adapters.feed import BusFeed
from mainspring_api.adapters.http.app import application
from mainspring_api.adapters.http.browsers import NOBODY, Browsers, origins_of
from mainspring_api.adapters.http.elsewhere import Elsewhere, hosts_of
from mainspring_api.adapters.http.looking import engine_monitor
from mainspring_api.adapters.http.measuring import Measured
from mainspring_api.adapters.http.server import HttpServer
from mainspring_api.adapters.http.services import Services
from mainspring_api.adapters.keys import EnvironmentKeys
from mainspring_api.adapters.listening import telling
from mainspring_api.adapters.postgres.store import PostgresStore
from mainspring_api.adapters.posting import SessionDoor
from mainspring_api.adapters.rpc.control import RpcControl
from mainspring_api.adapters.rpc.gates import RpcGates
from mainspring_api.adapters.rpc.log import RpcLog
from mainspring_api.adapters.rpc.operator import RpcOperator
from mainspring_api.adapters.rpc.resource import ResourceServicer
from mainspring_api.adapters.rpc.schedules import RpcSchedules
from mainspring_api.adapters.rpc.session import SessionServicer
from mainspring_api.adapters.spans import RecordedPosts
from mainspring_api.adapters.vault import KEY_CHARS_MIN, EnvelopeVault
from mainspring_api.domain.limits import SSE_STREAMS_MAX
from mainspring_api.usecases import overlooked, resealing, upkeep
from mainspring_api.usecases.configuration import Configurations
from mainspring_api.usecases.credentials import StoredCredentials
from mainspring_api.usecases.keeper import Keeper
from mainspring_api.usecases.messages import MessagePath
from mainspring_api.usecases.outlines import Outlines
from mainspring_api.usecases.stream.hub import Hub
from mainspring_harness.own import installed
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.draws import SystemDraws
from mainspring_kernel.ids import RandomIds
from mainspring_messaging import NatsBus
from mainspring_postgres import Database, Options
from mainspring_rpc import (
    Channel,
    ControlClient,
    EventStoreClient,
    ScheduleClient,
    resource_service,
    serve,
    session_service,
)
from mainspring_rpc import Service as InnerService
from mainspring_runtime.lifecycle import Service, run_service
from mainspring_runtime.listeners import Listeners
from mainspring_runtime.open_files import open_files
from mainspring_runtime.server_urls import PORT_MAX
from mainspring_runtime.settings import (
    Address,
    Bind,
    BindHost,
    Problem,
    ProcessSettings,
    flaws_by,
)

NAME = "api"
_CONNECTIONS_MAX: Final = 5
"""What all ask rides in flights; the rest are reads of single people."""
KEY_VARIABLES = {
    "openai": ("OPENAI_API_KEY", "DEFAULT_OPENAI_API_KEY"),
    "anthropic": ("ANTHROPIC_API_KEY", "DEFAULT_ANTHROPIC_API_KEY"),
    "gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY", "DEFAULT_GEMINI_API_KEY"),
}
"""Provider → the variables its key is looked for in; the first that is set counts."""
BASE_URL_VARIABLES = {
    "openai": ("OPENAI_BASE_URL",),
    "anthropic": ("ANTHROPIC_BASE_URL",),
    "gemini": ("GOOGLE_GEMINI_BASE_URL",),
}


class ApiSettings(ProcessSettings, frozen=True, kw_only=True):
    database_url: str
    nats_url: str
    engine_addr: Address
    eventstore_addr: Address
    scheduler_addr: Address
    api_host: BindHost = BindHost("127.0.0.1")
    api_port: Annotated[int, Meta(ge=1, le=PORT_MAX)] = 9000
    api_hosts: str = ""
    """Separated by commas: names under which a proxy lets it be reached; `*` is any."""
    resource_bind: Bind = Bind("127.0.0.1", 9002)
    secret_keys: str = ""
    """Separated by commas; the first one seals."""
    channel_origins: str = ""
    """Separated by commas: whose pages may call channels from a browser; `*` is all."""
    capabilities: str = ""
    """Separated by commas: what a deployer adds, as `module:object`; workers are told the same."""

    def flaws(self) -> list[Problem]:
        return [
            *flaws_by(secret_keys, "secret_keys", self.secret_keys),
            *flaws_by(hosts_of, "api_hosts", self.api_hosts),
            *flaws_by(origins_of, "channel_origins", self.channel_origins),
            *flaws_by(installed, "capabilities", self.capabilities),
        ]


async def start(settings: ApiSettings, service: Service) -> None:
    """The closers run backwards: streams are told first, the pool closes last."""
    registry = installed(settings.capabilities)
    stack = service.stack
    store = await _opened(settings.database_url, service)
    bus = NatsBus(settings.nats_url, name=f"mainspring-{NAME}")
    stack.push_async_callback(bus.close)
    await bus.start()
    asked = (settings.engine_addr, settings.eventstore_addr, settings.scheduler_addr)
    engine, eventstore, scheduler = channels = [Channel(str(address)) for address in asked]
    for channel in channels:
        stack.push_async_callback(channel.close)
    clock, draws = SystemClock(), SystemDraws()
    ids = RandomIds(clock)
    endings = BusEndings()
    await endings.start(bus)
    control = ControlClient(engine)
    log = RpcLog(EventStoreClient(eventstore))
    gates, operator = RpcGates(control), RpcOperator(control)
    schedules = RpcSchedules(ScheduleClient(scheduler))
    services = Services(
        store=store,
        control=RpcControl(control, engine.place),
        gates=gates,
        operator=operator,
        log=log,
        schedules=schedules,
        hub=Hub(log, BusFeed(bus), clock, draws, streams_max()),
        endings=endings,
        monitor=engine_monitor(operator, gates, clock, draws),
        configurations=Configurations(store, operator, registry, ids),
        outlines=Outlines(store, schedules, operator, registry),
        credentials=provider_keys(os.environ),
        vault=EnvelopeVault(secret_keys(settings.secret_keys)),
        registry=registry,
        clock=clock,
        ids=ids,
        spans=RecordedPosts(service.telemetry),
    )
    await _open_doors(settings, services, service)


def streams_max() -> int:
    """Half of the files are for other calls, so that whoever is refused can be told."""
    return min(SSE_STREAMS_MAX, open_files() // 2)


async def _open_doors(settings: ApiSettings, services: Services, service: Service) -> None:
    """The one for other services is open before the one for people."""
    inner = [resource_door(services), session_service(SessionServicer(session_door(services)))]
    resource = await serve(str(settings.resource_bind), inner)
    service.stack.push_async_callback(resource.stop)
    await serve_http(
        services,
        service,
        settings.api_host,
        settings.api_port,
        origins=origins_of(settings.channel_origins),
        hosts=hosts_of(settings.api_hosts),
    )
    resource.set_serving(serving=True)


async def _opened(database_url: str, service: Service) -> PostgresStore:
    """The store, whose commits the event listeners hear of."""
    listeners = Listeners.of(service)
    options = Options(
        url=database_url,
        application_name=f"mainspring-{NAME}",
        connections_max=_CONNECTIONS_MAX,
    )
    database = await Database.open(options, migrated=True)
    service.stack.push_async_callback(database.close)
    store = PostgresStore(database, opened=telling(listeners))
    # As another service's role each request would fail.
    await store.organizations(offset=0, limit=1)
    return store


def resource_door(services: Services) -> InnerService:
    """What workers ask while they hold a task."""
    brought = StoredCredentials(services.store, services.credentials, services.vault)
    keeper = Keeper(
        store=services.store,
        vault=services.vault,
        schedules=services.schedules,
        path=message_path(services),
        ids=services.ids,
    )
    servicer = ResourceServicer(keeper, brought, services.clock)
    return resource_service(servicer)


def secret_keys(text: str) -> list[str]:
    """Raises ValueError for a key that could be guessed."""
    keys = [key.strip() for key in text.split(",") if key.strip()]
    if any(len(key) < KEY_CHARS_MIN for key in keys):
        msg = f"a key has at least {KEY_CHARS_MIN} characters"
        raise ValueError(msg)
    return keys


def message_path(services: Services) -> MessagePath:
    """The way of a message, whoever brings it."""
    return MessagePath(
        configurations=services.configurations, control=services.control, log=services.log
    )


def session_door(services: Services) -> SessionDoor:
    """Also for one process with everything in it."""
    return SessionDoor(
        store=services.store,
        path=message_path(services),
        registry=services.registry,
        clock=services.clock,
        ids=services.ids,
    )


async def serve_http(
    services: Services,
    service: Service,
    host: str,
    port: int,
    *,
    origins: frozenset[str] = NOBODY,
    hosts: frozenset[str] = NOBODY,
) -> HttpServer:
    """Also for one process with everything in it."""
    service.spawn("hub", services.hub.run())
    looking = overlooked.run(services.endings, services.operator, services.clock)
    service.spawn("overlooked ends", looking)
    service.spawn("upkeep", upkeep.run(services.store, services.control, services.clock))
    service.spawn("resealing", resealing.run(services.store, services.vault, services.clock))
    app: ASGIApp = Elsewhere(application(services), host, hosts)
    if origins:
        app = Browsers(app, origins)
    server = HttpServer(_measured(app, services, service), host, port)
    await server.start()
    service.stack.push_async_callback(server.stop)
    service.stack.callback(services.hub.drain)
    service.stack.callback(services.endings.drain)
    service.stack.callback(services.monitor.drain)
    return server


def _measured(app: ASGIApp, services: Services, service: Service) -> ASGIApp:
    metrics = service.telemetry.metrics
    if not metrics.collected:
        return app
    measured = Measured(app, services.clock)
    metrics.watch(measured.readings)
    return measured


def provider_keys(environment: Mapping[str, str]) -> EnvironmentKeys:
    """Also for one process with everything in it."""
    return EnvironmentKeys(
        _found(KEY_VARIABLES, environment), _found(BASE_URL_VARIABLES, environment)
    )


def _found(variables: dict[str, tuple[str, ...]], environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: next(value for one in names if (value := environment.get(one)))
        for name, names in variables.items()
        if any(environment.get(one) for one in names)
    }


def main(words: Sequence[str] = ()) -> int:
    """The exit status of the process."""
    return run_service(NAME, ApiSettings, start, os.environ, words)
