"""What waits to be sent to the engine, cut into frames of bounded size."""

from collections import deque
from collections.abc import Iterable

from mainspring_kernel.limits import FRAME_BYTES_TARGET, FRAME_RESULTS_MAX
from mainspring_schema.frames import (
    Beat,
    Emit,
    FromWorker,
    Held,
    HistoryWanted,
    Progress,
    Result,
)
from mainspring_workstream.entries import Entry, Phase


class Outgoing:
    """Everything that came up since the last frame rides the next one."""

    def __init__(self) -> None:
        self.credits = 0
        self.results: deque[Result] = deque()
        self.starts: list[Held] = []
        self.emits: deque[Emit] = deque()
        self.progress: dict[tuple[Held, str], Progress] = {}
        """Of each step the newest report alone: what was not sent yet is overtaken."""
        self.configs_wanted: list[bytes] = []
        self.returned: list[Held] = []
        self.histories_wanted: list[HistoryWanted] = []
        self.beat: int | None = None
        """The loop lag that the next beat reports; None where none is due."""
        self.firsts: list[Held] = []
        """Tasks to be named by a beat of their own; a beat that is due names them as well."""
        self.draining = False
        self._drain_told = False

    def begin_stream(self) -> None:
        """Forgets what only the old stream could carry; the rest is queued again by the core."""
        self.credits = 0
        self.beat = None
        self.firsts.clear()
        # Not listed in the attach, which gives them back by that alone.
        self.returned.clear()
        self._drain_told = self.draining

    def send_again(self, entries: Iterable[tuple[Held, Entry]]) -> None:
        """Queues everything unanswered, in the order in which tasks were taken."""
        owed = [(held, entry) for held, entry in entries if entry.phase is not Phase.LOST]
        running = [(held, entry) for held, entry in owed if entry.phase is Phase.RUNNING]
        self.results = deque(e.result for _, e in owed if e.result is not None)
        self.starts = [held for held, entry in running if entry.starting]
        self.emits = deque(emit for _, e in owed for emit in e.emits.values())
        self.progress = {(h, step): one for h, e in owed for step, one in e.progress.items()}
        self.histories_wanted = [entry.asked for _, entry in running if entry.asked is not None]

    @property
    def waiting(self) -> bool:
        return bool(
            self.results
            or self.starts
            or self.emits
            or self.progress
            or self.configs_wanted
            or self.returned
            or self.histories_wanted
            or (self.credits and not self.draining)
            or self.beat is not None
            or self.firsts
            or self.draining != self._drain_told
        )

    def take(self, beat: Beat | None) -> FromWorker:
        # In this order: with its result a task is not ours any more.
        emits, room = self._take_emits()
        results, room = self._take_results(room, alone=not emits)
        frame = FromWorker(
            credits=0 if self.draining else self.credits,
            results=results,
            starts=tuple(self.starts),
            emits=emits,
            beat=beat,
            configs_wanted=tuple(self.configs_wanted),
            draining=self.draining,
            returned=tuple(self.returned),
            histories_wanted=tuple(self.histories_wanted),
            progress=self._take_progress(room, alone=not (emits or results)),
        )
        self._drain_told = self.draining
        self.credits = 0
        self.beat = None
        self.firsts.clear()
        self.starts.clear()
        self.configs_wanted.clear()
        self.returned.clear()
        self.histories_wanted.clear()
        return frame

    def _take_emits(self) -> tuple[tuple[Emit, ...], int]:
        """As many as fit, one at least; and the room that they leave."""
        taken: list[Emit] = []
        room = FRAME_BYTES_TARGET
        while self.emits and len(taken) < FRAME_RESULTS_MAX:
            size = sum(len(step.result) for step in self.emits[0].steps)
            size += sum(len(wait.child.input) for wait in self.emits[0].waits if wait.child)
            if taken and size > room:
                break
            taken.append(self.emits.popleft())
            room -= size
        return tuple(taken), room

    def _take_results(self, room: int, *, alone: bool) -> tuple[tuple[Result, ...], int]:
        """The same; none where others fill the frame, for one result may fill it whole."""
        taken: list[Result] = []
        while self.results and len(taken) < FRAME_RESULTS_MAX:
            size = len(self.results[0].body)
            if size > room and (taken or not alone):
                break
            taken.append(self.results.popleft())
            room -= size
        return tuple(taken), room

    def _take_progress(self, room: int, *, alone: bool) -> tuple[Progress, ...]:
        taken: list[Progress] = []
        for key, progress in tuple(self.progress.items())[:FRAME_RESULTS_MAX]:
            room -= len(progress.details)
            if room < 0 and (taken or not alone):
                break
            taken.append(self.progress.pop(key))
        return tuple(taken)
