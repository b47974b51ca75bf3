"""Each invariant holds on a sound history, examines something there, and finds its violation."""

from collections.abc import AsyncIterator
from contextlib import suppress
from uuid import UUID

import pytest

from mainspring_local.invariants import checks
from mainspring_postgres import Database, Options, Query
from mainspring_testkit.fixtures import Database as OwnDatabase
from tests.integration.invariants.history import (
    DONE,
    MESSAGE,
    NEXT,
    NOW_MS,
    OPEN,
    ORG,
    PLAIN,
    READY,
    SESSION,
    STOPPED,
    TOOL,
    WORKER,
    attempt,
    checkpoint,
    history,
)

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


OTHERS: tuple[tuple[str, str], ...] = (
    ("progress_bears_the_highest_fence", "update engine.progress set fence = 3"),
    ("progress_bears_the_highest_fence", "update engine.progress set rev = 3"),
    ("dead_letters_are_taken_up_by_a_later_turn", "delete from engine.dead_letter"),
    (
        "dead_letters_are_taken_up_by_a_later_turn",
        f"update engine.dead_letter set workflow_id = '{OPEN}'",
    ),
    (
        "dead_letters_are_taken_up_by_a_later_turn",
        f"update engine.resolution set org_id = '{SESSION}'",
    ),
    (
        "dead_letters_are_taken_up_by_a_later_turn",
        f"update engine.resolution set session_id = '{OPEN}'",
    ),
    ("effects_tell_the_truth", "update engine.effect set step = 'another'"),
    ("effects_tell_the_truth", "update engine.effect set fence = 0"),
    (
        "messages_have_a_turn",
        "update engine.inbox set workflow_id = null; update engine.workflow set outcome = 1",
    ),
    ("messages_have_a_turn", f"update engine.inbox set session_id = '{OPEN}'"),
    ("checkpoints_lie_within_their_attempt", "update engine.step_result set fence = 7"),
    ("checkpoints_lie_within_their_attempt", "update engine.step_result set rev = 0"),
    ("states_fit_together", f"{UNCHECKED} update engine.task set claimed_at = null"),
    ("states_fit_together", f"{UNCHECKED} update engine.task set stamped_at = null"),
    ("states_fit_together", f"{UNCHECKED} update engine.task set lease_until = null"),
    ("states_fit_together", f"{UNCHECKED} update engine.task set fence = 0"),
    ("states_fit_together", "delete from engine.worker"),
    (
        "states_fit_together",
        f"{UNCHECKED} update engine.task set incarnation = '{WORKER}' where state = 1",
    ),
    ("results_end_their_attempt", "update engine.step_result set fence = 2"),
    ("results_end_their_attempt", "update engine.step_result set rev = 3"),
    ("errors_are_told_of_failures", "update engine.attempt set closing = 5"),
    ("errors_are_told_of_failures", f"update engine.attempt_error set task_id = '{OPEN}'"),
    (
        "cancelled_plain_tasks_end_with_their_cancel",
        f"update engine.plain_cancel set task_id = '{READY}'",
    ),
    (
        "cancelled_plain_tasks_end_with_their_cancel",
        attempt(STOPPED, STOPPED, fence=1, claim=1, close=2, closing=3),
    ),
    (
        "cancelled_plain_tasks_end_with_their_cancel",
        f"update engine.step_result set workflow_id = '{STOPPED}', step = 'task' where checkpoint",
    ),
    ("plain_tasks_are_open_or_ended", "update engine.attempt set closing = 3"),
    ("slots_have_what_they_began", f"update scheduler.slot set workflow_id = '{MESSAGE}'"),
    (
        "signals_between_sessions_are_taken",
        f"""update engine.signal set consumed_by = null, created_at = now() - interval '1 hour';
        insert into log.head (session_id, org_id, hash, ts_ms, status, closed)
        values ('{DONE}', '{ORG}', '', 1, 1, true)""",
    ),
    ("one_turn_at_a_time", f"update engine.workflow set ordinal = 3 where id = '{OPEN}'"),
    (
        "one_turn_at_a_time",
        f"""update engine.workflow set outcome = 1 - outcome;
        update log.head set active_turn = '{DONE}'""",
    ),
    ("one_turn_at_a_time", f"update log.head set active_turn = '{DONE}'"),
    ("turns_follow_each_other", "delete from log.event where seq = 8"),
    (
        "delta_attempts_never_fall",
        f'update log.delta set ts_ms = {NOW_MS}, "offset" = 5 where n = 2',
    ),
    (
        "calls_are_answered_before_the_next_model_call",
        """update log.event set payload = '{"data":{"tool_call_id":"another"}}' where seq = 5;
        update log.event set type = 'reason.started' where seq = 6""",
    ),
    ("deltas_are_dense", f"delete from log.delta; update log.head set ts_ms = {NOW_MS}"),
    (
        "deltas_are_dense",
        f"delete from log.delta where n = 1; update log.delta set ts_ms = {NOW_MS}",
    ),
    ("deltas_are_dense", "update log.head set n = 1"),
    ("closed_tasks_stay_closed", f"update engine.task set id = '{TOOL}' where id = '{NEXT}'"),
    (
        "closed_tasks_stay_closed",
        attempt(TOOL, DONE, fence=2, claim=3, close=4, closing=3),
    ),
)
"""A rule of several parts has a violation of each."""


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


PLANTED = [*VIOLATIONS.items(), *OTHERS]


@pytest.mark.parametrize(
    ("name", "violation"),
    PLANTED,
    # By their place: in the statements stand ids that each process makes anew.
    ids=[f"{name}-{place}" for place, (name, _) in enumerate(PLANTED)],
)
async def test_a_planted_violation_is_found(vandal: Database, name: str, violation: str) -> None:
    plant = Query(name="plant", purpose="A violation.", sql=LOOSE + violation)
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
