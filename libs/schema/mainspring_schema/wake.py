"""Wake-ups: hints that say "look now". Losing or doubling one changes nothing."""

from uuid import UUID

from msgspec import Struct

from mainspring_schema.frames import Held


class ReadyTasks(Struct, frozen=True, array_like=True):
    """Tasks of these routes became ready. A route is (queue, capability, build, model).

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
