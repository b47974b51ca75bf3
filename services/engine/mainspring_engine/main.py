"""Wiring by hand: what an engine consists of, and how it starts and drains."""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from mainspring_engine.adapters.announcer import BusAnnouncer
from mainspring_engine.adapters.backoffice import BackOffice, back_office
from mainspring_engine.adapters.bus_queries import BusQueries
from mainspring_engine.adapters.grpc_control import ControlServicer
from mainspring_engine.adapters.grpc_worker import WorkerServicer
from mainspring_engine.adapters.meters import EngineMeters
from mainspring_engine.adapters.postgres import (
    PostgresGates,
    PostgresStore,
    postgres_backstage,
)
from mainspring_engine.adapters.settings import EngineSettings
from mainspring_engine.adapters.wakeups import listen
from mainspring_engine.adapters.witness import TelemetryWitness
from mainspring_engine.domain.backlog import Backlog
from mainspring_engine.domain.holds import HoldTimes
from mainspring_engine.domain.limits import COMMIT_LANES, STREAMS_LEAVE_S
from mainspring_engine.domain.materials import Materials
from mainspring_engine.domain.roster import Roster
from mainspring_engine.domain.tallies import Tallies
from mainspring_engine.ports.backstage import Backstage
from mainspring_engine.ports.gates import GateStore
from mainspring_engine.ports.outside import Witness
from mainspring_engine.ports.store import Store
from mainspring_engine.usecases.agents import Agents
from mainspring_engine.usecases.alarms import Alarms
from mainspring_engine.usecases.assignment import Assignment
from mainspring_engine.usecases.attachments import Attachments
from mainspring_engine.usecases.backpressure import Backpressure
from mainspring_engine.usecases.budgets import Budgeted
from mainspring_engine.usecases.claiming import Claimer
from mainspring_engine.usecases.control import Control
from mainspring_engine.usecases.conversation import Conversations
from mainspring_engine.usecases.couriers import Couriers
from mainspring_engine.usecases.courses import Courses
from mainspring_engine.usecases.flights import SessionFlights
from mainspring_engine.usecases.gate_control import GateControl
from mainspring_engine.usecases.gates import Gates
from mainspring_engine.usecases.gauging import Gauging
from mainspring_engine.usecases.lane import Lane, Lanes
from mainspring_engine.usecases.leases import Leases
from mainspring_engine.usecases.plain_flights import PlainFlights
from mainspring_engine.usecases.plain_traces import PlainTraces
from mainspring_engine.usecases.pushing import Pusher
from mainspring_engine.usecases.queries import Queries
from mainspring_engine.usecases.registry import Workers
from mainspring_engine.usecases.retelling import tell_again
from mainspring_engine.usecases.retention import Retention
from mainspring_engine.usecases.seating import Seating
from mainspring_engine.usecases.sessions import Sessions
from mainspring_engine.usecases.sweeps import Sweeps
from mainspring_engine.usecases.time import DatabaseTime
from mainspring_engine.usecases.worker_streams import WorkerStreams
from mainspring_engine.usecases.workflows import Workflows
from mainspring_kernel.clock import Clock, SystemClock
from mainspring_kernel.draws import Draws, SystemDraws
from mainspring_kernel.ids import Ids, RandomIds
from mainspring_messaging import Bus, NatsBus
from mainspring_postgres import Database, Options
from mainspring_rpc import Server, serve
from mainspring_rpc.services import control_service, worker_service
from mainspring_runtime.lifecycle import Service, run_service
from mainspring_runtime.listeners import Listeners

_CONNECTIONS_MAX: Final = 7
"""Two lanes, a claim, beats, releases and sweeps, and what a person asks."""


class Engine:
    """One engine over whatever ports it is given. `work` must be under way while it serves."""

    def __init__(  # noqa: PLR0913 - one named port each
        self,
        *,
        store: Store,
        gates: GateStore,
        backstage: Backstage,
        bus: Bus,
        witness: Callable[[Agents], Witness],
        clock: Clock,
        ids: Ids,
        draws: Draws,
        trace_ratio: float,
        epoch: int,
    ) -> None:
        self._bus, self._announcer = bus, BusAnnouncer(bus)
        self.store, self.registry = store, backstage.registry
        self._roster, self._attachments, self._sessions = Roster(), Attachments(), Sessions()
        self._tallies, self._holds, self._couriers = Tallies(), HoldTimes(), Couriers()
        self._backlog = Backlog(known=self._roster.known)
        self._pressure = Backpressure(clock=clock, load=lambda: self._lanes.load())  # noqa: PLW0108 - made later
        self._agents, self._courses, self._clock = Agents(store), Courses(store), clock
        self._witness, self._alarms = witness(self._agents), Alarms(clock)
        self.time, self._budgeted = DatabaseTime(clock), Budgeted(store.budgets, clock)
        self.gates = self._make_gates(gates, ids)
        self._workers = self._make_workers(ids)
        self._pusher, self._seating = self._make_pusher(), self._make_seating()
        self._claimer = self._make_claimer()
        self.gates.eased = self._claimer.resume
        materials = self._make_materials(ids, draws, trace_ratio)
        self._lanes = self._make_lanes(self._flights(materials, epoch), draws)
        office = self._back_office(backstage, gates, ids)
        self.operator, self.plain_tasks = office.operator, office.plain
        self.gauging = Gauging(office.inspector, backstage.inspection, clock)
        self._far = BusQueries(bus, me=self._workers.replica, ids=ids)
        self._leases, self._queries = self._make_leases(), self._make_queries(ids)
        self.control = Control(self._lanes, self._pressure, self.store.inbox)
        self.gate_control = GateControl(gates, self._announcer.gates_moved)
        self.workflows = Workflows(self._lanes, store, self._pressure, self._queries, self._courses)
        self.sweeps, self._worker_streams = self._make_sweeps(), self._streams(clock)
        self.conversations = Conversations(self._worker_streams)

    def _make_materials(self, ids: Ids, draws: Draws, trace_ratio: float) -> Materials:
        materials = Materials(agents=self._agents, ids=ids, draws=draws, trace_ratio=trace_ratio)
        materials.budgeted = self._budgeted.has
        return materials

    def _make_gates(self, store: GateStore, ids: Ids) -> Gates:
        return Gates(
            store=store,
            moved=self._announcer.gates_moved,
            clock=self._clock,
            me=ids.uuid7(),
            able=self._able,
        )

    def _able(self, circuit: str) -> bool:
        waiting = (route for route in self._backlog.routes() if route.circuit == circuit)
        return any(self._roster.serves(route) for route in waiting)

    def _make_workers(self, ids: Ids) -> Workers:
        return Workers(
            registry=self.registry,
            roster=self._roster,
            attachments=self._attachments,
            announcer=self._announcer,
            clock=self._clock,
            replica=ids.uuid7(),
        )

    def _make_pusher(self) -> Pusher:
        return Pusher(
            attachments=self._attachments,
            agents=self._agents,
            sessions=self._sessions,
            undelivered=lambda held: self._leases.undelivered(held),  # noqa: PLW0108 - made later
            clock=self._clock,
            tallies=self._tallies,
        )

    def _make_lanes(self, flights: SessionFlights, draws: Draws) -> Lanes:
        lanes = (Lane(flights, self._clock, draws, self._tallies) for _ in range(COMMIT_LANES))
        plain = self._plain_flights()
        submits, ends = (Lane(plain, self._clock, draws, self._tallies) for _ in range(2))
        return Lanes(tuple(lanes), submits=submits, ends=ends)

    def _plain_flights(self) -> PlainFlights:
        return PlainFlights(
            store=self.store,
            seating=self._seating,
            attachments=self._attachments,
            pusher=self._pusher,
            announcer=self._announcer,
            alarms=self._alarms,
            tallies=self._tallies,
            traces=PlainTraces(self.store, self._witness, self._clock),
        )

    def _make_seating(self) -> Seating:
        return Seating(
            roster=self._roster,
            backlog=self._backlog,
            gates=self.gates,
            pressure=self._pressure,
            announcer=self._announcer,
            clock=self._clock,
        )

    def _back_office(self, backstage: Backstage, gates: GateStore, ids: Ids) -> BackOffice:
        return back_office(
            backstage=backstage,
            store=self.store,
            gates=gates,
            workers=self._workers,
            lanes=self._lanes,
            attachments=self._attachments,
            pressure=self._pressure,
            announcer=self._announcer,
            witness=self._witness,
            budgeted=self._budgeted,
            holds=self._holds,
            clock=self._clock,
            ids=ids,
        )

    def _make_claimer(self) -> Claimer:
        return Claimer(
            store=self.store,
            roster=self._roster,
            backlog=self._backlog,
            gates=self.gates,
            pressure=self._pressure,
            pusher=self._pusher,
            clock=self._clock,
            tallies=self._tallies,
        )

    def _make_leases(self) -> Leases:
        return Leases(
            store=self.store,
            attachments=self._attachments,
            lanes=self._lanes,
            clock=self._clock,
            time=self.time,
            witness=self._witness,
            woken=self._claimer.look,
            tallies=self._tallies,
        )

    def _make_queries(self, ids: Ids) -> Queries:
        return Queries(
            store=self.store,
            registry=self.registry,
            elsewhere=self._far,
            me=self._workers.replica,
            roster=self._roster,
            attachments=self._attachments,
            ids=ids,
        )

    def _make_sweeps(self) -> Sweeps:
        return Sweeps(
            store=self.store,
            lanes=self._lanes,
            leases=self._leases,
            announcer=self._announcer,
            clock=self._clock,
        )

    def _flights(self, materials: Materials, epoch: int) -> SessionFlights:
        assignment = Assignment(
            seating=self._seating,
            attachments=self._attachments,
            pusher=self._pusher,
            sessions=self._sessions,
            announcer=self._announcer,
            witness=self._witness,
            alarms=self._alarms,
            couriers=self._couriers,
            epoch=epoch,
            tallies=self._tallies,
        )
        return SessionFlights(
            store=self.store,
            sessions=self._sessions,
            agents=self._agents,
            assignment=assignment,
            time=self.time,
            materials=materials,
            courses=self._courses,
            tallies=self._tallies,
        )

    def _streams(self, clock: Clock) -> WorkerStreams:
        return WorkerStreams(
            store=self.store,
            attachments=self._attachments,
            roster=self._roster,
            lanes=self._lanes,
            leases=self._leases,
            claimer=self._claimer,
            agents=self._agents,
            gates=self.gates,
            workers=self._workers,
            holds=self._holds,
            queries=self._queries,
            clock=clock,
        )

    def meters(self) -> EngineMeters:
        """What those who scrape are told; `gauging` must be under way for what lies in tables."""
        return EngineMeters(
            tallies=self._tallies,
            gauging=self.gauging,
            attachments=self._attachments,
            roster=self._roster,
            circuits=self.gates.circuits.all,
        )

    async def work(self) -> None:
        """Lanes, leases, claims and stand-in sweeps, until cancelled."""
        await listen(self._bus, self._claimer, self._attachments, self.gates, self._workers)
        await self._far.listen(self._queries.ask_here)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._lanes.fly_for_ever())
            group.create_task(self._leases.work())
            group.create_task(self._claimer.work())
            group.create_task(self.gates.work())
            group.create_task(self.sweeps.stand_in())
            group.create_task(self._alarms.work(self.sweeps.sweep))
            group.create_task(self._couriers.work(self.sweeps.bring))
            group.create_task(self._worker_streams.listen())
            group.create_task(self._workers.work())
            group.create_task(self.operator.work())
            group.create_task(self._budgeted.work())

    async def tell_again(self) -> None:
        """The spans that an engine killed a moment ago may not have written."""
        await tell_again(self.store, self._agents, self._witness)

    async def drain(self) -> None:
        """Workers are asked to attach elsewhere; what is in the lanes is committed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(STREAMS_LEAVE_S):
                await self.conversations.drain()
        await self._lanes.settled()


async def start(settings: EngineSettings, service: Service) -> None:
    """Connects, works, and serves. The closers run backwards: streams first, the pool last."""
    stack = service.stack
    options = Options(
        url=settings.database_url,
        application_name="mainspring-engine",
        connections_max=_CONNECTIONS_MAX,
    )
    database = await Database.open(options, migrated=True)
    stack.push_async_callback(database.close)
    bus = NatsBus(settings.nats_url, name="mainspring-engine")
    stack.push_async_callback(bus.close)
    await bus.start()
    listeners = Listeners.of(service)
    clock = SystemClock()
    store = PostgresStore(database)
    await store.make_partitions()
    await store.warm(COMMIT_LANES)
    engine = Engine(
        store=store,
        gates=PostgresGates(database),
        backstage=postgres_backstage(database),
        bus=bus,
        witness=lambda agents: TelemetryWitness(service.telemetry, listeners, agents),
        clock=clock,
        ids=RandomIds(clock),
        draws=SystemDraws(),
        trace_ratio=settings.trace_ratio,
        epoch=await store.epoch(),
    )
    service.spawn("work", engine.work())
    measure(engine, service)
    if service.telemetry.recording:
        service.spawn("retelling", engine.tell_again())
    await _serve(settings, service, engine)


def measure(engine: Engine, service: Service) -> None:
    """Also for one process with everything in it. Nothing is looked at where nobody collects."""
    metrics = service.telemetry.metrics
    if metrics.collected:
        metrics.watch(engine.meters().readings)
        service.spawn("gauging", engine.gauging.work())


async def _serve(settings: EngineSettings, service: Service, engine: Engine) -> None:
    servicer = ControlServicer(
        control=engine.control,
        workflows=engine.workflows,
        plain_tasks=engine.plain_tasks,
        sweeps=engine.sweeps,
        gates=engine.gate_control,
        operator=engine.operator,
        store=engine.store,
        registry=engine.registry,
        retention=Retention(engine.store.retention, settings.keep),
    )
    doors = [control_service(servicer), worker_service(WorkerServicer(engine.conversations))]
    server = await serve(str(settings.engine_bind), doors)
    service.stack.push_async_callback(_leave, server, engine)
    server.set_serving(serving=True)


async def _leave(server: Server, engine: Engine) -> None:
    """Workers attach elsewhere, callers get their answers, then the doors close."""
    server.set_serving(serving=False)
    await engine.drain()
    await server.stop()


def main(words: Sequence[str] = ()) -> int:
    return run_service("engine", EngineSettings, start, os.environ, words)
