"""The settings of an engine, read at its start."""

from typing import Annotated

from msgspec import Meta

from mainspring_engine.domain.workflow.retention import Keep
from mainspring_runtime.settings import Bind, ProcessSettings


class EngineSettings(ProcessSettings, frozen=True, kw_only=True):
    """Of `keep_…` 0 is everything, for ever."""

    database_url: str
    nats_url: str
    engine_bind: Bind = Bind("127.0.0.1", 9001)
    keep_generations: Annotated[int, Meta(ge=0)] = 0
    """Newest generations of a workflow whose records are kept."""
    keep_ended_days: Annotated[float, Meta(ge=0)] = 0.0
    """How long the records of a workflow that ended are kept."""

    @property
    def keep(self) -> Keep:
        return Keep(self.keep_generations, self.keep_ended_days)
