"""The worker: keeps the stream with an engine, and runs workflows that come over it.

The stream has a thread and a loop of its own, so that it beats however long the user's code holds
the user's loop.
"""

import asyncio
import os
import platform
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from types import TracebackType
from typing import Final, Self

from mainspring.bridge import Beats, Bridge, Bridges, all_recorded, recorded_at
from mainspring.calling import NO_TOOLS, NOTHING, Announced, Caller
from mainspring.computing import Processes
from mainspring.crossing import call_on
from mainspring.definitions import Step, Workflow
from mainspring.ferry import Ferry, Passage
from mainspring.going import Go
from mainspring.imports import refuse_within_an_import
from mainspring.kinds import check_offer, check_some
from mainspring.lag import LagWatch
from mainspring.limits import WARM_GOES_DEFAULT
from mainspring.options import texts
from mainspring.plain import attempt_plain, landed
from mainspring.queries import answer
from mainspring.settling import settled
from mainspring.showing import NOWHERE, Road, road_to
from mainspring.streaming import StreamThread
from mainspring.telling import at_work_on
from mainspring.terminating import until_ended
from mainspring.tools import Tool
from mainspring.warm import Warm
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.draws import Draws, SystemDraws
from mainspring_kernel.ids import Prefix, RandomIds
from mainspring_schema.codec import pack
from mainspring_schema.tasks import (
    PlainResult,
    PlainTask,
    QueryTask,
    StepTask,
    ToolTask,
    WorkflowResult,
    WorkflowTask,
)
from mainspring_schema.toolsets import Brings
from mainspring_schema.workflows import StepRecord
from mainspring_workstream.attempt import Attempt, HandedBack, Stop
from mainspring_workstream.attempts import Ended
from mainspring_workstream.configs import Configs
from mainspring_workstream.core import WorkerCore
from mainspring_workstream.grpc_link import GrpcEngineLink
from mainspring_workstream.identity import Identity
from mainspring_workstream.limits import SLOTS_DEFAULT
from mainspring_workstream.link import EngineLink
from mainspring_workstream.work import Worker as StreamWorker

ENGINE_DEFAULT: Final = "127.0.0.1:9001"


class Worker:
    """Runs workflows, and steps that are tasks of their own. `async with` it, or await `run()`.

    With a declared workflow it offers the steps that are declared. `tools` are announced under the
    name `toolset`: an agent with the capability `toolset:<that name>` has them, its model reads
    the `instructions`, and it has what the set `brings` along.

    `engine` is one address or several with commas (default: MAINSPRING_ENGINE_ADDR, then
    127.0.0.1:9001). `slots` bounds the workflows at work at once. `processes` is how many compute
    `cpu_bound` steps (0: they run in threads). `build` names the version of the code. `warm` bounds
    the workflows at rest whose code stays where it waits, so that it goes on there without a replay
    (0: it leaves at each rest). `eventstore` is where what tools write is shown from (default:
    MAINSPRING_EVENTSTORE_ADDR; without any it is not shown). `on_loop_lag` is told twice a second,
    in seconds, how late the loop is that runs the code: a histogram's `record`, for instance.
    """

    def __init__(  # noqa: PLR0913 - one named option each
        self,
        offers: "Sequence[Workflow[..., object] | Step[..., object]]" = (),
        /,
        *,
        tools: "Sequence[Tool[..., object]]" = (),
        toolset: str = "",
        instructions: str = "",
        brings: Brings = NOTHING,
        engine: str | None = None,
        eventstore: str | None = None,
        queues: Sequence[str] = ("default",),
        slots: int = SLOTS_DEFAULT,
        processes: int = 0,
        warm: int = WARM_GOES_DEFAULT,
        name: str = "",
        build: str = "",
        on_loop_lag: Callable[[float], object] | None = None,
        link: EngineLink | None = None,
    ) -> None:
        offers = _with_declared(offers)
        self._announced = Announced(tools, toolset, instructions, brings, queues=queues)
        self._workflows = _by_name(check_some(offers, tools))
        self._plain = {one.name: one for one in offers if isinstance(one, Step)}
        self._addresses, self._link = _addresses(engine), link
        self._clock, self._draws = SystemClock(), SystemDraws()
        self._road = road_to(eventstore, self._clock, self._draws)
        incarnation = RandomIds(self._clock).uuid7()
        self._identity = Identity(
            incarnation=incarnation,
            name=name or f"{platform.node() or 'worker'}-{incarnation.hex[-8:]}",
            build=build,
            queues=texts("queues", queues),
            capabilities=self._capabilities(),
            slots=slots,
            toolset=self._announced.body,
        )
        self._processes_max, self._warm, self._lag = processes, Warm(warm), LagWatch(on_loop_lag)
        self._processes: Processes | None = None
        self._stream: StreamThread | None = None

    def _capabilities(self) -> tuple[str, ...]:
        return (
            *(f"workflow:{workflow}" for workflow in self._workflows),
            *(f"task:{step}" for step in self._plain),
            *self._announced.capabilities,
        )

    async def __aenter__(self) -> Self:
        """Begins to work; the engine may come later.

        Raises RuntimeError where a process of its own imports the program.
        """
        refuse_within_an_import()
        if self._processes_max:
            self._processes = Processes(self._processes_max)
        link = self._link or GrpcEngineLink(self._addresses, self._draws)
        stream = StreamWorker(
            core=WorkerCore(self._identity), link=link, clock=self._clock, draws=self._draws
        )
        runner = Runner(
            self._workflows,
            asyncio.get_running_loop(),
            self._draws,
            self._processes,
            plain=self._plain,
            warm=self._warm,
            announced=self._announced,
            road=self._road,
            configs=stream.configs,
        )
        self._stream = StreamThread(stream, lambda: self._road.around(stream.run(runner, runner)))
        self._stream.start()
        self._lag.begin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Drains: no new work; what is at work may finish within bounds, the rest is given back."""
        try:
            if self._stream is not None:
                await self._stream.drain()
        finally:
            self._stream = None
            self._lag.end()
            await self._warm.clear()
            if self._processes is not None:
                self._processes.close()
                self._processes = None

    async def attached(self) -> None:
        """Returns once an engine has this worker, and knows what it offers and announces.

        Raises what ended its stream before.
        """
        assert self._stream is not None, "attached() is for a worker at work: `async with` it"  # noqa: S101 - a mistake of the caller
        await self._stream.attached()

    async def run(self) -> None:
        """Works until it is cancelled, or the process gets SIGTERM; then drains.

        Raises what ended its stream before. A handler of SIGTERM that is there already stays.

        It takes the process for its own: what was imported is spared the garbage collector.
        """
        async with self:
            assert self._stream is not None  # noqa: S101 - it has begun
            with settled():
                await until_ended(self._stream.ended())


class Runner:
    """What the stream calls for each attempt: hands it over to the user's loop and back."""

    def __init__(  # noqa: PLR0913 - what a worker offers, and with what it works
        self,
        workflows: "dict[str, Workflow[..., object]]",
        loop: asyncio.AbstractEventLoop,
        draws: Draws,
        processes: Processes | None,
        *,
        plain: "dict[str, Step[..., object]] | None" = None,
        warm: Warm | None = None,
        announced: Announced = NO_TOOLS,
        road: Road = NOWHERE,
        configs: Configs | None = None,
    ) -> None:
        self._warm = warm or Warm()
        self._plain = plain or {}
        self._caller = Caller(announced, loop, road, configs)
        self._ferry = Ferry[PlainResult](loop)
        self._goes = Ferry[WorkflowResult](loop)
        self._bridges = Bridges()
        self._workflows = workflows
        self._loop = loop
        self._draws = draws
        self._processes = processes

    async def __call__(self, attempt: Attempt) -> bytes:
        """The packed result. Raises HandedBack where another worker must do it."""
        match attempt.payload:
            case ToolTask() as payload:
                return pack(await self._caller.carry_out(attempt, payload))
            case WorkflowTask() | QueryTask() as payload:
                return await self._do_workflow(attempt, payload)
            case _:
                raise HandedBack

    async def _do_workflow(self, attempt: Attempt, payload: WorkflowTask | QueryTask) -> bytes:
        workflow = self._workflows.get(payload.workflow_type)
        if workflow is None:
            raise HandedBack
        if workflow.drawn is not None:
            # It was started by its name: the engine asks for what it is to run.
            declaration = workflow.drawn.declaration
            return pack(WorkflowResult(outcome="declared", declaration=declaration))
        if isinstance(payload, QueryTask):
            return await self._answer(workflow, await all_recorded(attempt), payload)
        return await self._do_go(workflow, attempt, payload)

    async def _do_go(
        self, workflow: "Workflow[..., object]", attempt: Attempt, task: WorkflowTask
    ) -> bytes:
        came, recorded = await self._read(attempt, task)
        attempt.begun = True
        bridge = self._bridges.of(attempt)

        def go() -> Coroutine[object, object, WorkflowResult]:
            if came is not None:
                return self._go_on(workflow, came, task, bridge)
            return self._go(workflow, recorded, task, bridge)

        try:
            return pack(await self._goes.cross(go))
        except asyncio.CancelledError:
            if attempt.stop is Stop.CANCELLED:
                return pack(WorkflowResult(outcome="cancelled"))
            raise

    async def _read(
        self, attempt: Attempt, task: WorkflowTask
    ) -> tuple[dict[str, StepRecord] | None, dict[str, StepRecord]]:
        """What came where its code waits here, or else all that is recorded."""
        if attempt.task.recorded is not None:
            return None, {step.step: step for step in attempt.task.recorded}
        places = self._warm.places(task, attempt.held.fence)
        came = None if places is None else await recorded_at(attempt, places)
        return came, {} if came is not None else await all_recorded(attempt)

    def begin(self, attempt: Attempt, ended: Ended) -> Passage[PlainResult] | None:
        """Plain tasks come by hundreds: they cross without a task of the stream's loop each.

        A step called twice by a crash is called with the same input: it must bear that.
        """
        payload = attempt.payload
        if not isinstance(payload, PlainTask | StepTask):
            return None
        step = self._plain.get(payload.task_type)
        if step is None:
            return None
        attempt.begun = True
        do = partial(
            attempt_plain,
            step,
            payload.input,
            failures=attempt.task.failures,
            draws=self._draws,
            processes=self._processes,
            beats=Beats(attempt, asyncio.get_running_loop()),
            task_id=attempt.held.task_id,
        )
        return self._ferry.send(do, partial(landed, ended, attempt))

    async def _answer(
        self,
        workflow: "Workflow[..., object]",
        recorded: dict[str, StepRecord],
        query: QueryTask,
    ) -> bytes:
        asked = answer(workflow, recorded, query.name, query.arguments)
        return pack(await call_on(self._loop, asked))

    async def _go(
        self,
        workflow: "Workflow[..., object]",
        recorded: dict[str, StepRecord],
        task: WorkflowTask,
        bridge: Bridge,
    ) -> WorkflowResult:
        at_work_on(Prefix.WORKFLOW, task.workflow_id)
        go = Go(
            workflow,
            recorded,
            bridge,
            draws=self._draws,
            processes=self._processes,
            beats=bridge.beats,
        )
        bridge.tell(go, self._loop)
        return await self._warm.through(task, bridge.fence, go, go.begin())

    async def _go_on(
        self,
        workflow: "Workflow[..., object]",
        came: dict[str, StepRecord],
        task: WorkflowTask,
        bridge: Bridge,
    ) -> WorkflowResult:
        go = self._warm.take(task)
        if go is None:  # it had to leave meanwhile
            return await self._go(workflow, await bridge.recorded(), task, bridge)
        bridge.tell(go, self._loop)
        return await self._warm.through(
            task, bridge.fence, go, go.go_on(bridge, came, beats=bridge.beats)
        )


def _by_name(
    offers: "Sequence[Workflow[..., object] | Step[..., object]]",
) -> "dict[str, Workflow[..., object]]":
    workflows = [one.task if isinstance(one, Step) else one for one in offers]
    named = {workflow.name: workflow for workflow in workflows}
    if len(named) < len(workflows):
        message = "two workflows or steps have one name"
        raise ValueError(message)
    return named


def _addresses(engine: str | None) -> tuple[str, ...]:
    found = engine or os.environ.get("MAINSPRING_ENGINE_ADDR") or ENGINE_DEFAULT  # noqa: TID251 - a worker is wired where it is made
    return tuple(address.strip() for address in found.split(","))


def _with_declared(
    offers: "Sequence[Workflow[..., object] | Step[..., object]]",
) -> "list[Workflow[..., object] | Step[..., object]]":
    """With the steps of declared workflows, each once. Raises TypeError."""
    found = list(offers)
    for offer in offers:
        check_offer(offer)
        drawn = () if isinstance(offer, Step) or offer.drawn is None else offer.drawn.steps
        for step in drawn:
            if isinstance(step, Step) and not any(step is one for one in found):
                found.append(step)
    return found
