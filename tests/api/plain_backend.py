"""Plain tasks of an engine that a test stands in for."""

import asyncio
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from uuid import UUID

import msgspec

from mainspring_api.ports.endings import Deliver
from mainspring_kernel.errors import NotFound, TaskIdMismatch
from mainspring_schema.discovery import LIST_MODELS
from mainspring_schema.events import StoredEvent
from mainspring_schema.plain import (
    GetPlainTask,
    PlainTaskView,
    SubmitTask,
    SubmitTasks,
    TaskReceipt,
    TaskReceipts,
    TaskRefusal,
)
from mainspring_schema.wake import WorkflowEnded
from mainspring_schema.workflows import Flaw

OFFERED = b'{"models":[{"model":"m-1","display_name":"M One"}],"skipped":1}'


def _ended(view: PlainTaskView, end: bytes | Flaw | None) -> PlainTaskView:
    if end is None:
        return view
    if isinstance(end, Flaw):
        return msgspec.structs.replace(view, status="failed", flaw=end)
    return msgspec.structs.replace(view, status="completed", result=end)


class ToldEndings:
    """Tells what a test ends."""

    def __init__(self) -> None:
        self.waiting: dict[UUID, asyncio.Event] = {}
        self.workflows: dict[UUID, Deliver] = {}
        self.leaving = False
        self.followed = asyncio.Event()
        """Somebody waits for the end of a workflow."""

    def drain(self) -> None:
        self.leaving = True

    @contextmanager
    def of(self, task_id: UUID) -> Generator[asyncio.Event]:
        told = self.waiting.setdefault(task_id, asyncio.Event())
        yield told

    @contextmanager
    def any_of(
        self, task_ids: Iterable[UUID], workflow_ids: Iterable[UUID]
    ) -> Generator[asyncio.Event]:
        told = asyncio.Event()
        for id_ in task_ids:
            self.waiting[id_] = told
        for id_ in workflow_ids:
            self.workflows[id_] = lambda _: told.set()
        yield told

    @contextmanager
    def of_workflow(self, workflow_id: UUID, deliver: Deliver) -> Generator[None]:
        self.workflows[workflow_id] = deliver
        self.followed.set()
        yield

    def awaited(self) -> tuple[UUID, ...]:
        return (*self.waiting, *self.workflows)

    def overlooked(self, id_: UUID) -> None:
        if id_ in self.waiting:
            self.waiting[id_].set()
        if id_ in self.workflows:
            self.workflows[id_](None)

    def tell_workflow(self, workflow_id: UUID, event: StoredEvent) -> None:
        if workflow_id in self.workflows:
            self.workflows[workflow_id](WorkflowEnded(event))


class PlainBackend:
    """Takes every task once; `end_task` gives one its result."""

    def __init__(self) -> None:
        self.tasks: dict[object, tuple[SubmitTask, PlainTaskView]] = {}
        self.endings = ToldEndings()
        self.looks: asyncio.Queue[object] = asyncio.Queue()
        """At which task somebody looked."""
        self.on_look: Callable[[], None] = lambda: None
        self.task_calls: list[int] = []
        """How many tasks each call brought."""
        self.at_once: dict[str, bytes | Flaw] = {LIST_MODELS: OFFERED}
        """How tasks of a type end, as soon as they are submitted."""

    def end_task(self, task_id: object, result: bytes) -> None:
        task, view = self.tasks[task_id]
        ended = msgspec.structs.replace(view, status="completed", result=result)
        self.tasks[task_id] = (task, ended)
        if task.task_id in self.endings.waiting:
            self.endings.waiting[task.task_id].set()

    async def submit_task(self, command: SubmitTask) -> TaskReceipt:
        (receipt,) = (await self.submit_tasks(SubmitTasks(tasks=(command,)))).receipts
        if receipt.refusal is not None:
            raise TaskIdMismatch
        return receipt

    async def submit_tasks(self, command: SubmitTasks) -> TaskReceipts:
        self.task_calls.append(len(command.tasks))
        return TaskReceipts(receipts=tuple(map(self._taken, command.tasks)))

    def _taken(self, task: SubmitTask) -> TaskReceipt:
        known = self.tasks.get(task.task_id)
        if known is None:
            view = PlainTaskView(task_id=task.task_id, type=task.type, status="waiting")
            self.tasks[task.task_id] = (task, _ended(view, self.at_once.get(task.type)))
            return TaskReceipt(task_id=task.task_id)
        if known[0] == task:
            return TaskReceipt(task_id=task.task_id, duplicate=True)
        refusal = TaskRefusal(code=TaskIdMismatch.code, message=TaskIdMismatch.title)
        return TaskReceipt(task_id=task.task_id, refusal=refusal)

    async def get_plain_task(self, command: GetPlainTask) -> PlainTaskView:
        self.looks.put_nowait(command.task_id)
        self.on_look()
        known = self.tasks.get(command.task_id)
        if known is None or known[0].org_id != command.org_id:
            raise NotFound
        return known[1]
