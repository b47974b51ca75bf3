"""Writes one judged item wholly or not at all: all is checked before the first row changes."""

import hashlib
from uuid import UUID

from mainspring_engine.adapters.memory.rules import refuse, repeats
from mainspring_engine.adapters.memory.tables import (
    EffectRow,
    InboxEntry,
    KeyRow,
    LetterRow,
    Payload,
    StepRow,
    Tables,
    TaskRow,
    TimerRow,
)
from mainspring_engine.adapters.memory.workflows import check as check_workflows
from mainspring_engine.adapters.memory.workflows import write as write_workflows
from mainspring_engine.domain.changes import Accept, Changes, CloseTask, NewTask, WorkflowChange
from mainspring_engine.domain.limits import WORKFLOW_STATE_BYTES_MAX
from mainspring_engine.domain.rows import Closing, TaskState, Workflow
from mainspring_engine.ports.log import GrantedLog
from mainspring_kernel.limits import LEASE_S
from mainspring_schema import grants

LEASE_MS = round(LEASE_S * 1000)
_DONE, _FAILED, _UNKNOWN, _CLOSED = 3, 4, 5, 6


def write(tables: Tables, log: GrantedLog, changes: Changes, now_ms: int) -> tuple[UUID, ...]:
    """Returns the tasks that were to be claimed and wait instead. Raises MainspringError."""
    _check(tables, changes)
    check_workflows(tables, changes)
    if changes.start is not None:
        log.open_empty([(changes.start.workflow_id, changes.expected.org_id)])
    _append(log, changes)
    for workflow in changes.workflows:
        _put_workflow(tables, changes, workflow)
    for mark in changes.marks:
        task = tables.tasks[mark.task_id]
        task.cancelling = True
        task.rev += 1
    for emit in changes.emits:
        task = tables.tasks[emit.task_id]
        task.emit_counter = max(task.emit_counter, emit.counter)
        task.rev += 1
    # One attempt ends once, as a row is updated once by one statement.
    for close in {(c.task_id, c.fence): c for c in reversed(changes.closes)}.values():
        _close(tables, changes, close, now_ms)
    unclaimed = tuple(t.id for t in changes.tasks if not _add_task(tables, changes, t, now_ms))
    _write_inputs(tables, changes, now_ms)
    _write_rest(tables, changes, now_ms)
    write_workflows(tables, changes, now_ms)
    return unclaimed


# ── what the tables would refuse ────────────────────────────────────────────────────────────────


def _check(tables: Tables, changes: Changes) -> None:
    session_id = changes.expected.session_id
    refuse("two rows of one workflow", repeats([w.id for w in changes.workflows]))
    refuse("a state that is too long", any(
        len(w.state) > WORKFLOW_STATE_BYTES_MAX for w in changes.workflows
    ))  # fmt: skip
    refuse("an ordinal that is taken", any(
        (session_id, w.ordinal) in tables.ordinals for w in changes.workflows if w.expected_rev == 0
    ))  # fmt: skip
    ending = {(c.task_id, c.fence) for c in changes.closes if c.delay_ms is None}
    for result in changes.results:
        task = tables.tasks.get(result.task_id)
        refuse(
            "a step result whose task does not close",
            (result.task_id, result.fence) not in ending
            or task is None
            or task.workflow_id != result.workflow_id,
        )
        refuse("a step that has its result", (result.workflow_id, result.step) in tables.steps)
    refuse("two results of one step", repeats([(r.workflow_id, r.step) for r in changes.results]))
    refuse("a task that was there before", any(t.id in tables.payloads for t in changes.tasks))
    effects = [(t.workflow_id, t.step) for t in changes.tasks if t.effect.needs_start]
    refuse("two effects of one step", repeats(effects))
    refuse("an effect that is there", any(effect in tables.effects for effect in effects))
    refuse("a timer that is there", any(t.id in tables.timers for t in changes.timers))
    letters = [letter.task_id for letter in changes.dead_letters]
    refuse("a second dead letter", any(id_ in tables.dead_letters for id_ in letters))
    _check_inputs(tables, changes)


def _check_inputs(tables: Tables, changes: Changes) -> None:
    messages = tables.inbox.get(changes.expected.session_id, {})
    refuse("one message twice", repeats([a.message_id for a in changes.accepts]))
    keys = [a.idempotency_key for a in changes.accepts if a.idempotency_key is not None]
    refuse("one idempotency key twice", repeats(keys))
    for consume in changes.consumes:
        row = messages.get(consume.message_id)
        refuse("a message that is not waiting", row is None or row.workflow_id is not None)


# ── the log ─────────────────────────────────────────────────────────────────────────────────────


def _append(log: GrantedLog, changes: Changes) -> None:
    before, after = changes.expected, changes.after
    session_id = before.session_id
    head = grants.AppendHead(
        session_id=session_id,
        org_id=before.org_id,
        last_seq=after.last_seq,
        hash=after.hash,
        ts_ms=after.ts_ms,
        status=after.status,
        active_turn=after.active_turn,
        turn_first_seq=after.turn_first_seq,
        close_anchors=changes.close_anchors,
    )
    events = [
        grants.AppendEvent(
            session_id=session_id,
            seq=event.seq,
            type=event.type,
            ts_ms=event.ts_ms,
            turn_id=event.turn_id,
            payload=event.payload,
            hash=event.hash,
        )
        for event in changes.events
    ]
    anchors = [
        grants.Anchor(session_id=session_id, anchor=a.anchor, attempt=a.attempt)
        for a in changes.anchors
    ]
    if changes.moves_head:
        append = log.append_closing if before.closed else log.append
        append(events, [head], anchors)
    if after.closed and not before.closed:
        log.close([(session_id, before.org_id)])


# ── rows ────────────────────────────────────────────────────────────────────────────────────────


def _put_workflow(tables: Tables, changes: Changes, change: WorkflowChange) -> None:
    head = changes.expected
    tables.workflows[change.id] = Workflow(
        id=change.id,
        session_id=head.session_id,
        org_id=head.org_id,
        ordinal=change.ordinal,
        rev=change.expected_rev + 1,
        outcome=change.outcome,
        state=change.state,
        config_hash=change.config_hash,
        traceparent=change.traceparent,
        started_ms=change.started_ms,
    )
    tables.ordinals.add((head.session_id, change.ordinal))
    newest = tables.newest.get(head.session_id)
    if newest is None or tables.workflows[newest].ordinal < change.ordinal:
        tables.newest[head.session_id] = change.id


def _close(tables: Tables, changes: Changes, close: CloseTask, now_ms: int) -> None:
    task = tables.tasks[close.task_id]
    if task.state is TaskState.LEASED:
        tables.close_attempt(
            task,
            close.closing,
            now_ms=now_ms,
            result_hash=close.result_hash,
            error_code=close.error_code,
            error_message=close.error_message,
        )
    else:
        task.rev += 1
    if close.delay_ms is not None:
        _delay(task, close, now_ms + close.delay_ms)
        return
    del tables.tasks[close.task_id]
    effect = tables.effects.get((task.workflow_id, task.step))
    if effect is not None:
        effect.state = _effect_state(task, close.closing)
        effect.rev = task.rev
    for result in changes.results:
        if result.task_id == task.id:
            tables.steps[result.workflow_id, result.step] = StepRow(
                task_id=task.id,
                fence=result.fence,
                rev=task.rev,
                input_hash=tables.payloads[task.id].input_hash,
                body=result.body,
                hash=result.hash,
            )


def _delay(task: TaskRow, close: CloseTask, ready_ms: int) -> None:
    task.failures += close.counts_failure
    if close.counts_death:
        task.die()
    else:
        task.uncounted = 0  # a worker kept it
    task.let_go(TaskState.DELAYED, ready_ms)


def _effect_state(task: TaskRow, closing: Closing) -> int:
    if task.started_fence == 0:
        return _CLOSED
    return {Closing.RESULT: _DONE, Closing.FAILED: _FAILED}.get(closing, _UNKNOWN)


def _add_task(tables: Tables, changes: Changes, new: NewTask, now_ms: int) -> bool:
    """Whether it is claimed, if that was asked for."""
    head, claim = changes.expected, new.claim
    task = TaskRow(
        id=new.id,
        workflow_id=new.workflow_id,
        session_id=head.session_id,
        org_id=head.org_id,
        route=new.route,
        priority=new.priority,
        kind=new.kind,
        effect=new.effect,
        step=new.step,
        ready_ms=now_ms,
    )
    current = claim is not None and tables.workers.get(claim.incarnation) == claim.attach_number
    if claim is not None and current:
        task.lease(claim.incarnation, claim.attach_number, now_ms=now_ms, lease_ms=LEASE_MS)
    tables.tasks[new.id] = task
    tables.routes.setdefault(new.route, len(tables.routes) + 1)
    digest = hashlib.sha256(new.payload).digest()
    tables.payloads[new.id] = Payload(
        org_id=head.org_id, step=new.step, payload=new.payload, input_hash=digest
    )
    if new.effect.needs_start:
        tables.effects[new.workflow_id, new.step] = EffectRow(task_id=new.id, effect=new.effect)
    return claim is None or current


def _write_inputs(tables: Tables, changes: Changes, now_ms: int) -> None:
    session_id = changes.expected.session_id
    messages = tables.inbox.setdefault(session_id, {})
    for accept in changes.accepts:
        messages[accept.message_id] = _entry(session_id, accept)
        if accept.idempotency_key is not None:
            key = (session_id, accept.idempotency_key)
            tables.keys[key] = KeyRow(
                message_id=accept.message_id, body_hash=accept.body_hash, created_ms=now_ms
            )
    for consume in changes.consumes:
        messages[consume.message_id].workflow_id = consume.workflow_id
    for place in changes.places:
        messages[place.message_id].place = place.seq


def _entry(session_id: UUID, accept: Accept) -> InboxEntry:
    return InboxEntry(
        session_id=session_id,
        message_id=accept.message_id,
        seq=accept.seq,
        ts_ms=accept.ts_ms,
        config_hash=accept.config_hash,
        turn_id=accept.turn_id,
        controls=accept.controls,
        workflow_id=accept.consumed_by,
        body_hash=accept.body_hash,
        mode=accept.mode,
    )


def _write_rest(tables: Tables, changes: Changes, now_ms: int) -> None:
    head = changes.expected
    for timer_id in changes.dropped_timers:
        tables.timers.pop(timer_id, None)
    for timer in changes.timers:
        tables.timers[timer.id] = TimerRow(
            id=timer.id,
            workflow_id=timer.workflow_id,
            session_id=head.session_id,
            org_id=head.org_id,
            kind=timer.kind,
            due_ms=now_ms + timer.delay_ms,
        )
    for letter in changes.dead_letters:
        tables.dead_letters[letter.task_id] = LetterRow(
            letter=letter, session_id=head.session_id, org_id=head.org_id, died_ms=now_ms
        )
    for config in changes.configs:
        tables.configs.setdefault(config.hash, config.body)
