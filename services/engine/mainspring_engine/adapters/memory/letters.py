"""Dead letters and their resolutions over the tables."""

from contextlib import AbstractContextManager
from itertools import islice
from uuid import UUID

from mainspring_engine.adapters.memory.tables import LetterRow, ResolutionRow, Tables
from mainspring_engine.domain.limits import REQUEUE_LATE_S, REQUEUE_RETRY_S
from mainspring_engine.domain.plain import takes_up
from mainspring_engine.domain.rows import Workflow
from mainspring_engine.ports.letters import Requeue, Resolve, Settled
from mainspring_kernel.clock import Clock
from mainspring_schema.operations import LetterFilter, LetterStatus, LetterView, TaskWord

_RETRY_MS = round(REQUEUE_RETRY_S * 1000)
_LATE_MS = round(REQUEUE_LATE_S * 1000)


class MemoryLetters:
    """`lock` and `tables` are the store's own."""

    def __init__(self, lock: AbstractContextManager[object], tables: Tables, clock: Clock) -> None:
        self._lock = lock
        self._tables = tables
        self._clock = clock

    async def page(
        self,
        org_id: UUID,
        wanted: LetterFilter,
        *,
        after: UUID | None,
        limit: int,
        but: tuple[str, ...] = (),
    ) -> tuple[LetterView, ...]:
        with self._lock:
            rows = sorted(
                self._tables.dead_letters.items(), key=lambda item: item[0].int, reverse=True
            )
            views = (
                self._view(row)
                for task_id, row in rows
                if row.org_id == org_id and (after is None or task_id.int < after.int)
            )
            fit = (view for view in views if _fits(view, wanted) and view.kind not in but)
            return tuple(islice(fit, limit))

    async def letter(self, org_id: UUID, task_id: UUID) -> LetterView | None:
        with self._lock:
            row = self._tables.dead_letters.get(task_id)
            return None if row is None or row.org_id != org_id else self._view(row)

    def _view(self, row: LetterRow) -> LetterView:
        letter = row.letter
        resolution = self._tables.resolutions.get(letter.task_id)
        step = self._tables.payloads[letter.task_id].step
        return LetterView(
            task_id=letter.task_id,
            workflow_id=letter.workflow_id,
            session_id=row.session_id,
            step=step,
            kind=_kind(step),
            reason=letter.reason,
            detail=letter.detail,
            died_ms=row.died_ms,
            status=_status(resolution),
            requeued_as=None if resolution is None else resolution.workflow_id,
            refusal=None if resolution is None else resolution.refusal,
            due_ms=None if resolution is None else resolution.due_ms,
            resolved_ms=None if resolution is None else resolution.ordered_ms,
        )

    async def resolve(self, orders: tuple[Resolve, ...]) -> tuple[bool, ...]:
        with self._lock:
            now_ms = self._clock.wall_ms()
            return tuple(self._resolve(order, now_ms) for order in orders)

    def _resolve(self, order: Resolve, now_ms: int) -> bool:
        row = self._tables.dead_letters.get(order.task_id)
        before = self._tables.resolutions.get(order.task_id)
        if row is None or row.org_id != order.org_id:
            return False
        if before is not None and before.refusal is None:
            return False
        if self._is_ordered_for_another(order):
            return False
        self._tables.resolutions[order.task_id] = ResolutionRow(
            workflow_id=order.workflow_id, ordered_ms=now_ms, due_ms=now_ms + order.delay_ms
        )
        return True

    def _is_ordered_for_another(self, order: Resolve) -> bool:
        return order.workflow_id is not None and any(
            row.workflow_id == order.workflow_id
            for task_id, row in self._tables.resolutions.items()
            if task_id != order.task_id
        )

    async def due(self, task_ids: tuple[UUID, ...] | None, limit: int) -> tuple[Requeue, ...]:
        with self._lock:
            now_ms = self._clock.wall_ms()
            found = [
                (row.due_ms, task_id.int, task_id, row.workflow_id, row)
                for task_id, row in self._tables.resolutions.items()
                if row.workflow_id is not None
                and row.settled_ms is None
                and (_is_due(row, now_ms) if task_ids is None else task_id in task_ids)
            ]
            found.sort(key=lambda one: one[:2])
            requeues: list[Requeue] = []
            for _, _, task_id, workflow_id, row in found[:limit]:
                row.tried_ms = now_ms
                requeues.append(self._requeue(task_id, workflow_id))
            return tuple(requeues)

    def _requeue(self, task_id: UUID, workflow_id: UUID) -> Requeue:
        tables, row = self._tables, self._tables.dead_letters[task_id]
        dead = tables.workflows.get(row.letter.workflow_id)
        if dead is None:
            return Requeue(
                task_id=task_id,
                org_id=row.org_id,
                session_id=row.session_id,
                workflow_id=workflow_id,
                dead_workflow_id=row.letter.workflow_id,
                state=b"",
                config_hash=b"",
                controls=None,
                taken_up=self._is_heir(workflow_id, row),
                of_plain=True,
            )
        inputs = [
            entry
            for entry in tables.inbox.get(row.session_id, {}).values()
            if entry.workflow_id == dead.id
        ]
        newest = max(inputs, key=lambda entry: entry.seq, default=None)
        return Requeue(
            task_id=task_id,
            org_id=row.org_id,
            session_id=row.session_id,
            workflow_id=workflow_id,
            dead_workflow_id=dead.id,
            state=dead.state,
            config_hash=dead.config_hash,
            controls=None if newest is None else newest.controls,
            taken_up=_is_of(tables.workflows.get(workflow_id), row.session_id),
        )

    def _is_heir(self, task_id: UUID, dead: LetterRow) -> bool:
        made = self._tables.payloads.get(task_id)
        return (
            made is not None
            and made.org_id == dead.org_id
            and made.step.startswith("task:")
            and takes_up(made.payload, dead.letter.task_id)
        )

    async def keep_pace(self) -> None:
        with self._lock:
            now_ms = self._clock.wall_ms()
            left: dict[tuple[UUID, int], list[ResolutionRow]] = {}
            for task_id, row in self._tables.resolutions.items():
                if row.workflow_id is not None and row.settled_ms is None and row.tried_ms is None:
                    org_id = self._tables.dead_letters[task_id].org_id
                    left.setdefault((org_id, row.ordered_ms), []).append(row)
            for rows in left.values():
                late_ms = now_ms - min(row.due_ms for row in rows)
                if late_ms >= _LATE_MS:
                    for row in rows:
                        row.due_ms += late_ms

    async def settle(self, settled: tuple[Settled, ...]) -> None:
        with self._lock:
            now_ms = self._clock.wall_ms()
            for one in settled:
                row = self._tables.resolutions.get(one.task_id)
                if row is not None and row.workflow_id is not None:
                    row.settled_ms = row.settled_ms or now_ms
                    row.refusal = one.refusal

    async def reopen(self, task_id: UUID, workflow_id: UUID) -> None:
        with self._lock:
            row = self._tables.resolutions.get(task_id)
            if row is not None and row.workflow_id == workflow_id and row.settled_ms is None:
                del self._tables.resolutions[task_id]


def _is_of(workflow: Workflow | None, session_id: UUID) -> bool:
    return workflow is not None and workflow.session_id == session_id


def _kind(step: str) -> TaskWord:
    if step == "workflow":
        return "workflow"
    if step.startswith("task:"):
        return "task"
    if step[:1].isdigit():
        return "step"
    return "tool" if step.startswith("tool:") else "reason"


def _is_due(row: ResolutionRow, now_ms: int) -> bool:
    rested = row.tried_ms is None or row.tried_ms < now_ms - _RETRY_MS
    return row.due_ms <= now_ms and rested


def _status(resolution: ResolutionRow | None) -> LetterStatus:
    if resolution is None:
        return "open"
    if resolution.workflow_id is None:
        return "discarded"
    if resolution.refusal is not None:
        return "refused"
    return "requeueing" if resolution.settled_ms is None else "requeued"


def _fits(view: LetterView, wanted: LetterFilter) -> bool:
    equal = (
        (wanted.status, view.status),
        (wanted.reason, view.reason),
        (wanted.kind, view.kind),
        (wanted.session_id, view.session_id),
        (wanted.workflow_id, view.workflow_id),
    )
    return (
        all(want is None or want == value for want, value in equal)
        and (wanted.from_ms is None or view.died_ms >= wanted.from_ms)
        and (wanted.until_ms is None or view.died_ms < wanted.until_ms)
    )
