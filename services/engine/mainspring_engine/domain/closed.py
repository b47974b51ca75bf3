"""A closed task, put together from what is left of it: its payload and its attempts."""

from typing import Final
from uuid import UUID

import msgspec

from mainspring_engine.domain.rows import Closing, TaskKind
from mainspring_kernel.errors import StateUnreadable
from mainspring_schema.operations import AttemptView, TaskView, TaskWord
from mainspring_schema.tasks import PlainTask, StepTask, TaskPayload, ToolTask, WorkflowTask

_PAYLOAD: Final[msgspec.msgpack.Decoder[TaskPayload]] = msgspec.msgpack.Decoder(TaskPayload)

FINAL: Final = frozenset(
    {
        Closing.RESULT,
        Closing.FAILED,
        Closing.CANCELLED,
        Closing.QUARANTINED,
        Closing.UNKNOWN,
        Closing.SUSPENDED,
    }
)
"""Closings that end the task; after the others it was claimed again."""
_FINAL_WORDS: Final = frozenset(closing.name.lower() for closing in FINAL)

KINDS: Final[dict[TaskKind, TaskWord]] = {
    TaskKind.REASON: "reason",
    TaskKind.TOOL: "tool",
    TaskKind.WORKFLOW: "workflow",
    TaskKind.PLAIN: "task",
    TaskKind.STEP: "step",
}
KIND_OF: Final = {word: kind for kind, word in KINDS.items()}


def read(payload: bytes) -> TaskPayload:
    """What the task was made with. Raises StateUnreadable."""
    try:
        return _PAYLOAD.decode(payload)
    except msgspec.MsgspecError as error:
        what = "task"
        raise StateUnreadable(what) from error


def owner(task_id: UUID, made: TaskPayload) -> UUID:
    """The turn or workflow that the task belongs to; a plain task belongs to itself."""
    match made:
        case WorkflowTask() | StepTask():
            return made.workflow_id
        case PlainTask():
            return task_id
        case _:
            return made.turn_id


def view(
    task_id: UUID, session_id: UUID, step: str, made: TaskPayload, attempts: tuple[AttemptView, ...]
) -> TaskView:
    """`attempts` by fence."""
    plain = made if isinstance(made, PlainTask) else None
    return TaskView(
        id=task_id,
        workflow_id=owner(task_id, made),
        session_id=session_id,
        step=step,
        kind=_kind(made),
        status="closed",
        effect=_effect(made),
        queue=None if plain is None else plain.queue,
        capability=None if plain is None else step,
        build=None if plain is None else plain.build,
        priority=0 if plain is None else plain.priority,
        fence=attempts[-1].fence if attempts else 0,
        failures=sum(attempt.closing == "retried" for attempt in attempts),
        started=any(attempt.started for attempt in attempts),
        closing=_closing(attempts),
    )


def _closing(attempts: tuple[AttemptView, ...]) -> str:
    """A task that ended between two attempts was cancelled there."""
    last = attempts[-1].closing if attempts else ""
    return last if last in _FINAL_WORDS else Closing.CANCELLED.name.lower()


def _kind(made: TaskPayload) -> TaskWord:
    match made:
        case ToolTask():
            return "tool"
        case WorkflowTask():
            return "workflow"
        case PlainTask():
            return "task"
        case StepTask():
            return "step"
        case _:
            return "reason"


def _effect(made: TaskPayload) -> str:
    match made:
        case ToolTask():
            return made.effect_class
        case WorkflowTask() | PlainTask() | StepTask():
            return "idempotent"
        case _:
            return "pure"
