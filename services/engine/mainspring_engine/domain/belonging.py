"""What a task or an outcome belongs to, as log lines name it."""

from uuid import UUID

from mainspring_kernel.ids import Prefix, to_wire
from mainspring_schema.frames import Held


def belonging(session_id: UUID, workflow_id: UUID) -> dict[str, str]:
    """A workflow without a session bears one id for both; any other is a turn of its session."""
    if session_id == workflow_id:
        return {"workflow": to_wire(Prefix.WORKFLOW, workflow_id)}
    return {
        "session": to_wire(Prefix.SESSION, session_id),
        "turn": to_wire(Prefix.TURN, workflow_id),
    }


def of_attempt(held: Held) -> dict[str, object]:
    """Which attempt of which task."""
    return {"task": to_wire(Prefix.TASK, held.task_id), "fence": held.fence}
