"""Ends of plain tasks and workflows from the bus: subscribed to once, whoever waits."""

import asyncio
import logging
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from mainspring_api.ports.endings import Deliver
from mainspring_messaging import Bus, Message
from mainspring_schema.subjects import WAKE_ENDED, WORKFLOWS_ENDED, workflow_ended
from mainspring_schema.wake import TasksEnded, WorkflowEnded

_ID_BYTES: Final = 16
_ENDED: Final = msgspec.msgpack.Decoder(TasksEnded)
_WORKFLOW_ENDED: Final = msgspec.msgpack.Decoder(WorkflowEnded)
_log = logging.getLogger(__name__)


class _Wait(NamedTuple):
    workflow_id: UUID
    deliver: Deliver


class BusEndings:
    """`start` once. Bounded by the requests that wait, which the server bounds."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, set[asyncio.Event]] = {}
        self._of_workflows: dict[str, list[_Wait]] = {}
        """By the subject of the end that they wait for."""
        self.leaving = False

    async def start(self, bus: Bus) -> None:
        """Subscribes for the life of the process."""
        await bus.subscribe(WAKE_ENDED, self._receive)
        await bus.subscribe(WORKFLOWS_ENDED, self._receive_workflow)

    @contextmanager
    def of(self, task_id: UUID) -> Generator[asyncio.Event]:
        with self.any_of((task_id,), ()) as told:
            yield told

    @contextmanager
    def any_of(
        self, task_ids: Iterable[UUID], workflow_ids: Iterable[UUID]
    ) -> Generator[asyncio.Event]:
        told = asyncio.Event()
        with ExitStack() as listening:
            for task_id in task_ids:
                self._waiting.setdefault(task_id.bytes, set()).add(told)
                listening.callback(self._gone, task_id.bytes, told)
            for workflow_id in workflow_ids:
                listening.enter_context(self.of_workflow(workflow_id, lambda _: told.set()))
            yield told

    def _gone(self, task_id: bytes, told: asyncio.Event) -> None:
        waiting = self._waiting.get(task_id, set())
        waiting.discard(told)
        if not waiting:
            self._waiting.pop(task_id, None)

    @contextmanager
    def of_workflow(self, workflow_id: UUID, deliver: Deliver) -> Generator[None]:
        subject = workflow_ended(workflow_id)
        waiting = self._of_workflows.setdefault(subject, [])
        wait = _Wait(workflow_id, deliver)
        waiting.append(wait)
        try:
            yield
        finally:
            waiting.remove(wait)
            if not waiting:
                self._of_workflows.pop(subject, None)

    def awaited(self) -> tuple[UUID, ...]:
        workflows = [waiting[0].workflow_id for waiting in self._of_workflows.values()]
        return (*(UUID(bytes=id_) for id_ in self._waiting), *workflows)

    def overlooked(self, id_: UUID) -> None:
        for told in self._waiting.get(id_.bytes, ()):
            told.set()
        for wait in tuple(self._of_workflows.get(workflow_ended(id_), ())):
            wait.deliver(None)

    def drain(self) -> None:
        self.leaving = True
        for id_ in self.awaited():
            self.overlooked(id_)

    def _receive_workflow(self, message: Message) -> None:
        waiting = self._of_workflows.get(message.subject)
        if waiting is None:
            return
        try:
            end = _WORKFLOW_ENDED.decode(message.data)
        except msgspec.MsgspecError:
            _log.warning("the end of a workflow cannot be read")
            return
        for wait in tuple(waiting):
            wait.deliver(end)

    def _receive(self, message: Message) -> None:
        if not self._waiting:
            return
        try:
            ids = _ENDED.decode(message.data).ids
        except msgspec.MsgspecError:
            # Of a version that is not ours: who waits looks again without it.
            _log.warning("ends of tasks cannot be read")
            return
        for at in range(0, len(ids), _ID_BYTES):
            for told in self._waiting.get(ids[at : at + _ID_BYTES], ()):
                told.set()
