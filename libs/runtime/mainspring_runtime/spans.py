"""A finished span, and where such records go."""

from enum import Enum
from typing import Protocol

import msgspec

from mainspring_kernel.tracing import TraceContext
from mainspring_runtime.names import Attributes


class SpanKind(Enum):
    """As in OpenTelemetry."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class SpanStatus(Enum):
    """As in OpenTelemetry."""

    UNSET = "unset"
    OK = "ok"
    ERROR = "error"


class SpanRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One span, finished. Times are nanoseconds since the epoch."""

    name: str
    context: TraceContext
    """The trace, and this span's own id: any id, also one that was chosen before a crash."""
    parent_span_id: int | None
    """None for the root of a trace."""
    start_ns: int
    end_ns: int
    attributes: Attributes = {}
    kind: SpanKind = SpanKind.INTERNAL
    status: SpanStatus = SpanStatus.UNSET
    message: str = ""
    links: tuple[TraceContext, ...] = ()


class SpanSink(Protocol):
    """Takes finished spans. Never raises and never waits."""

    def put(self, record: SpanRecord) -> None:
        """Keeps the record for writing or sending soon."""
        ...

    def close(self) -> None:
        """Writes or sends what is kept, within a bound. Safe twice."""
        ...
