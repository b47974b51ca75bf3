"""Where committed deltas are copied to."""

from typing import Protocol
from uuid import UUID

from mainspring_kernel.tracing import TraceContext
from mainspring_schema.stream import LogBatch


class Publisher(Protocol):
    """Tells followers of a session what was committed. A lost batch costs latency only."""

    def publish(
        self, org_id: UUID, session_id: UUID, batch: LogBatch, *, trace: TraceContext | None
    ) -> None:
        """Never waits and never raises for the bus's sake."""
        ...
