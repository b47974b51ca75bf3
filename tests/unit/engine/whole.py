"""A whole engine over memory, at work."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from mainspring_engine.adapters.memory import MemoryGates, MemoryStore, memory_backstage
from mainspring_engine.main import Engine
from mainspring_eventstore.adapters.memory import MemoryLog
from mainspring_kernel.clock import Clock, SystemClock
from mainspring_kernel.draws import SeededDraws
from mainspring_kernel.ids import RandomIds
from mainspring_messaging import MemoryBus
from tests.integration.engine.house import SilentWitness

IDS: Final = RandomIds(SystemClock())


@asynccontextmanager
async def whole_engine(bus: MemoryBus, clock: Clock | None = None) -> AsyncGenerator[Engine]:
    clock, lock = clock or SystemClock(), threading.RLock()
    store = MemoryStore(lock=lock, log=MemoryLog(lock=lock, clock=clock), clock=clock)
    engine = Engine(
        store=store,
        gates=MemoryGates(store.tables, lock=lock, clock=clock),
        backstage=memory_backstage(store, lock=lock, clock=clock),
        bus=bus,
        witness=lambda _: SilentWitness(),
        clock=clock,
        ids=IDS,
        draws=SeededDraws(5),
        trace_ratio=0.0,
        epoch=1,
    )
    work = asyncio.create_task(engine.work())
    try:
        yield engine
    finally:
        work.cancel()
        await asyncio.wait({work})
