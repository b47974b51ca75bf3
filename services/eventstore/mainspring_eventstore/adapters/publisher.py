"""Committed deltas on the bus."""

from uuid import UUID

from mainspring_kernel.tracing import TraceContext
from mainspring_messaging import Bus
from mainspring_schema.codec import pack
from mainspring_schema.stream import LogBatch
from mainspring_schema.subjects import session_log


class BusPublisher:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def publish(
        self, org_id: UUID, session_id: UUID, batch: LogBatch, *, trace: TraceContext | None
    ) -> None:
        self._bus.publish(session_log(org_id, session_id), pack(batch), trace=trace)
