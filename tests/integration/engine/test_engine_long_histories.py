"""Workflows of thousands of steps: nothing is too large, and nothing is called twice."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

import pytest

from mainspring import Worker, sleep, step, workflow
from mainspring_engine.adapters.grpc_worker import WorkerServicer
from mainspring_engine.adapters.memory import MemoryGates, MemoryStore, memory_backstage
from mainspring_engine.domain.limits import HISTORY_PAGE_ROWS_MAX
from mainspring_engine.main import Engine
from mainspring_eventstore.adapters.memory import MemoryLog
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.draws import SeededDraws
from mainspring_kernel.ids import DEFAULT_ORG_ID, RandomIds
from mainspring_messaging import Bus, MemoryBus
from mainspring_rpc import serve
from mainspring_rpc.services import worker_service
from mainspring_schema.workflows import GetWorkflow, StartWorkflow, WorkflowView
from tests.integration.engine.ending import ending
from tests.integration.engine.house import House, SilentWitness

CALLS: list[int] = []
PASSAGES: list[int] = []
"""How often the code of `patient` began."""
WAITS = 40
SIZE = 6000
"""Steps in memory: thousands, in a few seconds."""
SIZE_ON_DISK = 3 * HISTORY_PAGE_ROWS_MAX + 2
"""More than three pages."""


@step
async def count(at: int) -> int:
    CALLS.append(at)
    return at + 1


@workflow(pipelined=True)
async def long(size: int) -> int:
    """Rests in its middle, so that all before is read back."""
    at = 0
    while at < size // 2:
        at = await count(at)
    await sleep(0.01)
    while at < size:
        at = await count(at)
    return at


@workflow
async def patient(size: int) -> int:
    PASSAGES.append(size)
    for _ in range(size):
        await sleep(0)
    return size


@asynccontextmanager
async def attached(engine: Engine, workers: int = 1) -> AsyncGenerator[None]:
    """Workers over the wire."""
    server = await serve("127.0.0.1:0", [worker_service(WorkerServicer(engine.conversations))])
    server.set_serving(serving=True)
    try:
        async with AsyncExitStack() as stack:
            for _ in range(workers):
                worker = Worker([long, patient], engine=server.address)
                await stack.enter_async_context(worker)
            yield
    finally:
        await engine.drain()
        await server.stop()


async def run_long(
    engine: Engine, bus: Bus, id_: UUID, size: int, *, type_: str = "long"
) -> WorkflowView:
    async with ending(bus, id_):
        await engine.workflows.start(
            StartWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=id_, type=type_, input=b"[%d]" % size)
        )
    return await engine.workflows.get(GetWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=id_))


@pytest.fixture(autouse=True)
def uncalled() -> None:
    CALLS.clear()
    PASSAGES.clear()


@asynccontextmanager
async def in_memory() -> AsyncGenerator[tuple[Engine, Bus, RandomIds]]:
    clock, lock, bus = SystemClock(), threading.RLock(), MemoryBus()
    ids = RandomIds(clock)
    store = MemoryStore(lock=lock, log=MemoryLog(lock=lock, clock=clock), clock=clock)
    engine = Engine(
        store=store,
        gates=MemoryGates(store.tables, lock=lock, clock=clock),
        backstage=memory_backstage(store, lock=lock, clock=clock),
        bus=bus,
        witness=lambda _: SilentWitness(),
        clock=clock,
        ids=ids,
        draws=SeededDraws(5),
        trace_ratio=0.0,
        epoch=1,
    )
    work = asyncio.create_task(engine.work())
    try:
        yield engine, bus, ids
    finally:
        work.cancel()
        await asyncio.wait({work})


async def test_a_workflow_that_waits_often_is_not_replayed_at_each_wait() -> None:
    async with in_memory() as (engine, bus, ids), attached(engine, workers=2):
        view = await run_long(engine, bus, ids.uuid7(), WAITS, type_="patient")

    assert (view.status, view.result) == ("completed", b"%d" % WAITS)
    # One on a calm machine: its goes come back to the worker that has the code where it waits.
    assert len(PASSAGES) < WAITS // 2


async def test_a_workflow_of_thousands_of_steps_ends_in_memory() -> None:
    async with in_memory() as (engine, bus, ids), attached(engine):
        view = await run_long(engine, bus, ids.uuid7(), SIZE)

    assert (view.status, view.result) == ("completed", b"%d" % SIZE)
    assert list(range(SIZE)) == CALLS


async def test_a_history_of_several_pages_is_read_back_from_postgres(house: House) -> None:
    id_ = house.ids.uuid7()

    async with house.working() as engine, attached(engine):
        view = await run_long(engine, house.bus, id_, SIZE_ON_DISK)

    assert (view.status, view.result) == ("completed", b"%d" % SIZE_ON_DISK)
    assert list(range(SIZE_ON_DISK)) == CALLS
    types = await house.types(id_)
    assert types.count("step.completed") == SIZE_ON_DISK + 1  # the sleep is one
