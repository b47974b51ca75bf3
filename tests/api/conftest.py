import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import cast

import httpx
import pytest
from litestar import Litestar

from mainspring_api.adapters.http.app import application
from mainspring_api.adapters.http.looking import engine_monitor
from mainspring_api.adapters.http.server import HttpServer
from mainspring_api.adapters.http.services import Services
from mainspring_api.adapters.keys import EnvironmentKeys
from mainspring_api.adapters.memory.store import MemoryStore, organization_of
from mainspring_api.adapters.vault import EnvelopeVault
from mainspring_api.usecases.configuration import Configurations
from mainspring_api.usecases.outlines import Outlines
from mainspring_api.usecases.stream.hub import Hub
from mainspring_engine.adapters.memory import MemoryGates
from mainspring_engine.adapters.memory.tables import Tables
from mainspring_engine.usecases.gate_control import GateControl
from mainspring_harness.builtin import builtin_registry
from mainspring_harness.capability import Capability
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.draws import SystemDraws
from mainspring_kernel.ids import DEFAULT_ORG_ID, RandomIds
from mainspring_scheduler.adapters.memory import MemoryScheduleStore
from mainspring_scheduler.usecases.schedules import Schedules
from tests.api.backend import Backend
from tests.api.no_spans import NoSpans
from tests.api.operators import FakeOperator


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
def operator() -> FakeOperator:
    return FakeOperator()


@pytest.fixture
def services(backend: Backend, operator: FakeOperator) -> Services:
    return wired(backend, operator)


def wired(
    backend: Backend, operator: FakeOperator | None = None, *, own: Sequence[Capability] = ()
) -> Services:
    clock, registry = SystemClock(), builtin_registry(own)
    ids = RandomIds(clock)
    store = MemoryStore(
        lock=threading.RLock(),
        log=backend,
        hold=backend,
        first=organization_of(DEFAULT_ORG_ID, "default", clock.wall_ms()),
    )
    gates = GateControl(MemoryGates(Tables(), lock=threading.RLock(), clock=clock), lambda: None)
    operator = operator or FakeOperator()
    schedules = Schedules(MemoryScheduleStore(clock), wake=lambda: None)
    return Services(
        store=store,
        control=backend,
        gates=gates,
        operator=operator,
        log=backend,
        schedules=schedules,
        hub=Hub(backend, backend, clock, SystemDraws()),
        endings=backend.endings,
        monitor=engine_monitor(operator, gates, clock, SystemDraws()),
        configurations=Configurations(store, operator, registry, ids),
        outlines=Outlines(store, schedules, operator, registry),
        credentials=EnvironmentKeys({"openai": "sk-test"}),
        vault=EnvelopeVault(["a key of tests that is long enough"]),
        registry=registry,
        clock=clock,
        ids=ids,
        spans=NoSpans(),
    )


@pytest.fixture
def app(services: Services) -> Litestar:
    return application(services)


@pytest.fixture
async def client(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    async with inside(app) as client:
        yield client


@pytest.fixture
async def live(app: Litestar, services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server that listens."""
    server = HttpServer(app, "127.0.0.1", 0)
    await server.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=10) as client:
        yield client
        services.hub.drain()
        services.monitor.drain()
    await server.stop()


def inside(app: Litestar) -> httpx.AsyncClient:
    """A client that calls the application without a socket."""
    plain = cast("Callable[..., Awaitable[None]]", app)  # httpx tells no kinds of scope apart
    transport = httpx.ASGITransport(app=plain)
    return httpx.AsyncClient(transport=transport, base_url="http://api")
