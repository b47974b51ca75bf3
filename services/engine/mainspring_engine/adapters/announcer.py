"""Sends wake-ups and copies over the bus. They are hints: nothing here may fail a commit."""

from uuid import UUID

from mainspring_engine.domain.backlog import ReadyGroup
from mainspring_messaging import Bus
from mainspring_schema import subjects
from mainspring_schema.codec import pack
from mainspring_schema.frames import Held
from mainspring_schema.stream import LogBatch
from mainspring_schema.wake import (
    CancelMarked,
    ReadyTasks,
    StepsRecorded,
    TasksEnded,
    WorkflowEnded,
)


class BusAnnouncer:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def committed(self, org_id: UUID, session_id: UUID, batch: LogBatch) -> None:
        self._bus.publish(subjects.session_log(org_id, session_id), pack(batch))

    def ready(self, groups: tuple[ReadyGroup, ...]) -> None:
        routes = tuple({ready.group.route for ready in groups})
        names = tuple(route.names for route in routes)
        numbers = {route: number for number, route in enumerate(routes)}
        places = tuple(
            (numbers[ready.group.route], ready.group.org_id, ready.group.priority, ready.from_id)
            for ready in groups
        )
        self._bus.publish(subjects.WAKE_TASKS, pack(ReadyTasks(names, places)))

    def cancel_marked(self, held: tuple[Held, ...]) -> None:
        self._bus.publish(subjects.WAKE_CANCEL, pack(CancelMarked(held)))

    def gates_moved(self) -> None:
        self._bus.publish(subjects.WAKE_GATES, b"")

    def workers_drained(self) -> None:
        self._bus.publish(subjects.WAKE_WORKERS, b"")

    def ended(self, task_ids: tuple[UUID, ...]) -> None:
        ids = b"".join(task_id.bytes for task_id in task_ids)
        self._bus.publish(subjects.WAKE_ENDED, pack(TasksEnded(ids)))

    def workflow_ended(self, workflow_id: UUID, end: WorkflowEnded) -> None:
        self._bus.publish(subjects.workflow_ended(workflow_id), pack(end))

    def recorded(self, workflow_id: UUID, task_id: UUID) -> None:
        self._bus.publish(subjects.WAKE_STEPS, pack(StepsRecorded(workflow_id, task_id)))
