"""What can happen to a session. Each goes through the session's commit lane."""

from uuid import UUID

from msgspec import Struct

from mainspring_engine.domain.rows import OpenTask
from mainspring_kernel.errors import ValidationFailed
from mainspring_schema import commands, workflows
from mainspring_schema.appeals import AnswerAppeals
from mainspring_schema.budgets import ResumeSession
from mainspring_schema.delivery import DeliveryOrder
from mainspring_schema.frames import Emit, Held
from mainspring_schema.messages import Controls, text_of
from mainspring_schema.tasks import TaskResult


class Submitted(Struct, frozen=True, kw_only=True):
    command: commands.Submit


class Cancelled(Struct, frozen=True, kw_only=True):
    command: commands.Cancel


class ClientAnswered(Struct, frozen=True, kw_only=True):
    command: commands.SubmitToolResults


class AppealsAnswered(Struct, frozen=True, kw_only=True):
    command: AnswerAppeals


class SessionResumed(Struct, frozen=True, kw_only=True):
    command: ResumeSession


class DeliveryOrdered(Struct, frozen=True, kw_only=True):
    """Somebody changes messages that wait."""

    command: DeliveryOrder


class SessionClosed(Struct, frozen=True, kw_only=True):
    command: commands.Close


class Answered(Struct, frozen=True, kw_only=True):
    """A worker brought the result of a task. `failures` counts the failed attempts before it.

    `elsewhere`: its code does not fit, and another worker's may, which can take the task at once.
    """

    session_id: UUID
    org_id: UUID
    held: Held
    hash: bytes
    body: bytes
    result: TaskResult
    failures: int = 0
    elsewhere: bool = False


class Emitted(Struct, frozen=True, kw_only=True):
    session_id: UUID
    org_id: UUID
    emit: Emit


class Died(Struct, frozen=True, kw_only=True):
    """A task that must not simply begin again lost its worker."""

    session_id: UUID
    org_id: UUID
    workflow_id: UUID
    task: OpenTask
    acknowledged: bool = True
    """Whether the attempt is known to have come to a worker: otherwise its loss is no death."""


class TimerDue(Struct, frozen=True, kw_only=True):
    session_id: UUID
    org_id: UUID
    workflow_id: UUID
    timer_id: UUID
    kind: str


class SignalCame(Struct, frozen=True, kw_only=True):
    """Another session's signal lies here, or lay: the row under `kind` of `source` says which."""

    session_id: UUID
    org_id: UUID
    source: UUID
    kind: str


class WorkflowStarted(Struct, frozen=True, kw_only=True):
    command: workflows.StartWorkflow


class WorkflowSignalled(Struct, frozen=True, kw_only=True):
    command: workflows.SignalWorkflow


class WorkflowCancelled(Struct, frozen=True, kw_only=True):
    command: workflows.CancelWorkflow


class Requeued(Struct, frozen=True, kw_only=True):
    """An operator wants a dead letter taken up by a new turn with the id `workflow_id`.

    `input_message_id`, `config_hash` and `controls` are those of the turn that died of it.
    """

    session_id: UUID
    org_id: UUID
    task_id: UUID
    workflow_id: UUID
    dead_workflow_id: UUID
    input_message_id: UUID
    config_hash: bytes
    controls: Controls | None


TurnCommand = (
    Submitted
    | Cancelled
    | ClientAnswered
    | AppealsAnswered
    | SessionResumed
    | DeliveryOrdered
    | SessionClosed
)
WorkflowCommand = WorkflowStarted | WorkflowSignalled | WorkflowCancelled
Command = TurnCommand | WorkflowCommand
Incident = Answered | Emitted | Died | TimerDue | Requeued
Intent = Command | Incident | SignalCame


def session_of(intent: Intent) -> UUID:
    if isinstance(intent, TurnCommand):
        return intent.command.session_id
    if isinstance(intent, WorkflowCommand):
        # A workflow of its own is its own session.
        return intent.command.workflow_id
    return intent.session_id


def org_of(intent: Intent) -> UUID:
    if isinstance(intent, Command):
        return intent.command.org_id
    return intent.org_id


def weight_of(intent: Intent) -> int:
    """About how many bytes it will write: what strangers sent, without its envelopes."""
    match intent:
        case Answered():
            return len(intent.body)
        case Submitted(command=command):
            return len(text_of(command.message.content)) + len(command.config or b"")
        case WorkflowStarted(command=command):
            return len(command.input)
        case WorkflowSignalled(command=command):
            return len(command.payload)
        case Emitted(emit=emit):
            return emit.size
        case _:
            return 0


def unfit(intent: Answered) -> ValidationFailed:
    """The task has a result of another kind: taken for its end it would leave its turn waiting."""
    detail = f"{type(intent.result).__name__} is no result of the task {intent.held.task_id.hex}"
    return ValidationFailed(detail)
