"""The subjects of the bus. Every token is made from ids or from this file, never from user text."""

from typing import Final
from uuid import UUID

_LOG: Final = "mainspring.v1.log"

WAKE_TASKS: Final = "mainspring.v1.wake.tasks"
"""Some task became ready; the payload is a `wake.ReadyTasks`."""

WAKE_CANCEL: Final = "mainspring.v1.wake.cancel"
"""Some leased task was marked; the engine that holds its worker looks at once."""

WAKE_GATES: Final = "mainspring.v1.wake.gates"
"""A circuit or a limit was changed: engines read the board. It has no payload."""
WAKE_WORKERS: Final = "mainspring.v1.wake.workers"
"""Some worker was drained or resumed: each engine looks at the rows of its own. No payload."""


WAKE_ENDED: Final = "mainspring.v1.wake.ended"
"""Plain tasks ended; the payload is a `wake.TasksEnded`. Whoever waits for one looks at it."""

_ENDED: Final = "mainspring.v1.ended"

WORKFLOWS_ENDED: Final = f"{_ENDED}.*"
"""Ends of all users' workflows; of each the payload is a `wake.WorkflowEnded`."""

WAKE_STEPS: Final = "mainspring.v1.wake.steps"
"""A workflow got steps that it waited for while a worker is at work on its other branches."""


def session_log(org_id: UUID, session_id: UUID) -> str:
    """Where committed events and deltas of one session are copied to."""
    return f"{_LOG}.{org_id.hex}.{session_id.hex}"


def workflow_ended(workflow_id: UUID) -> str:
    """Where the end of one workflow is told."""
    return f"{_ENDED}.{workflow_id.hex}"


def query_questions(replica: UUID) -> str:
    """Where one engine is asked for queries of workflows."""
    return f"mainspring.v1.query.asked.{replica.hex}"


def query_answers(replica: UUID) -> str:
    """Where one engine gets the answers."""
    return f"mainspring.v1.query.answered.{replica.hex}"
