"""Each invariant holds on a sound history, examines something there, and finds its violation."""

from collections.abc import AsyncIterator
from contextlib import suppress
from uuid import UUID

import pytest

from mainspring_kernel.clock import SystemClock
from mainspring_local.invariants import checks
from mainspring_postgres import Database, Options, Query
from mainspring_schema import chain
from mainspring_testkit.fixtures import Database as OwnDatabase

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


LOOSE = "set local session_replication_role = replica; "
"""Past triggers: the very protection that makes these violations hard to come by."""
UNCHECKED = """
    alter table engine.task drop constraint task_check;
    alter table engine.task drop constraint task_check1;
"""

VIOLATIONS = {
    "fences_are_dense": f"update engine.task set fence = 5 where id = '{NEXT}'",
    "attempts_do_not_overlap": f"update engine.attempt set close_rev = 4 where task_id = '{NEXT}'",
    "results_bear_the_highest_fence": attempt(TOOL, DONE, fence=2, claim=2, close=3, closing=5),
    "closed_tasks_stay_closed": attempt(TOOL, DONE, fence=2, claim=3, close=4, closing=2),
    "plain_tasks_are_open_or_ended": f"delete from engine.attempt where task_id = '{PLAIN}'",
    "cancelled_plain_tasks_end_with_their_cancel": (
        f"update engine.plain_cancel set task_id = '{PLAIN}'"
    ),
    "progress_bears_the_highest_fence": "update engine.progress set fence = 1",
    "states_fit_together": f"{UNCHECKED} update engine.task set incarnation = null",
    "leases_are_dated_here": "update engine.task set lease_until = lease_until + interval '1 s'",
    "attempts_are_bounded": ";".join(
        attempt(NEXT, OPEN, fence=fence, claim=fence, close=fence, closing=5)
        for fence in range(2, 31)
    ),
    "results_keep_their_input": "update engine.payload set input_hash = 'other'",
    "effects_tell_the_truth": "update engine.effect set started_at = null",
    "effects_start_once": attempt(TOOL, DONE, fence=2, claim=3, close=4, closing=4, started=True),
    "messages_have_a_turn": f"update engine.inbox set workflow_id = '{NEXT}'",
    "keys_name_their_message": "update engine.idempotency set body_hash = 'other'",
    "checkpoints_lie_within_their_attempt": checkpoint("late", rev=9),
    "turns_have_one_outcome": f"update engine.workflow set outcome = 2 where id = '{DONE}'",
    "nothing_follows_an_outcome": "update log.event set type = 'act.completed' where seq = 7",
    "one_turn_at_a_time": f"update engine.workflow set outcome = 0 where id = '{DONE}'",
    "calls_have_one_result": "update log.event set type = 'x' where type = 'tool.completed'",
    "ended_turns_hold_nothing": f"update engine.timer set workflow_id = '{DONE}'",
    "running_turns_wait_for_something": "delete from engine.task; delete from engine.timer",
    "timers_fire_in_time": "update engine.timer set due_at = now() - interval '3 seconds'",
    "organizations_agree": f"update engine.inbox set org_id = '{SESSION}'",
    "linked_children_end_with_their_parent": (
        f"update engine.workflow set outcome = case when id = '{DONE}' then 0 else 1 end"
    ),
    "signals_between_sessions_are_taken": (
        "update engine.signal set consumed_by = null, created_at = now() - interval '2 minutes'"
    ),
    "sequences_are_dense": "delete from log.event where seq = 4",
    "deltas_are_dense": "update log.delta set n = 3 where n = 2",
    "delta_attempts_never_fall": "update log.delta set attempt = 2 where n = 1",
    "messages_are_taken_up_once": f"update engine.inbox set workflow_id = '{OPEN}'",
    "turns_follow_each_other": "update log.event set seq = seq + 9 where type = 'turn.completed'",
    "heads_say_what_their_events_say": "update log.head set active_turn = null",
    "calls_are_answered_before_the_next_model_call": (
        "update log.event set type = 'reason.started' where type = 'tool.completed'"
    ),
    "results_end_their_attempt": "update engine.attempt set closing = 7 where fence = 1",
    "errors_are_told_of_failures": "update engine.attempt_error set fence = 2",
    "dead_letters_are_taken_up_by_a_later_turn": (
        f"update engine.resolution set workflow_id = '{DONE}'"
    ),
    "slots_have_what_they_began": "delete from engine.inbox",
    "messages_of_slots_are_their_own": f"update scheduler.slot set message_id = '{MESSAGE}'",
    "ended_slots_wait_for_nothing": "update scheduler.slot set due_ms = 3",
    "balances_are_their_ledger": "update engine.budget_entry set amount = 99 where amount = 100",
    "reserves_are_their_holds": "update engine.budget set reserved = 4",
    "periods_follow_their_beat": (
        "update engine.budget set renews_at = renews_at + interval '1 day'"
    ),
    "holds_belong_to_open_tasks": f"delete from engine.task where id = '{NEXT}'",
    "chains_are_whole": "update log.event set payload = '[]' where seq = 1",
}


INVARIANTS = {query.name: query for query in checks.invariants()}


async def connect(url: str) -> Database:
    return await Database.open(
        Options(url=url, application_name="test", durability_required=False, connections_max=1)
    )


@pytest.fixture(scope="module")
async def sound(module_database: OwnDatabase) -> OwnDatabase:
    module_database.sql(LOOSE + history())
    return module_database


@pytest.fixture(scope="module")
async def reader(sound: OwnDatabase) -> AsyncIterator[Database]:
    """As `mainspring verify` reads: everything, and nothing can be written."""
    opened = await connect(sound.url("verify_run"))
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
async def vandal(sound: OwnDatabase) -> AsyncIterator[Database]:
    opened = await connect(sound.url())
    yield opened
    await opened.close()


class UndoneError(Exception):
    """Rolls a planted violation back."""


async def test_a_sound_history_breaks_nothing_and_every_rule_looks_at_it(reader: Database) -> None:
    findings = await checks.examine(reader, list(INVARIANTS.values()))

    assert {one.name: one.violating for one in findings if one.violating} == {}
    assert [one.name for one in findings if one.examined == 0] == []


def test_every_invariant_has_a_planted_violation() -> None:
    assert sorted(INVARIANTS) == sorted(VIOLATIONS)


@pytest.mark.parametrize("name", VIOLATIONS)
async def test_a_planted_violation_is_found(vandal: Database, name: str) -> None:
    plant = Query(name="plant", purpose="A violation.", sql=LOOSE + VIOLATIONS[name])
    found: tuple[str, ...] = ()

    with suppress(UndoneError):
        async with vandal.transaction() as tx:
            await tx.execute(plant)
            found = (await checks.ask(tx, INVARIANTS[name])).violating
            raise UndoneError

    assert found


def ended_by_a_fork(session: UUID, seq: int) -> str:
    payload = b'{"data":{"tool_call_id":"open"}}'.hex()
    return (
        "insert into log.event (session_id, seq, type, ts_ms, payload, deltas_before, h) values"
        f" ('{session}', {seq}, 'tool.completed', 1, '\\x{payload}', 0, '\\x00');"
    )


async def test_each_fork_ends_the_open_calls_for_itself_and_once(vandal: Database) -> None:
    ended = ended_by_a_fork(DONE, 1) + ended_by_a_fork(OPEN, 1)
    forks = Query(name="forks", purpose="Two of one moment.", sql=LOOSE + ended)
    again = Query(name="again", purpose="One of them again.", sql=ended_by_a_fork(OPEN, 2))
    found: list[tuple[str, ...]] = []

    with suppress(UndoneError):
        async with vandal.transaction() as tx:
            for planted in (forks, again):
                await tx.execute(planted)
                found.append((await checks.ask(tx, INVARIANTS["calls_have_one_result"])).violating)
            raise UndoneError

    assert found == [(), (str(OPEN),)]


MANY = 3_000
SLEEPING = f"""
insert into engine.workflow (id, session_id, org_id, ordinal, state, config_hash, started_ms)
select id, id, id, 1, '', '', 1
from (select uuidv7() as id from generate_series(1, {MANY})) as n;
insert into engine.timer (id, workflow_id, session_id, org_id, kind, due_at)
select uuidv7(), w.id, w.id, w.id, 'wait', now() + interval '1 day' from engine.workflow as w;
analyze engine.workflow, engine.timer, engine.wait, engine.task, log.head;
"""


async def test_timers_are_read_once_however_many_workflows_sleep(vandal: Database) -> None:
    sleeping = Query(name="sleeping", purpose="Workflows that sleep.", sql=LOOSE + SLEEPING)
    read = Query(
        name="read",
        purpose="Rows of timers that this transaction read one after the other.",
        sql="select pg_stat_get_xact_tuples_returned('engine.timer'::regclass)::int",
    )
    rows = 0

    with suppress(UndoneError):
        async with vandal.transaction() as tx:
            await tx.execute(sleeping)
            before = await tx.fetchval_as(int, read)
            await checks.ask(tx, INVARIANTS["running_turns_wait_for_something"])
            rows = await tx.fetchval_as(int, read) - before
            raise UndoneError

    assert MANY <= rows < 10 * MANY
