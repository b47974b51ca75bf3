"""One task in a worker's hand, as the stream knows it."""

from dataclasses import dataclass, field
from enum import Enum

from mainspring_schema.frames import Emit, Held, HistoryWanted, Progress, Result


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
    asked: HistoryWanted | None = None
    """The question for recorded steps that is not answered yet."""
    reports: int = 0
    """How many reports of progress its handlers made."""
    progress: dict[str, Progress] = field(default_factory=dict)
    """Of each step the newest report, as long as it is not answered."""
    result: Result | None = None

    def report(self, held: Held, step: str, details: bytes) -> Progress:
        """Overtakes what the step said before."""
        self.reports += 1
        report = Progress(held=held, counter=self.reports, step=step, details=details)
        self.progress[step] = report
        return report

    def reported(self, counter: int) -> str | None:
        """The step whose newest report this answers; None for one that was overtaken."""
        for step, report in self.progress.items():
            if report.counter == counter:
                del self.progress[step]
                return step
        return None
