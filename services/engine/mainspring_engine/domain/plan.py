"""Collects what several decisions about one session want written, as one item of a flight.

Decisions read the plan's present (head, workflow and inbox as they will be) and add to it;
`changes` then has the preconditions about the past. So several results of one turn ride one flight,
with one row change per workflow.
"""

from uuid import UUID

import msgspec

from mainspring_engine.domain.changes import (
    Accept,
    Anchor,
    Changes,
    Charge,
    CloseTask,
    Config,
    Consume,
    DeadLetter,
    EmitCounter,
    EndWait,
    Hold,
    MarkTask,
    NewEvent,
    NewSignal,
    NewTask,
    NewWait,
    Place,
    RecordStep,
    Spending,
    Start,
    StepResult,
    TakeSignal,
    Timer,
    WorkflowChange,
)
from mainspring_engine.domain.limits import EVENT_PAYLOAD_BYTES_MAX, WORKFLOW_STATE_BYTES_MAX
from mainspring_engine.domain.loss import POISON, why_set_aside
from mainspring_engine.domain.rows import (
    Closing,
    Head,
    InboxRow,
    OpenTask,
    Outcome,
    TaskState,
    View,
    Waiting,
    Workflow,
)
from mainspring_kernel.errors import NotFound, PayloadTooLarge
from mainspring_schema.chain import GENESIS, link
from mainspring_schema.events import Context, StoredEvent, draft
from mainspring_schema.grants import SessionStatus
from mainspring_schema.workflows import Flaw


class Plan:
    """Mutable on purpose: it lives for one decision round and never leaves the engine.

    `now_ms` is the engine's estimate of the database clock; times never step behind the head's.
    Raises NotFound for a session without a head, with a closed one, or of another organization.
    """

    close_anchors: bool = False
    start: Start | None = None
    waiting: Waiting | None = None
    budgeted: bool = False
    """Whether the organization has budgets, so that what ends must give back what it held."""

    def __init__(self, view: View, *, org_id: UUID, now_ms: int) -> None:
        head = view.head
        if head is None or head.closed or head.org_id != org_id:
            raise NotFound
        self._before = head
        self.head: Head = head
        self.now_ms: int = max(now_ms, head.ts_ms)
        self.workflow: Workflow | None = view.workflow
        self.inbox: list[InboxRow] = list(view.inbox)
        self.events: list[NewEvent] = []
        self.anchors: list[Anchor] = []
        self.closes: list[CloseTask] = []
        self.marks: list[MarkTask] = []
        self.results: list[StepResult] = []
        self.tasks: list[NewTask] = []
        self.accepts: list[Accept] = []
        self.consumes: list[Consume] = []
        self._places: dict[UUID, Place] = {}
        self.timers: list[Timer] = []
        self.dropped_timers: list[UUID] = []
        self.dead_letters: list[DeadLetter] = []
        self.emits: list[EmitCounter] = []
        self.configs: list[Config] = []
        self.steps: list[RecordStep] = []
        self.waits: list[NewWait] = []
        self.ended_waits: list[EndWait] = []
        self.signals: list[NewSignal] = []
        self.taken_signals: list[TakeSignal] = []
        self.holds: list[Hold] = []
        self.charges: list[Charge] = []
        self._workflows: dict[UUID, WorkflowChange] = {}

    @classmethod
    def opening(cls, session_id: UUID, *, org_id: UUID, now_ms: int) -> "Plan":
        """For a session that does not exist yet: its head opens with what is planned."""
        head = Head(
            session_id=session_id,
            org_id=org_id,
            last_seq=0,
            hash=GENESIS,
            ts_ms=0,
            status=SessionStatus.STARTED,
        )
        return cls(View(head=head, workflow=None), org_id=org_id, now_ms=now_ms)

    @property
    def running(self) -> Workflow | None:
        """The turn that is under way, if any."""
        workflow = self.workflow
        if workflow is None or workflow.outcome is not Outcome.RUNNING:
            return None
        return workflow

    def emit(
        self,
        type_: str,
        context: Context,
        data: object,
        *,
        turn_id: UUID | None,
        tags: tuple[str, ...] = (),
    ) -> int:
        """Appends an event; returns its seq.

        Raises PayloadTooLarge above the bound of one event.
        """
        payload = draft(type_, context, data, tags=tags).payload
        if len(payload) > EVENT_PAYLOAD_BYTES_MAX:
            what = f"the event {type_}"
            raise PayloadTooLarge(what, EVENT_PAYLOAD_BYTES_MAX)
        head = self.head
        seq = head.last_seq + 1
        digest = link(
            head.hash,
            session_id=head.session_id,
            seq=seq,
            type_=type_,
            ts_ms=self.now_ms,
            payload=payload,
        )
        self.events.append(
            NewEvent(
                seq=seq,
                type=type_,
                ts_ms=self.now_ms,
                turn_id=turn_id,
                payload=payload,
                hash=digest,
            )
        )
        self.head = msgspec.structs.replace(head, last_seq=seq, hash=digest, ts_ms=self.now_ms)
        return seq

    def set_status(self, status: SessionStatus) -> None:
        self.head = msgspec.structs.replace(self.head, status=status)

    def set_active_turn(self, turn_id: UUID | None, *, first_seq: int | None = None) -> None:
        seq = self.head.turn_first_seq if first_seq is None else first_seq
        self.head = msgspec.structs.replace(self.head, active_turn=turn_id, turn_first_seq=seq)

    def set_paused(self, *, paused: bool) -> None:
        self.head = msgspec.structs.replace(self.head, paused=paused)

    def close_session(self) -> None:
        self.head = msgspec.structs.replace(self.head, closed=True)

    def put_workflow(self, workflow: Workflow) -> None:
        """Inserts (rev 0) or changes the workflow; repeated puts fold into one row change."""
        if len(workflow.state) > WORKFLOW_STATE_BYTES_MAX:
            what = "the state of a turn"
            raise PayloadTooLarge(what, WORKFLOW_STATE_BYTES_MAX)
        known = self._workflows.get(workflow.id)
        expected = workflow.rev if known is None else known.expected_rev
        self._workflows[workflow.id] = WorkflowChange(
            id=workflow.id,
            expected_rev=expected,
            ordinal=workflow.ordinal,
            outcome=workflow.outcome,
            state=workflow.state,
            config_hash=workflow.config_hash,
            traceparent=workflow.traceparent,
            started_ms=workflow.started_ms,
        )
        self.workflow = workflow

    def rest_on_running(self) -> None:
        """Has what is refused or dropped as nobody's rest on the state of what is under way.

        That may be an older one than the store has: written as it is, it is compared. Not every
        change of a workflow adds an event, by which alone an engine would notice. It closed another
        engine's go as one that nobody waits for, and dropped the timer of a turn that had looked
        again for room in a budget.
        """
        if self.running is not None:
            self.put_workflow(self.running)

    def consume(self, taken: tuple[InboxRow, ...], workflow_id: UUID) -> None:
        """Takes waiting messages as inputs of the workflow."""
        fresh = {accept.message_id: index for index, accept in enumerate(self.accepts)}
        for row in taken:
            index = fresh.get(row.message_id)
            if index is None:
                self.consumes.append(Consume(message_id=row.message_id, workflow_id=workflow_id))
            else:
                self.accepts[index] = msgspec.structs.replace(
                    self.accepts[index], consumed_by=workflow_id
                )
            self._places.pop(row.message_id, None)
        gone = {row.message_id for row in taken}
        self.inbox[:] = [row for row in self.inbox if row.message_id not in gone]

    def arrange(self, rows: list[InboxRow]) -> None:
        """Lets the waiting messages stand in this order: each gets the place of another."""
        self.inbox[:] = rows
        for row, seq in zip(rows, sorted(row.seq for row in rows), strict=True):
            self._places[row.message_id] = Place(message_id=row.message_id, seq=seq)

    def is_held(self, task: OpenTask) -> bool:
        """Whether somebody is at work on it, who was not let go by an earlier entry of the flight.

        `task` is as its row says.
        """
        return task.state is TaskState.LEASED and all(
            (close.task_id, close.fence) != (task.id, task.fence) for close in self.closes
        )

    def close_for_good(self, close: CloseTask) -> None:
        """Ends a task, also one that an earlier entry of this flight let go on after its attempt.

        An attempt is closed once: what was to come after it does not come.
        """
        for index, earlier in enumerate(self.closes):
            if (earlier.task_id, earlier.fence) == (close.task_id, close.fence):
                if earlier.delay_ms is not None:
                    self.closes[index] = msgspec.structs.replace(
                        close, result_hash=earlier.result_hash
                    )
                return
        self.closes.append(close)

    def set_aside(self, task: OpenTask, workflow_id: UUID) -> Flaw:
        """Ends what may not be given out again and leaves a dead letter; why."""
        why = why_set_aside(task)
        self.closes.append(
            CloseTask(
                task_id=task.id,
                fence=task.fence,
                expected=task.state,
                closing=Closing.QUARANTINED,
                error_code=why.code,
                counts_death=why.code == POISON,
            )
        )
        self.dead_letters.append(
            DeadLetter(
                task_id=task.id, workflow_id=workflow_id, reason=why.code, detail=why.message
            )
        )
        return why

    def ends_of(self, task_id: UUID, fence: int) -> frozenset[bytes]:
        """The result hashes by which this plan ends an attempt; none where it goes on."""
        return frozenset(
            close.result_hash
            for close in self.closes
            if (close.task_id, close.fence) == (task_id, fence)
        )

    def changes(self) -> Changes:
        return Changes(
            expected=self._before,
            after=self.head,
            events=tuple(self.events),
            anchors=tuple(self.anchors),
            close_anchors=self.close_anchors,
            workflows=tuple(self._workflows.values()),
            closes=tuple(self.closes),
            marks=tuple(self.marks),
            results=tuple(self.results),
            tasks=tuple(self.tasks),
            accepts=tuple(self.accepts),
            consumes=tuple(self.consumes),
            places=tuple(self._places.values()),
            timers=tuple(self.timers),
            dropped_timers=tuple(self.dropped_timers),
            dead_letters=tuple(self.dead_letters),
            emits=tuple(self.emits),
            configs=tuple(self.configs),
            start=self.start,
            steps=tuple(self.steps),
            waits=tuple(self.waits),
            ended_waits=tuple(self.ended_waits),
            signals=tuple(self.signals),
            taken_signals=tuple(self.taken_signals),
            spending=self._spending(),
        )

    def _spending(self) -> Spending | None:
        return self.spent if self.budgeted or self.head.paused != self._before.paused else None

    @property
    def spent(self) -> Spending:
        """What the plan means for budgets so far."""
        return Spending(
            holds=tuple(self.holds),
            ended=tuple(close.task_id for close in self.closes if close.delay_ms is None),
            charges=tuple(self.charges),
        )

    def view(self) -> View:
        """The session as it is once the changes are committed."""
        workflow = self.workflow
        if workflow is not None and workflow.id in self._workflows:
            expected = self._workflows[workflow.id].expected_rev
            workflow = msgspec.structs.replace(workflow, rev=expected + 1)
        return View(head=self.head, workflow=workflow, inbox=tuple(self.inbox))

    def stored_events(self, deltas_before: int) -> tuple[StoredEvent, ...]:
        """The appended events as readers see them. `deltas_before` came with the commit's reply."""
        return tuple(
            StoredEvent(
                seq=event.seq,
                type=event.type,
                ts_ms=event.ts_ms,
                payload=event.payload,
                deltas_before=0 if index else deltas_before,
            )
            for index, event in enumerate(self.events)
        )
