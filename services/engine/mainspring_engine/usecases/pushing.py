"""Hands claimed tasks to the workers they were claimed for."""

from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

from mainspring_engine.domain.changes import Changes, Claim, NewTask
from mainspring_engine.domain.limits import AGE_TOLD_S
from mainspring_engine.domain.plain import NewPlain, trace_of
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import TaskKind
from mainspring_engine.domain.tallies import Tallies
from mainspring_engine.domain.workflow.going import is_go
from mainspring_engine.ports.store import Claimed
from mainspring_engine.usecases.agents import Agents
from mainspring_engine.usecases.attachments import Attachment, Attachments, HeldTask
from mainspring_engine.usecases.sessions import Sessions
from mainspring_kernel.clock import Clock
from mainspring_kernel.ids import uuid7_ms
from mainspring_kernel.tracing import TraceContext, span_id_for
from mainspring_schema.frames import Config, Held, StepProgress, Task
from mainspring_schema.workflows import StepRecord, read_record


class Origin(NamedTuple):
    """What a task has of its workflow, of its claim, and of the attempts before this one."""

    config_hash: bytes
    traceparent: str
    claimed_s: float
    """Before its lease began, by the monotonic clock."""
    started: bool = False
    progress: tuple[StepProgress, ...] = ()


class Pusher:
    """A task whose stream is gone is not pushed: `undelivered` is told, which releases it.

    Each goes with its age since before its claim: an engine may have stood still meanwhile, and its
    worker would begin what is another one's by now.
    """

    def __init__(
        self,
        attachments: Attachments,
        agents: Agents,
        sessions: Sessions,
        undelivered: Callable[[Held], None],
        clock: Clock,
        tallies: Tallies | None = None,
    ) -> None:
        self._attachments = attachments
        self._agents = agents
        self._sessions = sessions
        self._undelivered = undelivered
        self._clock = clock
        self._tallies = tallies or Tallies()

    def push_new(self, changes: Changes, *, without: frozenset[UUID]) -> None:
        """The tasks of a commit that were inserted claimed."""
        workflows = {change.id: change for change in changes.workflows}
        for task in changes.tasks:
            if task.claim is None or task.id in without:
                continue
            attachment = self._open_to(task.claim.incarnation)
            if attachment is None or attachment.attach_number != task.claim.attach_number:
                self._undelivered(Held(task.id, 1))
                continue
            workflow = workflows[task.workflow_id]
            self._note_wait(task.route, task.id)
            self._push(
                attachment,
                _held_task(task, changes, self._clock.mono()),
                payload=task.payload,
                origin=Origin(workflow.config_hash, workflow.traceparent, task.claim.taken_s),
                reads_log=task.kind is TaskKind.REASON,
                recorded=_recorded(changes) if task.kind is TaskKind.WORKFLOW else None,
            )

    def push_claimed(self, claimed: Claimed, asked_s: float) -> None:
        """A task that was claimed by what was asked then (monotonic)."""
        attachment = self._open_to(claimed.incarnation)
        if attachment is None:
            self._undelivered(claimed.held)
            return
        if claimed.held.fence == 1:
            self._note_wait(claimed.route, claimed.held.task_id)
        is_plain = claimed.workflow_id == claimed.held.task_id
        own_trace = trace_of(claimed.payload) if is_plain else ""
        task = HeldTask(
            held=claimed.held,
            session_id=claimed.session_id,
            workflow_id=claimed.workflow_id,
            org_id=claimed.org_id,
            route=claimed.route,
            since_s=self._clock.mono(),
            failures=claimed.failures,
            traceparent=own_trace,
        )
        self._push(
            attachment,
            task,
            payload=claimed.payload,
            origin=Origin(
                claimed.config_hash,
                own_trace or claimed.traceparent,
                asked_s,
                claimed.started,
                claimed.progress,
            ),
            # Only a model call names a model, and only it reads the conversation.
            reads_log=bool(claimed.route.model),
        )

    def push_plain(self, task: NewPlain, claim: Claim) -> None:
        """A plain task that was inserted claimed."""
        held = Held(task.id, 1)
        attachment = self._open_to(claim.incarnation)
        if attachment is None or attachment.attach_number != claim.attach_number:
            self._undelivered(held)
            return
        self._note_wait(task.route, task.id)
        of_its_own = HeldTask(
            held=held,
            session_id=task.id,
            workflow_id=task.id,
            org_id=task.org_id,
            route=task.route,
            since_s=self._clock.mono(),
            traceparent=task.traceparent,
        )
        origin = Origin(b"", task.traceparent, claim.taken_s)
        self._push(attachment, of_its_own, payload=task.payload, origin=origin, reads_log=False)

    def _open_to(self, incarnation: UUID) -> Attachment | None:
        """None also where it drains: it was told that nothing more comes."""
        attachment = self._attachments.get(incarnation)
        return None if attachment is None or attachment.leaving else attachment

    def _note_wait(self, route: Route, task_id: UUID) -> None:
        """Of a first attempt: an id tells when its task was made, to the millisecond."""
        waited_ms = self._clock.wall_ms() - uuid7_ms(task_id)
        self._tallies.waits.note((route.queue,), waited_ms / 1000)

    def _push(
        self,
        attachment: Attachment,
        task: HeldTask,
        *,
        payload: bytes,
        origin: Origin,
        reads_log: bool,
        recorded: tuple[StepRecord, ...] | None = None,
    ) -> None:
        self._attachments.hold(attachment, task)
        remembered = self._sessions.get(task.session_id) if reads_log else None
        age_s = task.since_s - origin.claimed_s
        if task.route is not None and is_go(task.route):
            self._sessions.note_worker(task.session_id, attachment.incarnation)
        attachment.outbox.task(
            Task(
                held=task.held,
                session_id=task.session_id,
                org_id=task.org_id,
                traceparent=_attempt_trace(origin.traceparent, task.held),
                payload=payload,
                config=self._config_for(attachment, origin.config_hash),
                tail=() if remembered is None else remembered.tail_for(attachment.incarnation),
                recorded=recorded,
                started=origin.started,
                failures=task.failures,
                progress=origin.progress,
                age_ms=0 if age_s < AGE_TOLD_S else round(age_s * 1000),
            )
        )

    def _config_for(self, attachment: Attachment, config_hash: bytes) -> Config | None:
        if not config_hash or attachment.has_config(config_hash):
            return None
        body = self._agents.body(config_hash)
        if body is None:
            return None
        attachment.sent_config(config_hash)
        return Config(hash=config_hash, body=body)


def _recorded(changes: Changes) -> tuple[StepRecord, ...] | None:
    """All that is recorded of a workflow that starts here; of others the worker asks."""
    if changes.start is None or changes.start.copied is not None:
        return None
    return tuple(read_record(step.body) for step in changes.steps)


def _held_task(task: NewTask, changes: Changes, now_s: float) -> HeldTask:
    return HeldTask(
        held=Held(task.id, 1),
        session_id=changes.after.session_id,
        workflow_id=task.workflow_id,
        org_id=changes.after.org_id,
        route=task.route,
        since_s=now_s,
    )


def _attempt_trace(traceparent: str, held: Held) -> str:
    """The attempt's own span, which the control plane records when the attempt closes."""
    trace = TraceContext.parse(traceparent)
    if trace is None:
        return ""
    return trace.under(span_id_for(held.task_id, held.fence)).format()
