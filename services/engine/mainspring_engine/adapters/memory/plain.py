"""Plain tasks over the tables."""

import hashlib
from contextlib import AbstractContextManager
from uuid import UUID

from mainspring_engine.adapters.memory.tables import (
    LetterRow,
    Payload,
    StepRow,
    Tables,
    TaskRow,
    TimerRow,
)
from mainspring_engine.adapters.memory.writing import LEASE_MS
from mainspring_engine.domain.changes import DeadLetter
from mainspring_engine.domain.plain import (
    NOT_BEGUN,
    NOT_BEGUN_BODY,
    START_BOUND,
    STEP,
    NewPlain,
    PlainEnd,
)
from mainspring_engine.domain.rows import NOBODY, Closing, TaskKind, TaskState
from mainspring_engine.ports.plain import Cancelled, PlainAdded, PlainCancel, PlainRow
from mainspring_kernel.clock import Clock
from mainspring_schema.frames import Held, Verdict


class MemoryPlain:
    """`lock` and `tables` are the store's own."""

    def __init__(self, tables: Tables, lock: AbstractContextManager[object], clock: Clock) -> None:
        self._tables = tables
        self._lock = lock
        self._clock = clock

    async def submit(self, tasks: tuple[NewPlain, ...]) -> PlainAdded:
        with self._lock:
            known = [task for task in tasks if task.id in self._tables.payloads]
            new = [task for task in tasks if task.id not in self._tables.payloads]
            added = [self._add(task) for task in new]
            same = frozenset(task.id for task in known if self._is_same(task))
            return PlainAdded(
                known=same,
                differing=frozenset(task.id for task in known) - same,
                unclaimed=frozenset(
                    row.id
                    for row, task in zip(added, new, strict=True)
                    if task.claim is not None and row.state is TaskState.READY
                ),
            )

    def _is_same(self, task: NewPlain) -> bool:
        made = self._tables.payloads[task.id]
        given = (task.org_id, task.step, task.payload)
        return given == (made.org_id, made.step, made.payload)

    def _add(self, task: NewPlain) -> TaskRow:
        now_ms = self._clock.wall_ms()
        self._tables.payloads[task.id] = Payload(
            org_id=task.org_id,
            step=task.step,
            payload=task.payload,
            input_hash=hashlib.sha256(task.payload).digest(),
        )
        self._tables.routes.setdefault(task.route, len(self._tables.routes) + 1)
        row = TaskRow(
            id=task.id,
            workflow_id=task.id,
            session_id=task.id,
            org_id=task.org_id,
            route=task.route,
            priority=task.priority,
            kind=task.kind,
            effect=task.effect,
            step=task.step,
            ready_ms=now_ms,
        )
        claim = task.claim
        if claim is not None:
            number = claim.attach_number
            if self._tables.workers.get(claim.incarnation) == number:
                row.lease(claim.incarnation, number, now_ms=now_ms, lease_ms=LEASE_MS)
        self._tables.tasks[task.id] = row
        if task.start_within_ms is not None and row.state is TaskState.READY:
            self._tables.start_bounds[task.id] = TimerRow(
                id=task.id,
                workflow_id=task.id,
                session_id=task.id,
                org_id=task.org_id,
                kind=START_BOUND,
                due_ms=now_ms + task.start_within_ms,
            )
        return row

    async def time_out(self, task_ids: tuple[UUID, ...]) -> tuple[UUID, ...]:
        with self._lock:
            for task_id in task_ids:
                self._tables.start_bounds.pop(task_id, None)
            rows = (self._tables.tasks.get(task_id) for task_id in sorted(set(task_ids)))
            waiting = [row for row in rows if row is not None and _is_untaken(row)]
            for row in waiting:
                self._time_out(row)
            return tuple(row.id for row in waiting)

    def _time_out(self, row: TaskRow) -> None:
        now_ms = self._clock.wall_ms()
        row.rev += 1
        row.lease(NOBODY, 0, now_ms=now_ms, lease_ms=LEASE_MS)
        self._tables.close_attempt(row, Closing.FAILED, now_ms=now_ms, error_code=NOT_BEGUN.code)
        del self._tables.tasks[row.id]
        end = PlainEnd(held=row.held, closing=Closing.FAILED, body=NOT_BEGUN_BODY)
        self._keep(row, end, now_ms)

    async def end(self, ends: tuple[PlainEnd, ...]) -> tuple[Verdict, ...]:
        with self._lock:
            return tuple(self._end(end) for end in ends)

    def _end(self, end: PlainEnd) -> Verdict:
        tables, now_ms = self._tables, self._clock.wall_ms()
        row = tables.tasks.get(end.held.task_id)
        if row is None or not _fits(row, end, now_ms):
            closed = tables.attempts.get(end.held)
            same = closed is not None and closed.result_hash == end.result_hash != b""
            return Verdict.DUPLICATE if same else Verdict.STALE
        tables.close_attempt(
            row,
            end.closing,
            now_ms=now_ms,
            result_hash=end.result_hash,
            error_code=end.error_code,
            error_message=end.error_message,
        )
        if end.delay_ms is not None:
            row.failures += end.counts_failure
            row.let_go(TaskState.DELAYED, now_ms + end.delay_ms)
            return Verdict.COMMITTED
        del tables.tasks[row.id]
        self._keep(row, end, now_ms)
        return Verdict.COMMITTED

    def _keep(self, row: TaskRow, end: PlainEnd, now_ms: int) -> None:
        if end.body is not None:
            self._tables.steps[row.id, STEP] = StepRow(
                task_id=row.id,
                fence=row.fence,
                rev=row.rev,
                input_hash=self._tables.payloads[row.id].input_hash,
                body=end.body,
                hash=hashlib.sha256(end.body).digest(),
            )
        if end.reason is not None:
            letter = DeadLetter(
                task_id=row.id, workflow_id=row.id, reason=end.reason, detail=end.detail or ""
            )
            self._tables.dead_letters[row.id] = LetterRow(
                letter=letter, session_id=row.id, org_id=row.org_id, died_ms=now_ms
            )

    async def cancel(self, cancels: tuple[PlainCancel, ...]) -> tuple[Cancelled, ...]:
        with self._lock:
            found = (self._cancel(cancel) for cancel in cancels)
            return tuple(cancelled for cancelled in found if cancelled is not None)

    def _cancel(self, cancel: PlainCancel) -> Cancelled | None:
        tables = self._tables
        row = tables.tasks.get(cancel.task_id)
        if row is None or row.org_id != cancel.org_id or row.kind is not TaskKind.PLAIN:
            return None
        leased = row.state is TaskState.LEASED
        if leased:
            tables.close_attempt(
                row, Closing.CANCELLED, now_ms=self._clock.wall_ms(), error_code="cancelled"
            )
        del tables.tasks[row.id]
        tables.plain_cancels[row.id] = cancel.reason
        return Cancelled(task_id=row.id, held=row.held if leased else None)

    async def get(self, org_id: UUID, task_id: UUID) -> PlainRow | None:
        with self._lock:
            made = self._tables.payloads.get(task_id)
            if made is None or made.org_id != org_id or not made.step.startswith("task:"):
                return None
            row, result = self._tables.tasks.get(task_id), self._tables.steps.get((task_id, STEP))
            closed = [a for a in self._tables.attempts.values() if a.task_id == task_id]
            newest = max(closed, key=lambda attempt: attempt.fence, default=None)
            return PlainRow(
                step=made.step,
                state=None if row is None else row.state,
                failures=0 if row is None else row.failures,
                body=None if result is None else result.body,
                closing=None if newest is None else newest.closing,
                cancelled=self._tables.plain_cancels.get(task_id),
            )

    async def times(self, attempts: tuple[Held, ...]) -> dict[Held, tuple[int, int]]:
        with self._lock:
            closed = {held: self._tables.attempts.get(held) for held in attempts}
            return {
                held: (row.claimed_ms, row.closed_ms)
                for held, row in closed.items()
                if row is not None
            }

    async def payloads(self, task_ids: tuple[UUID, ...]) -> dict[tuple[UUID, UUID], bytes]:
        with self._lock:
            made = ((id_, self._tables.payloads.get(id_)) for id_ in task_ids)
            return {
                (one.org_id, id_): one.payload
                for id_, one in made
                if one is not None and one.step.startswith("task:")
            }


def _is_untaken(row: TaskRow) -> bool:
    return row.kind is TaskKind.PLAIN and row.state is TaskState.READY and row.fence == 0


def _fits(row: TaskRow, end: PlainEnd, now_ms: int) -> bool:
    return (
        row.kind is TaskKind.PLAIN
        and row.state is TaskState.LEASED
        and row.held == end.held
        and not (end.expired_only and row.lease_until_ms >= now_ms)
    )
