"""A closed task, put together from what is left of it: its payload and its attempts."""

from typing import Final
from uuid import UUID

import msgspec

from mainspring_engine.domain.rows import Closing
from mainspring_schema.operations import AttemptView, TaskView
from mainspring_schema.tasks import TaskPayload, ToolTask

_PAYLOAD: Final[msgspec.msgpack.Decoder[TaskPayload]] = msgspec.msgpack.Decoder(TaskPayload)

FINAL: Final = frozenset(
    {Closing.RESULT, Closing.FAILED, Closing.CANCELLED, Closing.QUARANTINED, Closing.UNKNOWN}
)
"""Closings that end the task; after the others it was claimed again."""


def read(payload: bytes) -> TaskPayload:
    """What the task was made with."""
    return _PAYLOAD.decode(payload)


def view(
    task_id: UUID, session_id: UUID, step: str, made: TaskPayload, attempts: tuple[AttemptView, ...]
) -> TaskView:
    """`attempts` by fence."""
    is_tool = isinstance(made, ToolTask)
    return TaskView(
        id=task_id,
        workflow_id=made.turn_id,
        session_id=session_id,
        step=step,
        kind="tool" if is_tool else "reason",
        status="closed",
        effect=made.effect_class if isinstance(made, ToolTask) else "pure",
        fence=attempts[-1].fence if attempts else 0,
        failures=sum(attempt.closing == "retried" for attempt in attempts),
        started=any(attempt.started for attempt in attempts),
    )
