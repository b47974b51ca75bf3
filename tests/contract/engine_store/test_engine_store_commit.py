"""What a flight writes, and that an item is written wholly or not at all."""

import msgspec
import pytest

from mainspring_engine.domain.changes import Anchor, Config, Consume, DeadLetter
from mainspring_engine.domain.limits import READY_GROUPS_MAX
from mainspring_engine.domain.rows import Effect, Outcome, TaskState, View
from mainspring_engine.ports.store import Step
from mainspring_schema.frames import Held, Verdict
from mainspring_schema.grants import DeltaAppend, SessionStatus
from tests.contract.engine_store.engine_worlds import (
    IDS,
    ROUTE,
    Session,
    Worker,
    World,
    close,
    result,
)


async def test_a_first_item_is_loaded_as_it_was_committed(session: Session, worker: Worker) -> None:
    task = session.task(claim=worker.claim)
    message = session.accept(consumed=True)
    changes = session.changes(
        events=3, workflows=(session.workflow(),), tasks=(task,), accepts=(message,)
    )
    active = msgspec.structs.replace(
        changes.after, status=SessionStatus.ACTIVE, active_turn=session.turn, turn_first_seq=2
    )

    reply = await session.commit(msgspec.structs.replace(changes, after=active))

    assert reply.verdict is Verdict.COMMITTED
    assert abs(reply.now_ms - session.world.now_ms()) < 5000
    view = (await session.world.store.load((session.id,)))[session.id]
    assert view.head == active
    assert view.workflow is not None
    assert (view.workflow.rev, view.workflow.state) == (1, b"s")
    assert view.inbox == ()


async def test_unknown_sessions_are_absent(world: World) -> None:
    assert await world.store.load((IDS.uuid7(),)) == {}


async def test_a_claimed_task_is_leased_at_once_and_others_wait(
    session: Session, worker: Worker
) -> None:
    claimed, ready = session.task("a", claim=worker.claim), session.task("b")

    await session.start_turn(claimed, ready)

    tasks = (await session.world.store.open_tasks((session.turn,)))[session.turn]
    by_id = {task.id: task for task in tasks}
    assert (by_id[claimed.id].state, by_id[claimed.id].fence) == (TaskState.LEASED, 1)
    assert by_id[claimed.id].incarnation == worker.id
    assert (by_id[ready.id].state, by_id[ready.id].fence) == (TaskState.READY, 0)


async def test_a_claim_for_an_old_stream_waits_as_ready(session: Session, worker: Worker) -> None:
    old = session.task(claim=worker.claim)
    worker.attach_number = 2
    await session.world.store.attach((worker.attach_row(),))

    reply = await session.start_turn(old)

    assert reply.unclaimed == (old.id,)
    (task,) = (await session.world.store.open_tasks((session.turn,)))[session.turn]
    assert task.state is TaskState.READY


async def test_a_result_closes_its_task_and_the_next_step_begins(
    session: Session, worker: Worker
) -> None:
    first = session.task("reason:1", claim=worker.claim)
    await session.start_turn(first)
    held = Held(first.id, 1)
    second = session.task("reason:2", claim=worker.claim)

    reply = await session.commit(
        session.changes(
            workflows=(session.workflow(state=b"t"),),
            closes=(close(held),),
            results=(result(session, held),),
            tasks=(second,),
        )
    )

    assert reply.verdict is Verdict.COMMITTED
    (closed,) = reply.closes
    assert (closed.held, closed.verdict, closed.incarnation) == (held, Verdict.COMMITTED, worker.id)
    assert closed.claimed_ms > 0
    store = session.world.store
    assert [t.id for t in (await store.open_tasks((session.turn,)))[session.turn]] == [second.id]
    kept = await store.steps((Step(workflow_id=session.turn, step="reason:1"),))
    assert kept == {(session.turn, "reason:1"): b"body"}
    assert await session.world.attempts(first.id) == [(1, 1)]


async def test_a_flight_of_many_sessions_keeps_its_order(world: World, worker: Worker) -> None:
    sessions = [await Session.opened(world) for _ in range(5)]
    tasks = [session.task(claim=worker.claim) for session in sessions]
    flight = tuple(
        session.changes(workflows=(session.workflow(),), tasks=(task,))
        for session, task in zip(sessions, tasks, strict=True)
    )
    stale = flight[2]
    await sessions[2].commit(sessions[2].changes(events=2))

    replies = await world.store.commit(flight)

    verdicts = [reply.verdict for reply in replies]
    assert verdicts == [Verdict.COMMITTED] * 2 + [Verdict.CONFLICT] + [Verdict.COMMITTED] * 2
    views = await world.store.load(tuple(session.id for session in sessions))
    for session, changes in zip(sessions, flight, strict=True):
        assert (views[session.id].head == changes.after) is (changes is not stale)


async def test_two_items_of_one_session_are_a_mistake_of_the_caller(session: Session) -> None:
    changes = session.changes()

    with pytest.raises(ValueError, match="one item per session"):
        await session.world.store.commit((changes, changes))


async def test_deltas_are_counted_before_the_next_event(session: Session) -> None:
    changes = session.changes(anchors=(Anchor(anchor="message_1", attempt=1),))
    active = msgspec.structs.replace(changes.after, active_turn=session.turn)
    await session.commit(msgspec.structs.replace(changes, after=active))
    await session.world.append_delta(
        DeltaAppend(
            session_id=session.id,
            turn_id=session.turn,
            anchor="message_1",
            attempt=1,
            channel="text",
            offset=0,
            fragment="hello",
        )
    )

    reply = await session.commit(session.changes())

    assert (reply.verdict, reply.deltas_before) == (Verdict.COMMITTED, 1)


async def test_a_status_changes_without_an_event(session: Session) -> None:
    waiting = msgspec.structs.replace(session.head, status=SessionStatus.WAITINGFORTOOLRESULTS)

    reply = await session.commit(msgspec.structs.replace(session.changes(events=0), after=waiting))

    assert reply.verdict is Verdict.COMMITTED
    assert (await session.world.store.load((session.id,)))[session.id].head == waiting


async def test_a_session_closes_after_its_last_events(session: Session) -> None:
    changes = session.changes(events=2)
    closed = msgspec.structs.replace(changes.after, closed=True)

    reply = await session.commit(msgspec.structs.replace(changes, after=closed))

    assert reply.verdict is Verdict.COMMITTED
    head = (await session.world.store.load((session.id,)))[session.id].head
    assert head is not None
    assert (head.closed, head.last_seq) == (True, 3)


async def test_a_waiting_message_is_consumed_once(session: Session) -> None:
    message = session.accept()
    await session.commit(session.changes(workflows=(session.workflow(),), accepts=(message,)))
    consume = Consume(message_id=message.message_id, workflow_id=session.turn)
    waiting = await session.world.store.load((session.id,))

    first = await session.commit(session.changes(consumes=(consume,)))
    again = await session.commit(session.changes(consumes=(consume,)))

    assert [row.message_id for row in waiting[session.id].inbox] == [message.message_id]
    assert first.verdict is Verdict.COMMITTED
    assert again.verdict is Verdict.INVALID
    assert (await session.world.store.load((session.id,)))[session.id].inbox == ()


async def test_configurations_are_kept_by_hash(session: Session) -> None:
    config = Config(hash=IDS.uuid4().bytes * 2, org_id=session.org_id, body=b"folded")
    await session.commit(session.changes(configs=(config,)))
    await session.commit(session.changes(configs=(config,)))

    known = await session.world.store.configs((config.hash, b"none"))

    assert known == {config.hash: b"folded"}


async def test_the_next_turn_starts_in_the_commit_that_ends_one(session: Session) -> None:
    await session.start_turn()
    ended = session.workflow(outcome=Outcome.COMPLETED)
    session.turn = IDS.uuid7()
    session.rev = 0
    following = msgspec.structs.replace(session.workflow(), ordinal=2)

    reply = await session.commit(session.changes(workflows=(ended, following)))

    assert reply.verdict is Verdict.COMMITTED
    view = (await session.world.store.load((session.id,)))[session.id]
    assert view.workflow is not None
    assert (view.workflow.id, view.workflow.ordinal) == (following.id, 2)


@pytest.mark.parametrize("conflicts", [False, True])
async def test_turns_that_go_on_in_one_flight_keep_each_its_own_state(
    world: World, session: Session, conflicts: bool
) -> None:
    stale = (session.changes(),) if conflicts else ()
    await session.commit(session.changes())
    sessions = [await Session.opened(world) for _ in range(3)]
    for one in sessions:
        await one.start_turn()
    states = [b"1", b"2", b"3"]

    replies = await world.store.commit(
        tuple(
            one.changes(workflows=(one.workflow(state=state),))
            for one, state in zip(sessions, states, strict=True)
        )
        + stale
    )

    verdicts = [Verdict.COMMITTED] * 3 + [Verdict.CONFLICT] * len(stale)
    assert [reply.verdict for reply in replies] == verdicts
    views = await world.store.load(tuple(one.id for one in sessions))
    turns = [views[one.id].workflow for one in sessions]
    assert [turn and (turn.rev, turn.state) for turn in turns] == [(2, state) for state in states]


async def test_a_broken_item_alone_is_left_out(world: World, worker: Worker) -> None:
    sessions = [await Session.opened(world) for _ in range(4)]
    flight = [
        s.changes(workflows=(s.workflow(),), tasks=(s.task(claim=worker.claim),)) for s in sessions
    ]
    nobody = Held(IDS.uuid7(), 1)
    flight[1] = sessions[1].changes(
        workflows=(sessions[1].workflow(),), results=(result(sessions[1], nobody),)
    )

    replies = await world.store.commit(tuple(flight))

    verdicts = [reply.verdict for reply in replies]
    assert verdicts == [Verdict.COMMITTED, Verdict.INVALID, Verdict.COMMITTED, Verdict.COMMITTED]
    assert replies[1].problem
    assert replies[1].now_ms > 0
    view = (await world.store.load((sessions[1].id,)))[sessions[1].id]
    assert view == View(head=sessions[1].head, workflow=None)


async def test_events_that_leave_a_gap_are_refused(session: Session) -> None:
    changes = session.changes(events=2)

    reply = await session.commit(msgspec.structs.replace(changes, events=changes.events[1:]))

    assert reply.verdict is Verdict.INVALID
    assert (await session.world.store.load((session.id,)))[session.id].head == session.head


async def test_a_quarantined_task_leaves_a_dead_letter(session: Session, worker: Worker) -> None:
    task = session.task(claim=worker.claim)
    await session.start_turn(task)
    letter = DeadLetter(task_id=task.id, workflow_id=session.turn, reason="poison", detail="x")
    held = Held(task.id, 1)

    reply = await session.commit(
        session.changes(closes=(close(held, result_hash=b""),), dead_letters=(letter,))
    )

    assert reply.verdict is Verdict.COMMITTED
    assert await session.world.store.open_tasks((session.turn,)) == {}


async def test_a_task_that_nobody_claimed_closes_without_an_attempt(session: Session) -> None:
    task = session.task()
    await session.start_turn(task)
    unclaimed = close(Held(task.id, 0), result_hash=b"", expected=TaskState.READY)

    reply = await session.commit(session.changes(closes=(unclaimed,)))

    assert reply.verdict is Verdict.COMMITTED
    assert await session.world.attempts(task.id) == []


@pytest.mark.parametrize(
    ("starts", "state"), [(True, 3), (False, 6)], ids=["started", "never started"]
)
async def test_an_effect_tells_how_its_call_ended(
    session: Session, worker: Worker, starts: bool, state: int
) -> None:
    task = session.task("tool:1:0", claim=worker.claim, effect=Effect.AT_MOST_ONCE)
    await session.start_turn(task)
    held = Held(task.id, 1)
    if starts:
        await session.world.store.start((worker.renewal(held),))

    reply = await session.commit(
        session.changes(closes=(close(held),), results=(result(session, held, "tool:1:0"),))
    )

    assert reply.verdict is Verdict.COMMITTED
    assert await session.world.effect_state(session.turn, "tool:1:0") == state


async def test_routes_are_interned(session: Session) -> None:
    route = msgspec.structs.replace(ROUTE, build=IDS.uuid4().hex)
    await session.start_turn(session.task(route=route))

    page = await session.world.store.ready_groups(None, READY_GROUPS_MAX)
    assert route in {ready.group.route for ready in page.groups}
