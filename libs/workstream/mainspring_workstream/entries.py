"""One task in a worker's hand, as the stream knows it."""

from dataclasses import dataclass, field
from enum import Enum

from mainspring_schema.frames import Emit, Result


class Phase(Enum):
    RUNNING = "running"
    FINISHED = "finished"
    """Its result is buffered until it is answered."""
    LOST = "lost"
    """No longer ours; the handler is still ending and keeps its slot until then."""


@dataclass(slots=True)
class Entry:
    lease_until: float
    phase: Phase = Phase.RUNNING
    asked_at: float | None = None
    """When the oldest unanswered request for renewal left; a later answer may be to that one."""
    starting: bool = False
    counter: int = 0
    emits: dict[int, Emit] = field(default_factory=dict)
    history_after: str | None = None
    """The question for recorded steps that is not answered yet."""
    result: Result | None = None
