"""The verdict on one item of a flight, in the order duplicate, stale, conflict, committed."""

from uuid import UUID

from msgspec import Struct

from mainspring_engine.adapters.memory.tables import InboxEntry, Tables
from mainspring_engine.adapters.memory.workflows import known_start, repeats_signal
from mainspring_engine.domain.changes import Changes, CloseTask, EmitCounter, MarkTask
from mainspring_engine.domain.rows import TaskState
from mainspring_engine.ports.inbox import Known
from mainspring_engine.ports.store import Closed
from mainspring_engine.ports.workflows import KnownStart
from mainspring_kernel.limits import CLOCK_DRIFT_MS_MAX
from mainspring_schema.frames import Held, Verdict
from mainspring_schema.grants import Head


class Judgement(Struct, frozen=True, kw_only=True):
    verdict: Verdict
    closes: tuple[Closed, ...]
    marks: tuple[Verdict, ...]
    emits: tuple[Verdict, ...]
    known: dict[UUID, Known]
    started: KnownStart | None


def judge(tables: Tables, changes: Changes, head: Head | None, now_ms: int) -> Judgement:
    closes = tuple(_judge_close(tables, close) for close in changes.closes)
    marks = tuple(_judge_mark(tables, mark) for mark in changes.marks)
    emits = tuple(_judge_emit(tables, emit) for emit in changes.emits)
    known = _known(tables, changes)
    entries = {*(close.verdict for close in closes), *marks, *emits}
    started = known_start(tables, changes)
    repeated = started is not None or repeats_signal(tables, changes)
    if known or repeated or Verdict.DUPLICATE in entries:
        verdict = Verdict.DUPLICATE
    elif Verdict.STALE in entries:
        verdict = Verdict.STALE
    elif not _fits(tables, changes, head, now_ms):
        verdict = Verdict.CONFLICT
    else:
        verdict = Verdict.COMMITTED
    if verdict is not Verdict.COMMITTED:
        closes = tuple(_not_written(close) for close in closes)
        marks, emits = _again(marks), _again(emits)
    return Judgement(
        verdict=verdict, closes=closes, marks=marks, emits=emits, known=known, started=started
    )


def _not_written(close: Closed) -> Closed:
    if close.verdict is not Verdict.COMMITTED:
        return close
    return Closed(
        held=close.held,
        verdict=Verdict.CONFLICT,
        claimed_ms=close.claimed_ms,
        incarnation=close.incarnation,
    )


def _again(verdicts: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
    return tuple(Verdict.CONFLICT if v is Verdict.COMMITTED else v for v in verdicts)


def _judge_close(tables: Tables, close: CloseTask) -> Closed:
    held = Held(close.task_id, close.fence)
    task = tables.tasks.get(close.task_id)
    if task is not None and (task.fence, task.state) == (close.fence, close.expected):
        return Closed(
            held=held,
            verdict=Verdict.COMMITTED,
            claimed_ms=task.claimed_ms,
            incarnation=task.incarnation,
        )
    attempt = tables.attempts.get(held)
    again = close.result_hash and attempt and attempt.result_hash == close.result_hash
    return Closed(held=held, verdict=Verdict.DUPLICATE if again else Verdict.STALE)


def _judge_mark(tables: Tables, mark: MarkTask) -> Verdict:
    return Verdict.COMMITTED if _leased(tables, mark.task_id, mark.fence) else Verdict.STALE


def _judge_emit(tables: Tables, emit: EmitCounter) -> Verdict:
    if not _leased(tables, emit.task_id, emit.fence):
        return Verdict.STALE
    higher = emit.counter > tables.tasks[emit.task_id].emit_counter
    return Verdict.COMMITTED if higher else Verdict.DUPLICATE


def _leased(tables: Tables, task_id: UUID, fence: int) -> bool:
    task = tables.tasks.get(task_id)
    return task is not None and (task.fence, task.state) == (fence, TaskState.LEASED)


def _known(tables: Tables, changes: Changes) -> dict[UUID, Known]:
    session_id = changes.expected.session_id
    found = {
        a.message_id: known_message(tables, session_id, a.message_id, a.idempotency_key)
        for a in changes.accepts
    }
    return {message_id: known for message_id, known in found.items() if known is not None}


def known_message(
    tables: Tables, session_id: UUID, message_id: UUID, key: str | None
) -> Known | None:
    """An accepted message with this id, or with this idempotency key."""
    messages = tables.inbox.get(session_id, {})
    row = messages.get(message_id)
    if row is not None:
        return _as_known(row, row.body_hash)
    if key is None:
        return None
    used = tables.keys.get((session_id, key))
    return None if used is None else _as_known(messages[used.message_id], used.body_hash)


def _as_known(row: InboxEntry, body_hash: bytes) -> Known:
    return Known(
        message_id=row.message_id,
        body_hash=body_hash,
        seq=row.seq,
        ts_ms=row.ts_ms,
        turn_id=row.turn_id,
    )


def _fits(tables: Tables, changes: Changes, head: Head | None, now_ms: int) -> bool:
    before = changes.expected
    if head is None or any(
        getattr(head, name) != getattr(before, name)
        for name in (
            "org_id", "last_seq", "hash", "status", "paused", "active_turn", "turn_first_seq",
            "closed",
        )
    ):  # fmt: skip
        return False
    lowest = max(head.ts_ms, now_ms - CLOCK_DRIFT_MS_MAX)
    highest = max(head.ts_ms, now_ms + CLOCK_DRIFT_MS_MAX)
    if changes.events and not lowest <= changes.after.ts_ms <= highest:
        return False
    return all(_rev(tables, change.id) == change.expected_rev for change in changes.workflows)


def _rev(tables: Tables, workflow_id: UUID) -> int:
    workflow = tables.workflows.get(workflow_id)
    return 0 if workflow is None else workflow.rev
