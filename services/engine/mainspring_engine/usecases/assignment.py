"""Optimistic dispatch.

New tasks are inserted already claimed for a worker with a free credit, and pushed after the commit.
Tasks that no worker here can take are inserted as ready, and engines with credits are woken.
"""

from typing import Final
from uuid import UUID

import msgspec

from mainspring_engine.domain.backlog import Group
from mainspring_engine.domain.changes import Changes, NewTask
from mainspring_engine.domain.refusals import NOBODY
from mainspring_engine.domain.rows import Closing, Outcome, TaskKind
from mainspring_engine.domain.tallies import Tallies
from mainspring_engine.domain.workflow import state as states
from mainspring_engine.ports.outside import Announcer, Witness
from mainspring_engine.ports.store import Committed
from mainspring_engine.usecases.alarms import Alarms
from mainspring_engine.usecases.attachments import Attachments
from mainspring_engine.usecases.couriers import Couriers
from mainspring_engine.usecases.pushing import Pusher
from mainspring_engine.usecases.seating import Seating
from mainspring_engine.usecases.sessions import Sessions
from mainspring_schema.declarations import version_of
from mainspring_schema.events import StoredEvent
from mainspring_schema.frames import Held
from mainspring_schema.stream import LogBatch
from mainspring_schema.wake import WorkflowEnded
from mainspring_schema.workflows import read_record

_ENDS: Final = frozenset({"workflow.completed", "workflow.failed", "workflow.cancelled"})


class Assignment:
    """Before and after a commit: who gets the tasks, and who is told what."""

    def __init__(  # noqa: PLR0913 - one named port each
        self,
        *,
        seating: Seating,
        attachments: Attachments,
        pusher: Pusher,
        sessions: Sessions,
        announcer: Announcer,
        witness: Witness,
        alarms: Alarms,
        couriers: Couriers,
        epoch: int,
        tallies: Tallies | None = None,
    ) -> None:
        self._tallies = tallies or Tallies()
        self._alarms = alarms
        self._couriers = couriers
        self._seating = seating
        self._attachments = attachments
        self._pusher = pusher
        self._sessions = sessions
        self._announcer = announcer
        self._witness = witness
        self._epoch = epoch

    def assign(self, changes: Changes) -> Changes:
        """The same changes with the tasks claimed for whoever has credits."""
        if not changes.tasks:
            return changes
        remembered = self._sessions.get(changes.after.session_id)
        prefer = None if remembered is None else remembered.worker
        return msgspec.structs.replace(
            changes, tasks=tuple(self._assign(task, prefer) for task in changes.tasks)
        )

    def _assign(self, task: NewTask, prefer: UUID | None) -> NewTask:
        # A model call goes back to the worker that knows the conversation, a go to the one that may
        # have the workflow's code where it waits; tools spread out.
        is_go = task.kind is TaskKind.WORKFLOW
        known = prefer if is_go or task.kind is TaskKind.REASON else None
        unfit = self._seating.refused(task.workflow_id) if is_go else NOBODY
        claim = self._seating.take(task.route, task.id, prefer=known, but=unfit)
        return task if claim is None else msgspec.structs.replace(task, claim=claim)

    def undo(self, changes: Changes, *, unheard: bool = False) -> None:
        """The commit did not come, or nobody knows: the credits are free again."""
        for task in changes.tasks:
            if task.claim is not None:
                self._seating.give_back(task.route, task.id, task.claim, unheard=unheard)

    def committed(
        self, changes: Changes, reply: Committed, events: tuple[StoredEvent, ...]
    ) -> None:
        missed = self._missed(changes, reply)
        self._pusher.push_new(changes, without=missed)
        ready = [task for task in changes.tasks if task.claim is None or task.id in missed]
        org_id = changes.after.org_id
        self._seating.ready((Group(task.route, org_id, task.priority), task.id) for task in ready)
        self._tell_holders(changes, reply)
        for close in changes.closes:
            if close.closing is Closing.RETRIED:
                self._tallies.retries.add((close.error_class or close.error_code,))
        self._tell_news(changes)
        self._alarms.committed(changes)
        self._couriers.committed(changes)
        head = changes.after
        if events or head.closed:
            batch = LogBatch(self._epoch, events, (), closed=head.closed)
            self._announcer.committed(head.org_id, head.session_id, batch)
        self._tell_ends(changes, events)
        self._witness.committed(changes, reply.closes, reply.now_ms)

    def _tell_ends(self, changes: Changes, events: tuple[StoredEvent, ...]) -> None:
        """Of users' workflows, each of which is its own session."""
        for change in changes.workflows:
            if change.outcome is Outcome.RUNNING or change.id != changes.after.session_id:
                continue
            self._seating.ended(change.id)
            course = states.decode_state(change.state).course
            version = "" if course is None else version_of(course.declaration)
            for event in events:
                if event.type in _ENDS:
                    self._announcer.workflow_ended(change.id, WorkflowEnded(event, version))

    def _missed(self, changes: Changes, reply: Committed) -> frozenset[UUID]:
        """Tasks whose worker attached anew meanwhile: they are ready, and the credits are free."""
        missed = frozenset(reply.unclaimed)
        for task in changes.tasks:
            if task.id in missed and task.claim is not None:
                self._seating.give_back(task.route, task.id, task.claim)
        return missed

    def _tell_holders(self, changes: Changes, reply: Committed) -> None:
        """Holders whose task was marked or ended by somebody else.

        Far ones are woken by the bus.
        """
        marked = tuple(Held(mark.task_id, mark.fence) for mark in changes.marks)
        for held in marked:
            self._attachments.cancelled(held)
        if marked:
            self._announcer.cancel_marked(marked)
        for close in reply.closes:
            self._attachments.ended(close.held)

    def _tell_news(self, changes: Changes) -> None:
        """What a workflow waited for came while a worker is at work on its other branches."""
        found = tuple(step for step in changes.steps if step.fence == 0)
        if not found or changes.start is not None or changes.tasks:
            return
        for change in changes.workflows:
            task_id = states.decode_state(change.state).task_id
            if task_id is None:
                continue
            steps = tuple(read_record(step.body) for step in found)
            if not self._attachments.news(change.id, task_id, steps):
                self._announcer.recorded(change.id, task_id)
