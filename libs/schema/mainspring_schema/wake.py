"""Wake-ups, which say "look now", and what engines ask each other. One that is lost loses time."""

from uuid import UUID

from msgspec import Struct

from mainspring_schema.events import StoredEvent
from mainspring_schema.frames import Held
from mainspring_schema.workflows import QueryWorkflow


class ReadyTasks(Struct, frozen=True, array_like=True):
    """Tasks of these routes became ready. A route is (queue, capability, build, gates).

    A group is (number of its route, organization, priority, lowest id). Without groups nobody knows
    where: look everywhere.
    """

    routes: tuple[tuple[str, str, str, str], ...] = ()
    groups: tuple[tuple[int, UUID, int, UUID], ...] = ()


class CancelMarked(Struct, frozen=True, array_like=True):
    """These leased attempts were marked for cancellation: whoever holds their worker tells it."""

    held: tuple[Held, ...]


class StepsRecorded(Struct, frozen=True, array_like=True):
    """The engine recorded steps of a workflow: whoever holds this task's worker tells it to ask."""

    workflow_id: UUID
    task_id: UUID


class TasksEnded(Struct, frozen=True, array_like=True):
    """Plain tasks that ended with one commit: their ids, 16 bytes each.

    Thousands may end in a second and few are waited for, so nothing is decoded for the others.
    """

    ids: bytes


class WorkflowEnded(Struct, frozen=True, array_like=True):
    """A copy of the event of its end, and the version of what a declared one ran on.

    Its subject says whose it is, so that nobody reads those that nobody waits for.
    """

    event: StoredEvent
    version: str = ""


class QueryAsked(Struct, frozen=True, array_like=True):
    """A query of a workflow, for the engine that a worker which knows its code is attached to.

    `asker` is the replica that waits for the answer.
    """

    id: UUID
    asker: UUID
    command: QueryWorkflow


class QueryAnswered(Struct, frozen=True, array_like=True):
    """The JSON that the code answered, or the error: its code, detail and retry-after.

    `under_way` says that the question arrived, and that the answer is still to come.
    """

    id: UUID
    result: bytes = b""
    error: tuple[str, str, float | None] | None = None
    under_way: bool = False
