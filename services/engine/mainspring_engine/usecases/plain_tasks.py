"""What callers ask of plain tasks: submit, cancel, requeue, and how they stand."""

from typing import Final, NoReturn
from uuid import UUID

import msgspec

from mainspring_engine.domain.limits import (
    PLAIN_AGE_MS_MAX,
    PLAIN_AHEAD_MS_MAX,
    ROUTE_CACHE_ENTRIES_MAX,
)
from mainspring_engine.domain.plain import NewPlain, PlainSubmitted, made_of, route_for, type_of
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import Closing, TaskState
from mainspring_engine.ports.letters import Letters, Resolve
from mainspring_engine.ports.outside import Announcer
from mainspring_engine.ports.plain import PlainCancel, PlainRow
from mainspring_engine.ports.store import Store
from mainspring_engine.usecases.attachments import Attachments
from mainspring_engine.usecases.backpressure import Backpressure
from mainspring_engine.usecases.lane import Lanes
from mainspring_engine.usecases.plain_traces import PlainTraces
from mainspring_engine.usecases.workflows import (
    check_arguments,
    check_build,
    check_keys,
    check_name,
    refuse,
)
from mainspring_kernel.clock import Clock
from mainspring_kernel.errors import (
    Conflict,
    MainspringError,
    NotFound,
    TaskIdMismatch,
    TooManyRequests,
    ValidationFailed,
    rebuild,
)
from mainspring_kernel.ids import is_uuid7, uuid7_ms
from mainspring_kernel.limits import PRIORITY_MAX
from mainspring_kernel.plain_limits import PLAIN_TASKS_PER_CALL_MAX, PLAIN_TASKS_WAITING_MAX
from mainspring_schema.keys import flaw_of_start_bound
from mainspring_schema.plain import (
    CancelPlainTask,
    GetPlainTask,
    PlainStatus,
    PlainTaskView,
    RequeuePlainTask,
    SubmitTask,
    SubmitTasks,
    TaskReceipt,
    TaskReceipts,
    TaskRefusal,
)
from mainspring_schema.tasks import PlainResult, PlainTask
from mainspring_schema.workflows import Flaw

_RESULT: Final = msgspec.msgpack.Decoder(PlainResult)
_MADE: Final = msgspec.msgpack.Decoder(PlainTask)
_KEPT_NULL: Final = PlainResult()


class PlainTasks:
    """Commands return after their commit. Each raises what refused it."""

    def __init__(  # noqa: PLR0913 - one named part each
        self,
        *,
        lanes: Lanes,
        store: Store,
        letters: Letters,
        pressure: Backpressure,
        clock: Clock,
        attachments: Attachments,
        announcer: Announcer,
        traces: PlainTraces,
    ) -> None:
        self._traces = traces
        self._attachments = attachments
        self._announcer = announcer
        self._lanes = lanes
        self._store = store
        self._letters = letters
        self._pressure = pressure
        self._clock = clock
        self._waiting = 0
        self._routes: dict[tuple[object, ...], Route] = {}

    async def submit(self, command: SubmitTasks) -> TaskReceipts:
        """Receipts in order; a refused task does not touch the others.

        Raises ValidationFailed for too many, TooManyRequests where too much waits already.
        """
        tasks = command.tasks
        if len(tasks) > PLAIN_TASKS_PER_CALL_MAX:
            detail = f"at most {PLAIN_TASKS_PER_CALL_MAX} tasks in one call"
            raise ValidationFailed(detail)
        if self._waiting + len(tasks) > PLAIN_TASKS_WAITING_MAX:
            detail = "too many tasks wait to be taken in"
            raise TooManyRequests(detail)
        refused: dict[int, TaskReceipt] = {}
        fit: list[NewPlain] = []
        now_ms = self._clock.wall_ms()
        lets: tuple[UUID, str] | None = None
        for place, task in enumerate(tasks):
            try:
                made = self._checked(task, now_ms)
                if (task.org_id, task.queue) != lets:
                    self._pressure.check(task.org_id, task.queue)
                    lets = task.org_id, task.queue
                fit.append(made)
            except MainspringError as error:
                refused[place] = _refusal(task, error)
        receipts = await self._committed(tuple(fit))
        if not refused:
            return TaskReceipts(receipts=receipts)
        taken = iter(receipts)
        return TaskReceipts(
            receipts=tuple(refused.get(n) or next(taken) for n in range(len(tasks)))
        )

    async def _committed(self, tasks: tuple[NewPlain, ...]) -> tuple[TaskReceipt, ...]:
        if not tasks:
            return ()
        self._waiting += len(tasks)
        try:
            answer = await self._lanes.ask(PlainSubmitted(tasks=tasks))
        finally:
            self._waiting -= len(tasks)
        assert isinstance(answer, TaskReceipts)  # noqa: S101 - one type per command
        return answer.receipts

    def _checked(self, task: SubmitTask, now_ms: int) -> NewPlain:
        route = self._route(task)
        refuse(flaw_of_start_bound(task.start_within_ms))
        check_arguments(task.input)
        if not 0 <= task.priority <= PRIORITY_MAX:
            detail = f"priority: 0 to {PRIORITY_MAX}"
            raise ValidationFailed(detail)
        _check_id(task.task_id, now_ms)
        return made_of(task, route)

    def _route(self, task: SubmitTask) -> Route:
        """Whoever submits by thousands names the same few again: these are checked once."""
        names = (task.type, task.queue, task.build, task.keys, task.circuit)
        route = self._routes.get(names)
        if route is None:
            check_name("type", task.type)
            check_name("queue", task.queue)
            check_build(task.build)
            check_keys(task.keys, task.circuit)
            if len(self._routes) >= ROUTE_CACHE_ENTRIES_MAX:
                self._routes.clear()
            route = self._routes[names] = route_for(task)
        return route

    # ── orders ──────────────────────────────────────────────────────────────────────────────────

    async def carry_out(self, order: CancelPlainTask | RequeuePlainTask) -> object:
        if isinstance(order, CancelPlainTask):
            return await self.cancel(order)
        return await self.requeue(order)

    async def cancel(self, order: CancelPlainTask) -> PlainTaskView:
        """Whoever is at work on it is told, and what it brings is stale. Raises NotFound."""
        wanted = GetPlainTask(org_id=order.org_id, task_id=order.task_id)
        cancel = PlainCancel(org_id=order.org_id, task_id=order.task_id, reason=order.reason)
        ended = await self._store.plain.cancel((cancel,))
        held = tuple(one.held for one in ended if one.held is not None)
        for attempt in held:
            self._attachments.ended(attempt)
            self._announcer.cancel_marked((attempt,))
        for one in ended:
            self._announcer.ended((one.task_id,))
        await self._traces.cancelled(held)
        return await self.get(wanted)

    async def requeue(self, order: RequeuePlainTask) -> TaskReceipt:
        """Nothing that ended reopens: a new task does it again.

        Raises NotFound, Conflict, TaskIdMismatch, ValidationFailed for an id that no new task can
        have, and what `take_up` raises.
        """
        _check_id(order.new_id, self._clock.wall_ms())
        row = await self._store.plain.get(order.org_id, order.task_id)
        if row is None:
            detail = "no such task"
            raise NotFound(detail)
        if row.closing is Closing.QUARANTINED:
            detail = "it was set aside: requeue its dead letter"
            raise Conflict(detail)
        if _view(GetPlainTask(org_id=order.org_id, task_id=order.task_id), row).flaw is None:
            detail = "only a task that failed or was cancelled is requeued"
            raise Conflict(detail)
        # Where it left a dead letter, that is taken up by the same new task: nobody does it twice.
        resolution = Resolve(org_id=order.org_id, task_id=order.task_id, workflow_id=order.new_id)
        (taken,) = await self._letters.resolve((resolution,))
        if not taken:
            await self._check_letter(order)
        return await self.take_up(order)

    async def _check_letter(self, order: RequeuePlainTask) -> None:
        """Raises Conflict where another order has it done again, now or later.

        Raises TaskIdMismatch where the new id was ordered for another letter.
        """
        letter = await self._letters.letter(order.org_id, order.task_id)
        if letter is not None and letter.status == "open":
            raise TaskIdMismatch
        if letter is not None and letter.requeued_as not in (None, order.new_id):
            detail = f"its dead letter was requeued before: it is {letter.status}"
            raise Conflict(detail)

    async def take_up(self, order: RequeuePlainTask) -> TaskReceipt:
        """Submits it anew; the same order again is a duplicate.

        Raises NotFound; TaskIdMismatch and ValidationFailed where no task can have the new id: the
        dead letter is open again then.
        """
        kept = await self._store.plain.payloads((order.task_id,))
        payload = kept.get((order.org_id, order.task_id))
        if payload is None:
            raise NotFound
        made = _MADE.decode(payload)
        task = SubmitTask(
            org_id=order.org_id,
            task_id=order.new_id,
            type=made.task_type,
            input=made.input,
            queue=made.queue,
            priority=made.priority,
            source=order.task_id,
            build=made.build,
            keys=made.keys,
            circuit=made.circuit,
            start_within_ms=made.start_within_ms,
        )
        (receipt,) = await self._committed((made_of(task),))
        if receipt.refusal is not None:
            await self._refuse(order, receipt.refusal)
        return receipt

    async def _refuse(self, order: RequeuePlainTask, refusal: TaskRefusal) -> NoReturn:
        error = rebuild(refusal.code, refusal.message)
        try:
            if error.is_server_error:
                # The tables have no place for what has such an id, now or later.
                _check_id(order.new_id, self._clock.wall_ms())
        except ValidationFailed as unfit:
            error = unfit
        if not error.is_server_error:
            await self._letters.reopen(order.task_id, order.new_id)
        raise error

    # ── reading ─────────────────────────────────────────────────────────────────────────────────

    async def get(self, command: GetPlainTask) -> PlainTaskView:
        """Raises NotFound."""
        row = await self._store.plain.get(command.org_id, command.task_id)
        if row is None:
            detail = "no such task"
            raise NotFound(detail)
        return _view(command, row)


def _view(command: GetPlainTask, row: PlainRow) -> PlainTaskView:
    ended = row.state is None
    kept = _kept(row)
    return PlainTaskView(
        task_id=command.task_id,
        type=type_of(row.step),
        status="cancelled" if row.cancelled is not None else _status(row.state, kept),
        failures=row.failures,
        result=kept.result if ended and kept.flaw is None else None,
        flaw=kept.flaw if ended else None,
    )


def _kept(row: PlainRow) -> PlainResult:
    if row.cancelled is not None:
        return PlainResult(flaw=Flaw(code="cancelled", message=row.cancelled))
    return _KEPT_NULL if row.body is None else _RESULT.decode(row.body)


def _status(state: TaskState | None, kept: PlainResult) -> PlainStatus:
    if state is not None:
        return "running" if state is TaskState.LEASED else "waiting"
    return "completed" if kept.flaw is None else "failed"


def _check_id(task_id: UUID, now_ms: int) -> None:
    """Rows are kept by the weeks of their ids, so an id must be of now."""
    if not is_uuid7(task_id):
        detail = "id: a UUID of version 7"
        raise ValidationFailed(detail)
    if not -PLAIN_AHEAD_MS_MAX <= now_ms - uuid7_ms(task_id) <= PLAIN_AGE_MS_MAX:
        detail = "id: made too long ago, or by a clock that is ahead"
        raise ValidationFailed(detail)


def _refusal(task: SubmitTask, error: MainspringError) -> TaskReceipt:
    wait_s = error.retry_after_s
    return TaskReceipt(
        task_id=task.task_id,
        refusal=TaskRefusal(
            code=error.code,
            message=error.detail,
            retry_after_ms=None if wait_s is None else round(wait_s * 1000),
        ),
    )
