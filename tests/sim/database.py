"""The one database of a simulated stack, and the clocks that hosts have beside its own."""
# What stands for every port has no type.
# pyright: reportExplicitAny=false, reportAny=false

import threading
from typing import Any, Final

from mainspring_api.adapters.memory.store import MemoryStore as ApiStore
from mainspring_api.adapters.memory.store import organization_of
from mainspring_engine.adapters.memory import MemoryGates, memory_backstage
from mainspring_engine.domain.circuit import CircuitState
from mainspring_eventstore.adapters.memory import MemoryLog
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_scheduler.adapters.memory import MemoryDutyStore, MemoryScheduleStore
from tests.sim.loop import SimLoop
from tests.sim.oracles import Watching

BEGAN_MS: Final = 1_800_000_000_000


class SimClock:
    """Virtual time as one host sees it; `offset_s` is how wrong its wall clock is."""

    def __init__(self, loop: SimLoop, offset_s: float = 0.0) -> None:
        self._loop = loop
        self._offset_ms = round(offset_s * 1000)

    def wall_ms(self) -> int:
        return BEGAN_MS + self._offset_ms + round(self._loop.time() * 1000)

    def mono(self) -> float:
        return 1000.0 + self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await self._loop.pause(max(0.0, seconds))


class Tables:
    """The database: twins under one lock, by one clock."""

    def __init__(self, loop: SimLoop) -> None:
        self.clock = SimClock(loop)
        self.lock = threading.RLock()
        self.log = MemoryLog(lock=self.lock, clock=self.clock)
        self.engine = Watching(lock=self.lock, log=self.log, clock=self.clock)
        self.broken = self.engine.broken
        first = organization_of(DEFAULT_ORG_ID, "default", BEGAN_MS)
        self.api = ApiStore(
            lock=self.lock, log=self.log, hold=self.engine, first=first, clock=self.clock
        )
        self.gates = MemoryGates(self.engine.tables, lock=self.lock, clock=self.clock)
        self.backstage = memory_backstage(self.engine, lock=self.lock, clock=self.clock)
        self.schedules = MemoryScheduleStore(self.clock)
        self.duties = MemoryDutyStore(self.clock, self.schedules)

    @property
    def spares_a_model(self) -> bool:
        """Whether a circuit lets nothing through, or no more than probes."""
        gates: Any = self.gates
        return any(one.state is not CircuitState.CLOSED for one in gates._circuits.values())
