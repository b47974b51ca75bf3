"""What waits to be sent to the engine, cut into frames of bounded size."""

from collections import deque
from collections.abc import Callable, Iterable
from itertools import takewhile
from typing import TypeVar

from mainspring_kernel.limits import FRAME_RESULTS_MAX
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
from mainspring_workstream.room import Room

T = TypeVar("T")


class Outgoing:
    """Everything that came up since the last frame rides the next one."""

    def __init__(self) -> None:
        self.credits = 0
        """Below 0: slots in use that it does not have, for a query takes one of a full worker too.
        As many must be free before one is told of."""
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

    def begin_stream(self, credits_: int) -> None:
        """Forgets what only the old stream could carry; the rest is queued again by the core."""
        self.credits = credits_
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
            or (self.credits > 0 and not self.draining)
            or self.beat is not None
            or self.firsts
            or self.draining != self._drain_told
        )

    def take(self, beat: Beat | None) -> FromWorker:
        # In this order: with its result a task is not ours any more.
        room = Room()
        emits = _take(self.emits, room, _size_of_emit)
        frame = FromWorker(
            credits=0 if self.draining else max(0, self.credits),
            results=_take(self.results, room, _size_of_result),
            starts=tuple(self.starts),
            emits=emits,
            beat=beat,
            configs_wanted=tuple(self.configs_wanted),
            draining=self.draining,
            returned=tuple(self.returned),
            histories_wanted=tuple(self.histories_wanted),
            progress=self._take_progress(room),
        )
        self._drain_told = self.draining
        self.credits = min(0, self.credits)
        self.beat = None
        self.firsts.clear()
        self.starts.clear()
        self.configs_wanted.clear()
        self.returned.clear()
        self.histories_wanted.clear()
        return frame

    def _take_progress(self, room: Room) -> tuple[Progress, ...]:
        first = tuple(self.progress.items())[:FRAME_RESULTS_MAX]
        taken = tuple(takewhile(lambda one: room.takes(len(one[1].details)), first))
        return tuple(self.progress.pop(key) for key, _ in taken)


def _take(items: deque[T], room: Room, size_of: Callable[[T], int]) -> tuple[T, ...]:
    """The first ones that fit; they leave the queue."""
    taken: list[T] = []
    while items and len(taken) < FRAME_RESULTS_MAX and room.takes(size_of(items[0])):
        taken.append(items.popleft())
    return tuple(taken)


def _size_of_emit(emit: Emit) -> int:
    return emit.size


def _size_of_result(result: Result) -> int:
    return len(result.body)
