"""A sound history as SQL: one session, plain tasks, a schedule's slots and a budget."""

from uuid import UUID

from mainspring_kernel.clock import SystemClock
from mainspring_schema import chain

NOW_MS = SystemClock().wall_ms()
ORG, SESSION, DONE, OPEN = (UUID(int=(NOW_MS << 80) + n) for n in (1, 2, 3, 4))
"""The one session, a turn of it that completed, and one that goes on."""
PLAIN, STOPPED, READY = (UUID(int=(NOW_MS << 80) + n) for n in (10, 11, 12))
"""Plain tasks: one that ended, one that was cancelled, one that waits."""
REASON, TOOL, NEXT, MESSAGE, WORKER = (UUID(int=(NOW_MS << 80) + n) for n in (5, 6, 7, 8, 9))

EVENTS: tuple[tuple[str, UUID | None, str], ...] = (
    ("input.message", None, "{}"),
    ("turn.started", DONE, "{}"),
    ("reason.started", DONE, f'{{"data":{{"consumed":["message_{MESSAGE.hex}"]}}}}'),
    ("tool.started", DONE, '{"data":{"tool_call":{"id":"c1"}}}'),
    ("tool.completed", DONE, '{"data":{"tool_call_id":"c1"}}'),
    ("turn.completed", DONE, "{}"),
    ("session.idled", DONE, "{}"),
    ("turn.started", OPEN, "{}"),
    (
        "workflow.child_started",
        OPEN,
        f'{{"data":{{"workflow_id":"workflow_{DONE.hex}","detached":false}}}}',
    ),
)


def history() -> str:
    """A sound history as SQL; written past triggers, as no engine takes part."""
    return log_rows() + turn_rows() + task_rows() + slot_rows() + budget_rows()


def budget_rows() -> str:
    return f"""
    insert into engine.budget (id, org_id, subject_type, subject_id, currency, allowed, balance,
        reserved, metadata, period_kind, period_text, period_started_at, renews_at)
    values ('{PLAIN}', '{ORG}', 'session', '{SESSION}', 'calls', 100, 90, 5, '', 3, 'month',
        '2026-02-01T00:00:00Z', '2026-03-01T00:00:00Z');
    insert into engine.budget_entry (id, budget_id, amount, source)
    values ('{DONE}', '{PLAIN}', 100, 'limit'), ('{OPEN}', '{PLAIN}', -10, 'model_call');
    insert into engine.budget_hold (task_id, budget_id, session_id, amount)
    values ('{NEXT}', '{PLAIN}', '{SESSION}', 5);
    """


def log_rows() -> str:
    rows: list[str] = []
    previous = chain.GENESIS
    for seq, (type_, turn, text) in enumerate(EVENTS, start=1):
        payload = text.encode()
        previous = chain.link(
            previous, session_id=SESSION, seq=seq, type_=type_, ts_ms=seq, payload=payload
        )
        turn_id = f"'{turn}'" if turn else "null"
        rows.append(
            f"('{SESSION}', {seq}, '{type_}', {seq}, {turn_id}, '\\x{payload.hex()}', 0, "
            f"'\\x{previous.hex()}')"
        )
    return f"""
    insert into log.head (session_id, org_id, last_seq, n, hash, ts_ms, status, active_turn)
    values ('{SESSION}', '{ORG}', {len(EVENTS)}, 2, '\\x{previous.hex()}', 9, 2, '{OPEN}');
    insert into log.event (session_id, seq, type, ts_ms, turn_id, payload, deltas_before, h)
    values {", ".join(rows)};
    insert into log.delta (turn_id, session_id, seq, n, anchor, attempt, channel, "offset",
        fragment, ts_ms)
    values ('{OPEN}', '{SESSION}', {len(EVENTS)}, 1, 'm', 1, 'text', 0, 'a', 9),
        ('{OPEN}', '{SESSION}', {len(EVENTS)}, 2, 'm', 1, 'text', 1, 'b', 9);
    """


def turn_rows() -> str:
    return f"""
    insert into engine.workflow (id, session_id, org_id, ordinal, outcome, state, config_hash,
        started_ms)
    values ('{DONE}', '{SESSION}', '{ORG}', 1, 1, '', 'c', 1),
        ('{OPEN}', '{SESSION}', '{ORG}', 2, 0, '', 'c', 1);
    insert into engine.inbox (session_id, message_id, org_id, seq, ts_ms, config_hash, turn_id,
        workflow_id, body_hash)
    values ('{SESSION}', '{MESSAGE}', '{ORG}', 1, 1, '', '{DONE}', '{DONE}', 'b');
    insert into engine.idempotency (session_id, key, message_id, org_id, body_hash)
    values ('{SESSION}', 'k', '{MESSAGE}', '{ORG}', 'b');
    insert into engine.worker (incarnation, attach_number, name, build, attached_at)
    values ('{WORKER}', 1, 'w', '', now());
    insert into engine.signal (session_id, source_turn, kind, org_id, body, consumed_by)
    values ('{SESSION}', '{OPEN}', 'child:start', '{ORG}', '', '{SESSION}');
    insert into engine.timer (id, workflow_id, session_id, org_id, kind, due_at)
    values ('{MESSAGE}', '{OPEN}', '{SESSION}', '{ORG}', 'x', now() + interval '1 hour');
    """


def checkpoint(step: str, *, rev: int) -> str:
    return f"""
    insert into engine.step_result (workflow_id, step, org_id, task_id, fence, rev, input_hash,
        body, hash, checkpoint)
    values ('{DONE}', '{step}', '{ORG}', '{TOOL}', 1, {rev}, 'in', '', '', true)
    """


def task_rows() -> str:
    return f"""
    insert into engine.task (id, workflow_id, session_id, org_id, route, kind, effect, state,
        fence, rev, claim_rev, run_at, claimed_at, stamped_at, lease_until, incarnation, step,
        input_hash)
    values ('{NEXT}', '{OPEN}', '{SESSION}', '{ORG}', 1, 1, 1, 2, 2, 4, 4, now(), now(), now(),
        now() + interval '10 seconds', '{WORKER}', 'reason/1', '');
    insert into engine.task (id, workflow_id, session_id, org_id, route, kind, effect, state, fence,
        run_at, step, input_hash)
    values ('{READY}', '{READY}', '{READY}', '{ORG}', 1, 4, 2, 1, 0, now(), 'task:add', 'in');
    insert into engine.payload (task_id, org_id, step, payload, input_hash)
    values ('{TOOL}', '{ORG}', 'tool/1/0', '', 'in'), ('{PLAIN}', '{ORG}', 'task:add', '', 'in'),
        ('{READY}', '{ORG}', 'task:add', '', 'in'), ('{STOPPED}', '{ORG}', 'task:add', '', 'in');
    insert into engine.plain_cancel (task_id, org_id, fence, reason, cancelled_at)
    values ('{STOPPED}', '{ORG}', 0, 'no need', now());
    insert into engine.progress (task_id, step, fence, counter, rev, details)
    values ('{NEXT}', '', 2, 1, 4, 'half');
    insert into engine.step_result (workflow_id, step, org_id, task_id, fence, rev, input_hash,
        body, hash)
    values ('{DONE}', 'tool/1/0', '{ORG}', '{TOOL}', 1, 2, 'in', '', '');
    {checkpoint("step/0", rev=2)};
    insert into engine.effect (workflow_id, step, org_id, task_id, class, state, fence, rev,
        started_at)
    values ('{DONE}', 'tool/1/0', '{ORG}', '{TOOL}', 3, 3, 1, 2, now());
    insert into engine.dead_letter (task_id, workflow_id, session_id, org_id, reason, detail)
    values ('{TOOL}', '{DONE}', '{SESSION}', '{ORG}', 'poison', '');
    insert into engine.resolution (task_id, org_id, session_id, workflow_id, ordered_at, due_at,
        settled_at)
    values ('{TOOL}', '{ORG}', '{SESSION}', '{OPEN}', now(), now(), now());
    {attempt(TOOL, DONE, fence=1, claim=1, close=2, closing=1, started=True)};
    {attempt(NEXT, OPEN, fence=1, claim=1, close=3, closing=3)};
    insert into engine.attempt_error (task_id, fence, message) values ('{NEXT}', 1, 'no disk');
    {attempt(PLAIN, PLAIN, fence=1, claim=1, close=2, closing=1)};
    """


def slot_rows() -> str:
    return f"""
    insert into scheduler.slot (id, schedule_id, org_id, slot_ms, origin, status, attempts,
        session_id, message_id, turn_id, created_ms, started_ms, ended_ms)
    values ('{NEXT}', '{DONE}', '{ORG}', 1, 'time', 'completed', 1, '{SESSION}', '{MESSAGE}',
        '{DONE}', 1, 1, 2);
    insert into scheduler.slot (id, schedule_id, org_id, slot_ms, origin, status, attempts,
        workflow_id, created_ms, started_ms, due_ms)
    values ('{TOOL}', '{DONE}', '{ORG}', 2, 'time', 'running', 1, '{OPEN}', 1, 1, 9);
    """


def attempt(
    task: UUID, workflow: UUID, *, fence: int, claim: int, close: int, closing: int,
    started: bool = False,
) -> str:  # fmt: skip
    return f"""
    insert into engine.attempt (task_id, fence, workflow_id, org_id, step, incarnation,
        attach_number, claim_rev, close_rev, claimed_at, closed_at, stamped_at, lease_until,
        acknowledged, started, closing)
    values ('{task}', {fence}, '{workflow}', '{ORG}', 's', '{WORKER}', 1, {claim}, {close}, now(),
        now(), now(), now() + interval '10 seconds', true, {started}, {closing})"""
