"""The composition root: settings, wiring, start and drain.

`assemble` is what `dev` calls as well, with roads that stay inside one process.
"""

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, Final, NamedTuple, Self

import msgspec

from mainspring_harness.own import installed
from mainspring_harness.registry import Registry
from mainspring_kernel.clock import Clock, SystemClock
from mainspring_kernel.draws import Draws, SystemDraws
from mainspring_kernel.ids import Ids, RandomIds
from mainspring_kernel.limits import DISPLAY_NAME_CHARS_MAX
from mainspring_rpc.channel import Channel
from mainspring_rpc.server import serve
from mainspring_runtime.lifecycle import Service, run_service
from mainspring_runtime.settings import Address, Bind, Problem, ProcessSettings, flaws_by
from mainspring_schema.toolsets import READING
from mainspring_worker.adapters.builtin_tools.shelf import all_tools
from mainspring_worker.adapters.grpc_credentials import GrpcCredentials
from mainspring_worker.adapters.grpc_eventlog import GrpcEventLog
from mainspring_worker.adapters.grpc_files import GrpcFiles
from mainspring_worker.adapters.grpc_resources import GrpcResources
from mainspring_worker.adapters.hooks import UserHooks
from mainspring_worker.adapters.mcp.commands import allowed_commands
from mainspring_worker.adapters.mcp.entry import (
    OUTSIDE,
    BesideServers,
    LazyServers,
    ServerRules,
)
from mainspring_worker.adapters.mcp.tool import WithServers
from mainspring_worker.adapters.models.catalogue import KEYLESS, drivers
from mainspring_worker.adapters.spans import RecordedSpans
from mainspring_worker.adapters.tool_thread import ToolThread
from mainspring_worker.ports.credentials import CredentialSource
from mainspring_worker.ports.eventlog import EventLog
from mainspring_worker.ports.files import SessionFiles
from mainspring_worker.ports.resources import Resources
from mainspring_worker.usecases.act import Acting
from mainspring_worker.usecases.asking import ModelDoor
from mainspring_worker.usecases.blueprints import Blueprints
from mainspring_worker.usecases.context import Contexts
from mainspring_worker.usecases.errands import ERRANDS, Errands
from mainspring_worker.usecases.guard import Guard
from mainspring_worker.usecases.holding import Holdings
from mainspring_worker.usecases.hooks import Hooks
from mainspring_worker.usecases.outputs import Outputs
from mainspring_worker.usecases.reason import Reasoning
from mainspring_worker.usecases.servers import Servers
from mainspring_worker.usecases.steps import Steps
from mainspring_workstream.core import WorkerCore
from mainspring_workstream.flights import Flights
from mainspring_workstream.grpc_link import GrpcEngineLink
from mainspring_workstream.identity import Identity
from mainspring_workstream.limits import SLOTS_DEFAULT, SLOTS_MAX
from mainspring_workstream.link import EngineLink
from mainspring_workstream.work import Worker

SERVICE: Final = "worker"
PLAIN: Final = ""
"""The capability of work that needs none."""
QUEUE: Final = "default"


class EngineAddresses(Address):
    """One `host:port` or several with commas between; the worker attaches to one at a time."""

    __slots__ = ("all",)

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self.all: tuple[str, ...] = (str(self),)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for the first part that is no address."""
        parts = [Address.parse(part.strip()) for part in text.split(",")]
        addresses = cls(parts[0].host, parts[0].port)
        addresses.all = tuple(str(part) for part in parts)
        return addresses


class Settings(ProcessSettings, frozen=True, kw_only=True):
    """`worker_slots`: tasks in hand at once. `worker_name`: for people; made up where empty.

    `worker_mcp_commands`: command lines of MCP servers that sessions may have started, with `;`
    between; `NAME=` before one lets sessions set that variable. `worker_mcp_loopback` lets them
    call servers on this very machine, for development. `capabilities` are those that a deployer
    adds, as `module:object` with commas between; api is told the same.
    """

    engine_addr: EngineAddresses
    eventstore_addr: Address
    resource_addr: Address
    worker_bind: Bind = Bind("127.0.0.1", 9005)
    worker_slots: Annotated[int, msgspec.Meta(ge=1, le=SLOTS_MAX)] = SLOTS_DEFAULT
    worker_name: Annotated[str, msgspec.Meta(max_length=DISPLAY_NAME_CHARS_MAX)] = ""
    worker_mcp_commands: str = ""
    worker_mcp_loopback: bool = False
    capabilities: str = ""

    def flaws(self) -> list[Problem]:
        return [
            *flaws_by(allowed_commands, "worker_mcp_commands", self.worker_mcp_commands),
            *flaws_by(installed, "capabilities", self.capabilities),
        ]


class Roads(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker reaches the others."""

    link: EngineLink
    log: EventLog
    credentials: CredentialSource
    files: SessionFiles
    resources: Resources


def identity(
    ids: Ids, registry: Registry, *, slots: int = SLOTS_DEFAULT, name: str = ""
) -> Identity:
    """Who this process is from now on."""
    incarnation = ids.uuid7()
    # The random end of the id: its beginning is the time, alike for workers started together.
    made_up = f"{platform.node() or SERVICE}-{incarnation.hex[-8:]}"
    capabilities = [entry.info.id for entry in registry.catalogue()]
    return Identity(
        incarnation=incarnation,
        name=name or made_up,
        build=version("mainspring-worker"),
        queues=(QUEUE,),
        capabilities=(PLAIN, READING, *ERRANDS, *capabilities),
        slots=slots,
    )


class _Kit(NamedTuple):
    """What model calls and tool calls of one worker share."""

    guard: Guard
    flights: Flights
    spans: RecordedSpans
    servers: LazyServers
    registry: Registry
    clock: Clock
    draws: Draws
    threads: ToolThread


async def assemble(  # noqa: PLR0913 - the composition root names each
    service: Service,
    roads: Roads,
    who: Identity,
    *,
    registry: Registry,
    clock: Clock,
    draws: Draws,
    servers: ServerRules = OUTSIDE,
) -> Worker:
    """A worker at work, which drains when the service closes."""
    worker = Worker(core=WorkerCore(who), link=roads.link, clock=clock, draws=draws)
    spans, apart, threads = RecordedSpans(service.telemetry), LazyServers(servers), ToolThread()
    flights, models = Flights(log=roads.log, clock=clock, draws=draws), drivers(clock)
    door = ModelDoor(drivers=models, credentials=roads.credentials, keyless=KEYLESS)
    holdings = Holdings(roads.resources, clock=clock, draws=draws)
    beside, runner = BesideServers(apart, threads), UserHooks(beside=threads.beside)
    blueprints, hooks = Blueprints(registry), Hooks(runner, roads.log, holdings)
    reasoning = Reasoning(
        configs=worker.configs,
        blueprints=blueprints,
        servers=Servers(beside, holdings, clock),
        contexts=Contexts(roads.log),
        log=roads.log,
        flights=flights,
        door=door,
        guard=(guard := Guard(door, blueprints, hooks, clock)),
        telemetry=spans,
        clock=clock,
    )
    service.stack.callback(threads.close)
    service.stack.push_async_callback(models.aclose)
    service.stack.push_async_callback(beside.aclose)
    service.spawn("deltas", flights.run())
    kit = _Kit(guard, flights, spans, apart, registry, clock, draws, threads)
    steps = _steps(worker, roads, kit, reasoning, Errands(door, runner, clock))
    service.spawn("stream", worker.run(steps))
    # Last in, first out: everything above is still there while the worker drains.
    service.stack.push_async_callback(worker.drain)
    return worker


def _steps(
    worker: Worker, roads: Roads, kit: _Kit, reasoning: Reasoning, errands: Errands
) -> Steps:
    acting = _acting(worker, roads, kit)
    return Steps(reasoning=reasoning, acting=acting, errands=errands)


def _acting(worker: Worker, roads: Roads, kit: _Kit) -> Acting:
    configs, clock, draws = worker.configs, kit.clock, kit.draws
    return Acting(
        configs=configs,
        toolbox=WithServers(all_tools(kit.registry), kit.servers),
        runner=kit.threads,
        outputs=Outputs(files=roads.files, configs=configs, clock=clock, draws=draws),
        holdings=Holdings(roads.resources, clock=clock, draws=draws),
        telemetry=kit.spans,
        log=roads.log,
        guard=kit.guard,
        flights=kit.flights,
        clock=clock,
        told_agent=(one.info.id for one in kit.registry.with_code()),
    )


async def start(settings: Settings, service: Service) -> None:
    """Opens the roads and begins to work; the engine may come later.

    Raises CapabilityUnusable.
    """
    registry = installed(settings.capabilities)
    server = await serve(str(settings.worker_bind), [])
    service.stack.push_async_callback(server.stop)
    clock, draws = SystemClock(), SystemDraws()
    eventstore = Channel(str(settings.eventstore_addr))
    service.stack.push_async_callback(eventstore.close)
    resource = Channel(str(settings.resource_addr))
    service.stack.push_async_callback(resource.close)
    roads = Roads(
        link=GrpcEngineLink(settings.engine_addr.all, draws),
        log=GrpcEventLog(eventstore),
        credentials=GrpcCredentials(resource),
        files=GrpcFiles(resource),
        resources=GrpcResources(resource),
    )
    ids, slots = RandomIds(clock), settings.worker_slots
    who = identity(ids, registry, slots=slots, name=settings.worker_name)
    rules = ServerRules(
        commands=settings.worker_mcp_commands, loopback=settings.worker_mcp_loopback
    )
    await assemble(service, roads, who, registry=registry, clock=clock, draws=draws, servers=rules)
    server.set_serving(serving=True)


def main(words: Sequence[str] = ()) -> int:
    """The exit status of the process."""
    return run_service(SERVICE, Settings, start, os.environ, words)
