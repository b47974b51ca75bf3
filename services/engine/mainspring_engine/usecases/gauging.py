"""Reads the metrics that no engine knows by itself from the tables, at a slow pace."""

import logging

from mainspring_engine.domain.limits import METRICS_LOOK_S
from mainspring_engine.domain.samples import Vitals
from mainspring_engine.ports.inspection import Inspection
from mainspring_engine.usecases.inspecting import Inspector
from mainspring_kernel.clock import Clock
from mainspring_kernel.passes import one_pass
from mainspring_schema.operations import GetHealth, Health

_log = logging.getLogger(__name__)


class Gauging:
    """A look costs five statements, of which one counts the open tasks, up to its bound.

    What was seen is kept until the next look, and forgotten where that fails: a depth of an hour
    ago is worse than none.
    """

    def __init__(self, inspector: Inspector, inspection: Inspection, clock: Clock) -> None:
        self._inspector = inspector
        self._inspection = inspection
        self._clock = clock
        self.health: Health | None = None
        self.vitals: Vitals | None = None

    async def work(self) -> None:
        """Until cancelled."""
        while True:
            seen = False
            with one_pass(_log, "a measurement"):
                await self.look()
                seen = True
            if not seen:
                self.health = self.vitals = None
            await self._clock.sleep(METRICS_LOOK_S)

    async def look(self) -> None:
        """Raises Unavailable."""
        self.health = await self._inspector.health(GetHealth(age_ms_max=0))
        self.vitals = await self._inspection.vitals()
