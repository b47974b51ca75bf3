"""All services of a stack on simulated hosts, around one database in memory."""
# What stands for every port has no type.
# pyright: reportExplicitAny=false, reportAny=false

from collections.abc import Callable
from contextvars import Context
from functools import partial
from random import Random
from typing import Any, Final, NamedTuple, TypeVar

from mainspring.calling import NO_TOOLS
from mainspring_api.adapters.feed import BusFeed
from mainspring_api.adapters.posting import SessionDoor
from mainspring_api.adapters.vault import EnvelopeVault
from mainspring_api.usecases import upkeep
from mainspring_api.usecases.configuration import Configurations
from mainspring_api.usecases.keeper import Keeper
from mainspring_api.usecases.messages import MessagePath
from mainspring_api.usecases.stream.hub import Hub
from mainspring_engine.main import Engine
from mainspring_engine.ports.backstage import Backstage
from mainspring_eventstore.adapters.memory import MemoryStore as LogStore
from mainspring_eventstore.adapters.publisher import BusPublisher
from mainspring_eventstore.usecases.append import Appender
from mainspring_eventstore.usecases.eventstore import EventStore
from mainspring_harness.registry import Registry
from mainspring_kernel.draws import Draws, SeededDraws
from mainspring_kernel.ids import SeededIds
from mainspring_local.dev.roads import (
    DirectControl,
    DirectEventLog,
    DirectFiles,
    DirectLog,
    DirectOperator,
    DirectResources,
)
from mainspring_scheduler.main import Parts as SchedulerParts
from mainspring_scheduler.main import Scheduler
from mainspring_schema.toolsets import READING
from mainspring_worker.adapters.builtin_tools.shelf import all_tools
from mainspring_worker.adapters.memory import MemoryHooks, MemoryServers, NoResources, Silence
from mainspring_worker.adapters.models.catalogue import KEYLESS, Drivers
from mainspring_worker.adapters.models.llmsim.driver import LlmSim
from mainspring_worker.adapters.models.relay import Relay
from mainspring_worker.ports.tool import ToolBox
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
from mainspring_workstream.work import Worker
from tests.sim import theirs
from tests.sim.database import SimClock, Tables
from tests.sim.loop import Host, SimLoop
from tests.sim.network import Hints, Links, Network, NoWitness, Remote, Wire
from tests.sim.programs import Carrier, Ledger, Offer, capabilities, offers
from tests.sim.statements import Statements
from tests.sim.tools import CAPABILITY, SPAWNING, InLine, Outside, Shelves, registry, shelf
from tests.sim.weather import Chance, Weather
from tests.sim.wiring import BUILD, Duties, house_credentials, identity

_BACK_S: Final = 6.0
"""A supervisor's patience with what crashed by itself: longer than who breaks things waits."""
_PARTS: Final = ("budgets", "inbox", "plain", "progress", "workflows")
P = TypeVar("P")


class Running(NamedTuple):
    """A program, and the host it runs on."""

    host: Host
    program: Any


class Api(NamedTuple):
    path: MessagePath
    hub: Hub
    door: SessionDoor


class World:
    """Programs by their place: a restarted one stands where the crashed one stood."""

    capabilities: tuple[str, ...] = ("", CAPABILITY)
    """What its workers can do."""

    def __init__(self, loop: SimLoop, weather: Weather, chance: Chance) -> None:
        self.loop, self.weather, self.chance = loop, weather, chance
        if weather.spawns:
            self.capabilities += SPAWNING
        self.refs = self.capabilities
        """What its agent has."""
        if weather.announces:
            self.refs += (theirs.CAPABILITY,)
            self.capabilities += (READING,)
        self.network = Network(loop, weather, chance)
        self.tables = Tables(loop)
        self.hints = Hints(self.network)
        self.outside = Outside(Random(chance.work.random()), weather.work_s)
        self.orders = Random(chance.programs.random())
        """What those draw who start programs."""
        self.minding, self.planning = chance.minding, chance.planning
        self.needing, self.operating = chance.needing, chance.operating
        self.hurrying, self.forking = chance.hurrying, chance.forking
        self.ledger = Ledger(Random(chance.programs.random()), loop.time, weather.step_s)
        self.ledger.stumbles = weather.step_trouble
        self.offers: dict[str, Offer] = offers(self.ledger) if weather.coders else {}
        self.announced = theirs.announced(self.outside) if weather.announces else NO_TOOLS
        self.wires: list[Wire] = []
        self.registry: Registry = registry()
        self.places: dict[str, Running] = {}
        self.starts = 0
        self._makers: dict[str, Callable[[Host], Any]] = {}
        self.past: list[Host] = []
        """Kept to the end: what is collected runs its `finally`."""

    def toolbox(self) -> ToolBox:
        """Of a worker."""
        ours = shelf(self.outside)
        return Shelves(ours, all_tools(self.registry)) if self.weather.spawns else ours

    def build(self) -> None:
        for number in range(2):
            self._place(f"eventstore-{number}", self._eventstore)
        for number in range(self.weather.engines):
            self._place(f"engine-{number}", self._engine)
        for number in range(self.weather.apis):
            self._place(f"api-{number}", self._api)
        for number in range(2 if self.weather.schedules else 1):
            self._place(f"scheduler-{number}", self._scheduler)
        for number in range(self.weather.workers):
            self._place(f"worker-{number}", self._worker)
        for number in range(self.weather.coders):
            build = f"{BUILD}{number}" if self.weather.builds else BUILD
            self._place(f"worker-code-{number}", partial(self._coder, build))

    def _place(self, place: str, maker: Callable[[Host], Any]) -> None:
        self._makers[place] = maker
        self.start(place)

    def start(self, place: str) -> None:
        """A new process: nothing but its place is what it was."""
        self.starts += 1
        old = self.places.get(place)
        if old is not None:
            self.past.append(old.host)
        host = Host(self.loop, f"{place}#{self.starts}")
        host.crashed.append(lambda: self._watch_over(place, host))
        maker = self._makers[place]
        self.places[place] = Running(host, host.run(lambda: maker(host)))

    def _watch_over(self, place: str, host: Host) -> None:
        """Whoever broke it may start it again before."""

        def again() -> None:
            if self.places and self.places[place].host is host:
                self.start(place)

        self.loop.call_later(_BACK_S, again, context=Context())

    def any_of(self, kind: str) -> Running:
        """A replica, up or not, as an address among several would name one."""
        found = [one for place, one in self.places.items() if place.startswith(kind)]
        return self.chance.schedule.choice(found)

    def remote(self, kind: str, part: Callable[[Any], Any]) -> Any:
        """What a client of that service holds."""

        def pick() -> tuple[Host, Any]:
            found = self.any_of(kind)
            return found.host, part(found.program)

        return Remote(self.network, pick)

    def statements(self, store: P, *parts: str) -> P:
        """The store as a process sees it that is a connection away."""
        found: Any = Statements(self.network, store, parts=parts)
        return found

    def _clock(self) -> SimClock:
        skew = self.weather.clock_skew_s
        return SimClock(self.loop, skew * (self.chance.faults.random() * 2 - 1) if skew else 0.0)

    def _draws(self) -> SeededDraws:
        return SeededDraws(self.chance.schedule.getrandbits(64))

    def _ids(self, clock: SimClock) -> SeededIds:
        return SeededIds(clock, self.chance.schedule.getrandbits(64))

    # ── programs ────────────────────────────────────────────────────────────────────────────────

    def _eventstore(self, host: Host) -> EventStore:
        del host
        store = self.statements(LogStore(self.tables.log))
        return EventStore(
            store, Appender(store, BusPublisher(self.hints), epoch=self.tables.log.epoch)
        )

    def _engine(self, host: Host) -> Engine:
        clock, tables = self._clock(), self.tables
        engine = Engine(
            store=self.statements(tables.engine, *_PARTS),
            gates=self.statements(tables.gates),
            backstage=Backstage(
                registry=self.statements(tables.backstage.registry),
                inspection=self.statements(tables.backstage.inspection),
                letters=self.statements(tables.backstage.letters),
                snapshots=self.statements(tables.backstage.snapshots),
            ),
            bus=self.hints,
            witness=lambda _: NoWitness(),
            clock=clock,
            ids=self._ids(clock),
            draws=self._draws(),
            trace_ratio=0.0,
            epoch=tables.log.epoch,
        )
        host.spawn(engine.work(), "engine")
        return engine

    def _path(self) -> MessagePath:
        log: Any = DirectLog(self.remote("eventstore", lambda store: store))
        control: Any = DirectControl(
            self.remote("engine", lambda engine: engine.control),
            self.remote("engine", lambda engine: engine.workflows),
            self.remote("engine", lambda engine: engine.plain_tasks),
        )
        configurations = Configurations(
            self.statements(self.tables.api),
            DirectOperator(self.remote("engine", lambda engine: engine.operator)),
            self.registry,
            SeededIds(SimClock(self.loop, 0.0), 0),  # of files that nobody brings here
        )
        return MessagePath(configurations=configurations, control=control, log=log)

    def _api(self, host: Host) -> Api:
        clock = self._clock()
        path = self._path()
        hub = Hub(path.log, BusFeed(self.hints), clock, self._draws())
        host.spawn(hub.run(), "hub")
        store = self.statements(self.tables.api)
        host.spawn(upkeep.run(store, path.control, clock), "upkeep")
        door = SessionDoor(
            store=store, path=path, registry=self.registry, clock=clock,
            ids=self._ids(clock),
        )  # fmt: skip
        return Api(path, hub, door)

    def _scheduler(self, host: Host) -> Scheduler:
        clock = self._clock()
        calls = Duties(
            self.remote("engine", lambda engine: engine),
            lambda: self.any_of("eventstore").program,
        )
        scheduler = Scheduler(
            SchedulerParts(
                duties=self.statements(self.tables.duties),
                schedules=self.statements(self.tables.schedules),
                calls=calls,
                turns=self.remote("api", lambda api: api.door),
                workflows=self.remote("engine", lambda engine: engine.workflows),
                clock=clock,
                ids=self._ids(clock),
                draws=self._draws(),
            )
        )
        host.spawn(scheduler.loop.serve(), "scheduler")
        return scheduler

    def _worker(self, host: Host) -> Worker:
        clock, draws = self._clock(), self._draws()
        worker = self._working(clock, draws, self.capabilities)
        log: Any = DirectEventLog(self.remote("eventstore", lambda store: store))
        flights = Flights(log=log, clock=clock, draws=draws)
        door = ModelDoor(
            drivers=Drivers({"llmsim": lambda: LlmSim(clock), "relay": Relay}),
            credentials=house_credentials(self.tables.api),
            keyless=KEYLESS,
        )
        steps = Steps(
            reasoning=Reasoning(
                configs=worker.configs,
                blueprints=Blueprints(self.registry),
                servers=Servers(
                    MemoryServers(), Holdings(NoResources(), clock=clock, draws=draws), clock
                ),
                contexts=Contexts(log),
                log=log,
                flights=flights,
                door=door,
                guard=Guard(door, Blueprints(self.registry), Hooks(MemoryHooks(), log), clock),
                telemetry=Silence(),
                clock=clock,
            ),
            acting=self._acting(worker.configs, log, flights, door, clock, draws),
            errands=Errands(door, MemoryHooks(), clock),
        )  # fmt: skip
        host.spawn(flights.run(), "deltas")
        host.spawn(worker.run(steps), "stream")
        return worker

    def _working(
        self, clock: SimClock, draws: Draws, able: tuple[str, ...], build: str = BUILD,
        toolset: bytes = b"",
    ) -> Worker:  # fmt: skip
        return Worker(
            core=WorkerCore(identity(self._ids(clock).uuid7(), able, build=build, toolset=toolset)),
            link=Links(self.network, self._conversations, self.wires),
            clock=clock,
            draws=draws,
        )

    def _coder(self, build: str, host: Host) -> Worker:
        """A user's own worker."""
        clock, draws = self._clock(), self._draws()
        able = (*capabilities(self.offers), *self.announced.capabilities)
        worker = self._working(clock, draws, able, build, self.announced.body)
        weather = self.weather
        carrier = Carrier(
            self.offers, self.loop, draws, weather.warm,
            self._befalls("task given back", weather.gives_back),
            self._befalls("code that does not fit", weather.misfits), self.announced,
        )  # fmt: skip
        host.spawn(worker.run(carrier, carrier), "stream")
        return worker

    def _befalls(self, kind: str, odds: float) -> Callable[[], bool]:
        """Whether it befalls what a user's worker just got, until everything is mended."""

        def strikes() -> bool:
            mended = self.loop.time() >= self.weather.heal_s
            return self.chance.strikes(kind, 0.0 if mended else odds)

        return strikes

    def _acting(
        self,
        configs: Configs,
        log: Any,
        flights: Flights,
        door: ModelDoor,
        clock: SimClock,
        draws: Draws,
    ) -> Acting:
        api = self.tables.api
        keeper = Keeper(
            store=api,
            vault=EnvelopeVault([]),
            schedules=self.remote("scheduler", lambda one: one.schedules),
            path=self._path(),
            ids=self._ids(clock),
        )
        resources = DirectResources(keeper, clock)
        files = DirectFiles(api, clock, self._ids(clock))
        return Acting(
            configs=configs,
            toolbox=self.toolbox(),
            runner=InLine(),
            outputs=Outputs(files=files, configs=configs, clock=clock, draws=draws),
            holdings=Holdings(resources, clock=clock, draws=draws),
            telemetry=Silence(),
            log=log,
            guard=Guard(door, Blueprints(self.registry), Hooks(MemoryHooks(), log), clock),
            flights=flights,
            clock=clock,
        )

    def _conversations(self) -> tuple[Host, Any]:
        found = self.any_of("engine")
        return found.host, found.program.conversations
