"""Watches what the store is asked, and says where it let a stale attempt through (I2, I4).

Rows do not show it: a beat of a lost attempt keeps another one's lease alive, and nothing else.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Final
from uuid import UUID

from mainspring_engine.adapters.memory import MemoryStore
from mainspring_engine.adapters.memory.tables import TaskRow
from mainspring_engine.domain.changes import Changes
from mainspring_engine.domain.rows import Outcome, TaskState, Workflow
from mainspring_engine.domain.turn import state as turn_states
from mainspring_engine.domain.workflow import state as workflow_states
from mainspring_engine.ports.store import Committed, Handed, Release, Renewal, Renewed
from mainspring_eventstore.adapters.memory import MemoryLog
from mainspring_kernel.clock import Clock
from mainspring_schema.frames import Held, Verdict
from tests.sim.keys import Clerk

_KEPT_MAX: Final = 10


class Watching(MemoryStore):
    """The store, with an eye on each write that bears a fence. `broken` says what it saw."""

    def __init__(
        self, *, lock: AbstractContextManager[object], log: MemoryLog, clock: Clock
    ) -> None:
        super().__init__(lock=lock, log=log, clock=clock)
        self.broken: list[str] = []
        self.clerk = Clerk(self.tables)
        self.began_ms: dict[UUID, int] = {}
        """When workflows were written down first; their events are dated by engines."""
        self.ended_ms: dict[UUID, int] = {}

    async def renew(self, renewals: tuple[Renewal, ...]) -> tuple[Renewed, ...]:
        answers = await super().renew(renewals)
        for renewal, answer in zip(renewals, answers, strict=True):
            if not answer.lost and not self._holds(renewal.held):
                self._note(f"I4 a beat of {_told(renewal.held)} was heard, and it holds no more")
        return answers

    async def commit(self, flight: tuple[Changes, ...]) -> tuple[Committed, ...]:
        stale = [list(self._stale(changes)) for changes in flight]
        answers = await super().commit(flight)
        for changes, sentences, answer in zip(flight, stale, answers, strict=True):
            if answer.verdict is Verdict.COMMITTED:
                for sentence in (*sentences, *self._deaf(changes)):
                    self._note(sentence)
                self._date(changes)
        return answers

    def _date(self, changes: Changes) -> None:
        now_ms = self._clock.wall_ms()
        for change in changes.workflows:
            self.began_ms.setdefault(change.id, now_ms)
            if change.outcome is not Outcome.RUNNING:
                self.ended_ms.setdefault(change.id, now_ms)

    def _deaf(self, changes: Changes) -> Iterator[str]:
        """What goes on and waits for a timer or a task that this took away: nothing wakes it."""
        session_id = changes.expected.session_id
        gone = {close.task_id for close in changes.closes if close.delay_ms is None}
        gone |= set(changes.dropped_timers)
        for row in self.tables.workflows.values() if gone else ():
            if row.session_id == session_id and row.outcome is Outcome.RUNNING:
                for id_ in gone & self._awaited(row):
                    yield f"I14 {row.id.hex} goes on, and what it waits for was taken: {id_.hex}"

    def _awaited(self, row: Workflow) -> set[UUID | None]:
        """Tasks and timers by whose end it goes on."""
        if row.is_turn:
            turn = turn_states.decode(row)
            return {*dict(turn.open_tasks()), turn.timer_id}
        state = workflow_states.decode(row)
        waits = self.tables.waits.get(row.id, {}).values()
        return {*state.tasks(), state.timer_id, *(wait.timer_id for wait in waits)}

    async def start(self, starts: tuple[Renewal, ...]) -> tuple[Verdict, ...]:
        answers = await super().start(starts)
        for start, answer in zip(starts, answers, strict=True):
            if answer is Verdict.COMMITTED and not self._holds(start.held):
                self._note(f"I4 {_told(start.held)} was let start, and it holds no more")
        return answers

    async def acknowledge(self, handed: tuple[Handed, ...]) -> None:
        others = [one for one in handed if not self._holds(one.held)]
        for sentence in self.clerk.looks():
            self._note(sentence)
        before = [self._acknowledged(one.held) for one in others]
        await super().acknowledge(handed)
        for one, was in zip(others, before, strict=True):
            if self._acknowledged(one.held) != was:
                self._note(f"I4 {_told(one.held)} was handed over, and another was acknowledged")

    def _acknowledged(self, held: Held) -> bool:
        task = self.tables.tasks.get(held.task_id)
        return task is not None and task.acknowledged

    def _stale(self, changes: Changes) -> Iterator[str]:
        closes = (close for close in changes.closes if close.expected is TaskState.LEASED)
        ends = Counter(Held(close.task_id, close.fence) for close in closes)
        for held, count in ends.items():
            if count > 1:
                yield f"I2 {_told(held)} is ended {count} times at once"
            if not self._holds(held):
                yield f"I4 {_told(held)} is ended, and it holds no more"
        for mark in changes.marks:
            if not self._holds(Held(mark.task_id, mark.fence)):
                yield f"I4 a mark of {mark.task_id.hex} was set for fence {mark.fence}, long lost"
        for emit in changes.emits:
            if not self._holds(Held(emit.task_id, emit.fence)):
                yield f"I4 an emit of {emit.task_id.hex} at fence {emit.fence}, long lost"

    async def release(self, releases: tuple[Release, ...]) -> tuple[Verdict, ...]:
        before = [self._early(release) for release in releases]
        answers = await super().release(releases)
        for early, answer in zip(before, answers, strict=True):
            if early and answer is Verdict.COMMITTED:
                self._note(early)
        return answers

    def _early(self, release: Release) -> str:
        """Why this release may not be granted now; none: it may."""
        task = self.tables.tasks.get(release.held.task_id)
        if task is None or task.held != release.held:
            return f"I2 a release of {_told(release.held)} let another attempt go"
        if release.expired_only and task.lease_until_ms >= self._clock.wall_ms():
            return f"I2 {_told(release.held)} was let go within its lease"
        if release.attach_number not in (None, task.attach_number):
            return f"I2 {_told(release.held)} was let go, and its worker had come back"
        return ""

    def _holds(self, held: Held) -> bool:
        task: TaskRow | None = self.tables.tasks.get(held.task_id)
        return task is not None and task.state is TaskState.LEASED and task.held == held

    def _note(self, sentence: str) -> None:
        if len(self.broken) < _KEPT_MAX:
            self.broken.append(sentence)


def _told(held: Held) -> str:
    return f"task {held.task_id.hex} at fence {held.fence}"
