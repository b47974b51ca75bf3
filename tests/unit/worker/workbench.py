"""A whole worker beside a fake engine: real steps, a scripted model, tools of the test's own."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from mainspring_harness.registry import Registry
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.draws import SeededDraws
from mainspring_schema.agents import EffectClass, ToolDefinition, ToolHints
from mainspring_schema.discovery import FoundModels
from mainspring_schema.grants import AppendVerdict, DeltaAppend
from mainspring_schema.messages import Json
from mainspring_worker.adapters.memory import (
    FixedCredentials,
    MemoryEventLog,
    MemoryFiles,
    MemoryHooks,
    MemoryServers,
    NoResources,
    Silence,
)
from mainspring_worker.adapters.tool_thread import ToolThread
from mainspring_worker.ports.eventlog import EventLog
from mainspring_worker.ports.failures import Kind, failure
from mainspring_worker.ports.files import SessionFiles
from mainspring_worker.ports.model import (
    ModelDriver,
    ModelFailure,
    ModelItem,
    ModelRequest,
    OfferRequest,
)
from mainspring_worker.ports.resources import Resources
from mainspring_worker.ports.tool import Tool, ToolContext, ToolOutcome
from mainspring_worker.usecases.act import Acting
from mainspring_worker.usecases.asking import ModelDoor
from mainspring_worker.usecases.blueprints import Blueprints
from mainspring_worker.usecases.context import Contexts
from mainspring_worker.usecases.errands import Errands
from mainspring_worker.usecases.guard import Guard
from mainspring_worker.usecases.holding import Holdings
from mainspring_worker.usecases.hooks import Hooks
from mainspring_worker.usecases.outputs import Outputs
from mainspring_worker.usecases.reason import Reasoning
from mainspring_worker.usecases.servers import Servers
from mainspring_worker.usecases.steps import Steps
from mainspring_workstream.configs import Configs
from mainspring_workstream.core import WorkerCore
from mainspring_workstream.flights import Flights
from mainspring_workstream.queue_link import QueueEngineLink
from mainspring_workstream.work import Worker
from tests.unit.worker.fake_engine import FakeEngine
from tests.unit.worker.making import ANCHOR, SESSION, held, identity

Script = Callable[[ModelRequest], AsyncGenerator[ModelItem, None]]
Body = Callable[[Json, ToolContext], Awaitable[ToolOutcome]]


NOBODYS = FixedCredentials()
KEYLESS = frozenset({"fake"})


class ScriptedModel:
    """Says what the test's script yields."""

    def __init__(self, script: Script | None = None) -> None:
        self.script = script
        self.requests: list[ModelRequest] = []
        self.closed = asyncio.Event()
        self.offer: FoundModels | ModelFailure = FoundModels()
        """What it lists, or why it does not."""
        self.offers: list[OfferRequest] = []

    def named(self, driver: str) -> ModelDriver:
        if driver == "unknown":
            raise failure(Kind.MODEL_NOT_AVAILABLE, "unknown driver")
        return self

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        self.requests.append(request)
        assert self.script is not None
        try:
            async for item in self.script(request):
                yield item
        finally:
            self.closed.set()

    async def offered(self, request: OfferRequest) -> FoundModels:
        self.offers.append(request)
        if isinstance(self.offer, ModelFailure):
            raise self.offer
        return self.offer

    async def aclose(self) -> None:
        return


class WatchedLog(MemoryEventLog):
    """Says when the first fragments were appended."""

    def __init__(self) -> None:
        super().__init__()
        self.open_anchor(SESSION, ANCHOR, 1)
        self.appended = asyncio.Event()

    async def append(self, deltas: Sequence[DeltaAppend]) -> Sequence[AppendVerdict]:
        verdicts = await super().append(deltas)
        self.appended.set()
        return verdicts


@dataclass
class TestTool:
    """A tool whose body is a function of the test."""

    __test__ = False

    definition: ToolDefinition
    body: Body
    calls: int = 0
    contexts: list[ToolContext] = field(default_factory=list)
    prober: Body | None = None

    async def call(self, arguments: Json, context: ToolContext) -> ToolOutcome:
        self.calls += 1
        self.contexts.append(context)
        return await self.body(arguments, context)

    async def probe(self, arguments: Json, context: ToolContext) -> ToolOutcome:
        assert self.prober is not None
        return await self.prober(arguments, context)


def tool(
    body: Body,
    *,
    name: str = "echo",
    effect_class: EffectClass = "pure",
    hints: ToolHints | None = None,
    prober: Body | None = None,
) -> TestTool:
    definition = ToolDefinition(
        name=name, effect_class=effect_class, hints=hints, probed=prober is not None
    )
    return TestTool(definition, body, prober=prober)


async def echo(arguments: Json, context: ToolContext) -> ToolOutcome:
    del context
    return ToolOutcome(result=arguments)


@dataclass
class Bench:
    worker: Worker
    core: WorkerCore
    engine: FakeEngine
    log: WatchedLog
    model: ScriptedModel
    running: asyncio.Task[None]


def acting(
    tools: Sequence[TestTool],
    threads: ToolThread,
    files: SessionFiles | None,
    configs: Configs,
    log: EventLog,
    guard: Guard,
    flights: Flights,
) -> Acting:
    clock, files = SystemClock(), files or MemoryFiles(held())
    return Acting(
        configs=configs,
        toolbox=_Box({one.definition.name: one for one in tools}),
        runner=threads,
        outputs=Outputs(files=files, configs=configs, clock=clock, draws=SeededDraws(1)),
        holdings=Holdings(NoResources(), clock=clock, draws=SeededDraws(1)),
        telemetry=Silence(),
        log=log,
        guard=guard,
        flights=flights,
        clock=clock,
    )


@asynccontextmanager
async def bench(
    *,
    tools: Sequence[TestTool] = (),
    script: Script | None = None,
    slots: int = 4,
    files: SessionFiles | None = None,
    registry: Registry | None = None,
    servers: MemoryServers | None = None,
    resources: Resources | None = None,
    hooks: MemoryHooks | None = None,
    credentials: FixedCredentials | None = None,
) -> AsyncGenerator[Bench]:
    engine, clock, draws = FakeEngine(), SystemClock(), SeededDraws(1)
    memory, model, threads = WatchedLog(), ScriptedModel(script), ToolThread()
    core, asked = WorkerCore(identity(slots)), _hooks(hooks, memory, resources)
    worker = Worker(core=core, link=QueueEngineLink(engine), clock=clock, draws=draws)
    flights = Flights(log=memory, clock=clock, draws=draws)
    blueprints = Blueprints(registry or Registry(()))
    door = ModelDoor(drivers=model, credentials=credentials or NOBODYS, keyless=KEYLESS)
    reasoning = Reasoning(
        configs=worker.configs,
        blueprints=blueprints,
        servers=_servers(servers, resources),
        contexts=Contexts(memory),
        log=memory,
        flights=flights,
        door=door,
        guard=(guard := Guard(door, blueprints, asked, clock)),
        telemetry=Silence(),
        clock=clock,
    )
    doing = acting(tools, threads, files, worker.configs, memory, guard, flights)
    flying = asyncio.create_task(flights.run())
    running = asyncio.create_task(worker.run(_steps(reasoning, doing, door, hooks)))
    try:
        yield Bench(worker, core, engine, memory, model, running)
    finally:
        worker.halt()
        await _ended(running, flying)
        threads.close()


def _steps(
    reasoning: Reasoning, acting: Acting, door: ModelDoor, hooks: MemoryHooks | None
) -> Steps:
    errands = Errands(door, hooks or MemoryHooks(), SystemClock())
    return Steps(reasoning=reasoning, acting=acting, errands=errands)


async def _ended(running: asyncio.Task[None], flying: asyncio.Task[None]) -> None:
    await asyncio.gather(running, return_exceptions=True)
    flying.cancel()
    await asyncio.gather(flying, return_exceptions=True)


def _hooks(hooks: MemoryHooks | None, log: MemoryEventLog, resources: Resources | None) -> Hooks:
    clock, draws = SystemClock(), SeededDraws(1)
    holdings = Holdings(resources or NoResources(), clock=clock, draws=draws)
    return Hooks(hooks or MemoryHooks(), log, holdings)


def _servers(servers: MemoryServers | None, resources: Resources | None) -> Servers:
    clock, draws = SystemClock(), SeededDraws(1)
    holdings = Holdings(resources or NoResources(), clock=clock, draws=draws)
    return Servers(servers or MemoryServers(), holdings, clock)


class _Box:
    def __init__(self, tools: Mapping[str, Tool]) -> None:
        self._tools = tools

    def find(self, name: str, capability_id: str | None) -> Tool | None:
        del capability_id
        return self._tools.get(name)
