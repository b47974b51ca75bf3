"""For tests of workflows: all services in this process, and time that is skipped.

async with environment(trip, charge) as env:
    handle = await env.client.start(trip, "Rome")
    await env.skip(timedelta(days=30))
    assert await env.result_of(handle) == "booked"
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from mainspring import Client, Handle, Step, TaskHandle, Tool, Worker, Workflow, workflow
from mainspring.limits import WARM_GOES_DEFAULT
from mainspring.pausing import no_pauses
from mainspring_api.adapters.keys import EnvironmentKeys
from mainspring_engine.adapters.memory.tables import TaskRow
from mainspring_engine.domain.rows import TaskState
from mainspring_engine.usecases.sweeps import SweepKind
from mainspring_harness.own import installed
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.ids import DEFAULT_ORG_ID, Prefix, from_wire
from mainspring_local.dev import composition
from mainspring_local.dev.roads import DirectOperator
from mainspring_local.sockets import LOOPBACK
from mainspring_runtime.lifecycle import Service
from mainspring_scheduler.domain.duties import Duty
from mainspring_schema.explaining import Subject
from mainspring_schema.operations import Explain

T = TypeVar("T")
SETTLE_S: Final = 30.0
"""How long steps may be at work before a wait for their end gives up: their time is not skipped."""
FURTHEST: Final = timedelta(days=3660)
"""How far a wait for a result skips: what repeats for ever is found out."""
_LOOK_S: Final = 0.005
_QUIET_LOOKS: Final = 4
"""Nothing is at work in so many looks in a row: what one commit hands to another has come there."""


class StillAtWork(Exception):
    """Steps or workflows are at work, or wait for a worker, for longer than SETTLE_S."""


class NothingDue(Exception):
    """The workflow waits for something that time does not bring: a signal, a worker, a person."""


class SkippingClock(SystemClock):
    """This machine's clock, ahead by what was skipped. Durations pass as they do."""

    def __init__(self) -> None:
        self._ahead_ms = 0

    def wall_ms(self) -> int:
        """Milliseconds since the epoch, with what was skipped."""
        return super().wall_ms() + self._ahead_ms

    def skip_to(self, wall_ms: int) -> None:
        """Never back."""
        self._ahead_ms += max(0, wall_ms - self.wall_ms())


class Environment:
    """What `environment` yields. `client` and `worker` are as any other.

    Timers, timeouts, schedules and the next try of a task come due by `skip` and `result_of`, in
    their order, and a worker does not wait between attempts at a step. What a step itself takes
    passes at its own pace.
    """

    def __init__(
        self,
        running: composition.Running,
        *,
        service: Service,
        clock: SkippingClock,
        client: Client,
        worker: Worker,
    ) -> None:
        self.client = client
        self.worker = worker
        self._running = running
        self._parts = running.parts
        self._tables = running.parts.engine_store.tables
        self._service = service
        self._clock = clock

    @property
    def url(self) -> str:
        """Of its API."""
        return url_of(self._running)

    @property
    def engine(self) -> str:
        """Where further workers attach."""
        return self._running.workers.address

    # ── time ────────────────────────────────────────────────────────────────────────────────────

    def now(self) -> datetime:
        """What the services take for the time."""
        return datetime.fromtimestamp(self._clock.wall_ms() / 1000, UTC)

    async def skip(self, duration: timedelta | float) -> None:
        """As if so much time had passed, in seconds or as a timedelta: what comes due is done.

        Raises StillAtWork.
        """
        seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
        until_ms = self._clock.wall_ms() + round(seconds * 1000)
        await self.settled()
        while (due_ms := self._next_due_ms()) is not None and due_ms <= until_ms:
            await self._come_to(due_ms)
        await self._come_to(until_ms)

    async def result_of(
        self, handle: Handle[T] | TaskHandle[T], *, within: timedelta = FURTHEST
    ) -> T:
        """What it comes to; skips whatever it waits for.

        Raises WorkflowFailed or TaskFailed where it failed or was cancelled, NothingDue,
        StillAtWork, and TimeoutError where it has not ended `within` the time that is skipped.
        """
        until_ms = self._clock.wall_ms() + round(within.total_seconds() * 1000)
        while True:
            await self.settled()
            if (await handle.describe()).ended:
                return await handle.result()
            due_ms = self._next_due_ms()
            if due_ms is None:
                raise NothingDue(await self._why(handle.id))
            if due_ms > until_ms:
                message = f"{handle.id} has not ended within {within}: {await self._why(handle.id)}"
                raise TimeoutError(message)
            await self._come_to(due_ms)

    async def settled(self) -> None:
        """Returns once no step and no workflow is at work. Raises StillAtWork."""
        deadline, quiet = time.monotonic() + SETTLE_S, 0
        while quiet < _QUIET_LOOKS:
            if self._service.failure is not None:
                raise self._service.failure
            at_work = self._at_work()
            quiet = 0 if at_work else quiet + 1
            if at_work and time.monotonic() > deadline:
                raise StillAtWork(_told(at_work))
            await asyncio.sleep(_LOOK_S)

    async def _come_to(self, wall_ms: int) -> None:
        """Moves the clock, has done what is due then, and waits for the end of that."""
        self._clock.skip_to(wall_ms)
        engine = self._parts.engine
        # It learns with each commit; the first one behind a skip would still go by the time before.
        engine.time.learn(self._clock.wall_ms())
        for replica in tuple(self._tables.registry.replicas):
            await engine.registry.beat(replica)
        for kind in (SweepKind.TIMERS, SweepKind.RETRIES):
            while (await engine.sweeps.sweep(kind)).more:
                pass
        while (await self._running.scheduler.work.perform(Duty.SCHEDULES)).more:
            pass
        await self.settled()

    # ── what there is ───────────────────────────────────────────────────────────────────────────

    def _at_work(self) -> list[TaskRow]:
        at_work = (TaskState.READY, TaskState.LEASED)
        return [task for task in self._tables.tasks.values() if task.state in at_work]

    def _next_due_ms(self) -> int | None:
        """When time brings something next."""
        tables, schedules = self._tables, self._parts.schedules
        due = [timer.due_ms for timer in (*tables.timers.values(), *tables.start_bounds.values())]
        due += [task.ready_ms for task in tables.tasks.values() if task.state is TaskState.DELAYED]
        in_ms = schedules.due_in_ms()
        if in_ms is not None:
            due.append(self._clock.wall_ms() + in_ms)
        return min(due, default=None)

    async def _why(self, id_: str) -> str:
        kind: Subject = "task" if id_.startswith(Prefix.TASK) else "workflow"
        asked = Explain(org_id=DEFAULT_ORG_ID, subject=kind, id=from_wire(Prefix(kind), id_))
        found = await DirectOperator(self._parts.engine.operator).inspect(asked)
        return f"{id_}: {found.summary}"


@workflow(name="mainspring.testing.nothing")
async def _nothing() -> None:
    """What the worker offers where a test has no code of its own, but agents."""


@asynccontextmanager
async def environment(
    *offers: "Workflow[..., object] | Step[..., object]",
    tools: "Sequence[Tool[..., object]]" = (),
    toolset: str = "",
    warm: int = WARM_GOES_DEFAULT,
    processes: int = 0,
) -> AsyncGenerator[Environment]:
    """All services over memory, empty at first, and one worker with these offers and options.

    Without any, agents have what is built in.

    `warm=0` has each go replayed from its start, which finds code that decides otherwise.
    """
    clock, service = SkippingClock(), Service("testing")
    async with AsyncExitStack() as stack:
        stack.push_async_callback(service.close)
        stack.enter_context(no_pauses())
        running = await composition.start(
            service,
            EnvironmentKeys({}, {}),
            installed(""),
            host=LOOPBACK,
            port=0,
            workers_port=0,
            trace_ratio=0.0,
            clock=clock,
        )
        client = await stack.enter_async_context(Client(url_of(running), clock=clock))
        worker = Worker(
            offers if offers or tools else (_nothing,),
            tools=tools,
            toolset=toolset,
            warm=warm,
            processes=processes,
            engine=running.workers.address,
        )
        await stack.enter_async_context(worker)
        await worker.attached()
        yield Environment(running, service=service, clock=clock, client=client, worker=worker)


def url_of(running: composition.Running) -> str:
    return f"http://{LOOPBACK}:{running.api.port}"


def _told(tasks: Sequence[TaskRow]) -> str:
    first, others = tasks[0], len(tasks) - 1
    what = "is at work" if first.state is TaskState.LEASED else "is ready, and nobody takes it"
    more = f", and {others} more" if others else ""
    return f"after {SETTLE_S:.0f} s {first.route.capability or first.step} {what}{more}"
