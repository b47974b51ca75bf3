"""What differs from what was decided on, each thing by itself, also beside items that fit."""

import msgspec
import pytest

from mainspring_engine.domain.changes import Changes, CloseTask, NewTask
from mainspring_engine.domain.rows import Closing, Effect
from mainspring_engine.ports.store import Committed
from mainspring_schema.frames import Held, Verdict
from mainspring_schema.grants import SessionStatus
from tests.contract.engine_store.engine_worlds import (
    IDS,
    Session,
    Worker,
    World,
    close,
    result,
)

STARTED, DONE = 2, 3
"""Of an effect."""

BESIDE = pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside"])


async def committed(session: Session, changes: Changes, *, beside: bool) -> Committed:
    """Of an item in whichever place of its flight, whose other one is written."""
    if not beside:
        return await session.commit(changes)
    before, after = [await Session.opened(session.world) for _ in range(2)]
    flight = (before.changes(), changes, after.changes())
    first, reply, last = await session.world.store.commit(flight)
    assert first.verdict is last.verdict is Verdict.COMMITTED
    return reply


@BESIDE
@pytest.mark.parametrize(
    "differs",
    [
        {"org_id": IDS.uuid7()},
        {"last_seq": 2},
        {"hash": b"x" * 32},
        {"status": SessionStatus.IDLE},
        {"paused": True},
        {"closed": True},
        {"active_turn": IDS.uuid7()},
        {"turn_first_seq": 1},
    ],
    ids=lambda differs: next(iter(differs)),
)
async def test_each_thing_that_is_believed_of_a_head_is_compared(
    session: Session, differs: dict[str, object], beside: bool
) -> None:
    present = session.head
    session.head = msgspec.structs.replace(session.head, **differs)

    reply = await committed(session, session.changes(), beside=beside)

    assert reply.verdict is Verdict.CONFLICT
    assert (await session.world.store.load((session.id,)))[session.id].head == present


@BESIDE
async def test_a_session_that_was_closed_takes_nothing_of_who_believes_it_open(
    session: Session, beside: bool
) -> None:
    changes = session.changes()
    closed = msgspec.structs.replace(changes.after, closed=True)
    await session.commit(msgspec.structs.replace(changes, after=closed))
    session.head = changes.after

    reply = await committed(session, session.changes(), beside=beside)

    assert reply.verdict is Verdict.CONFLICT


@BESIDE
@pytest.mark.parametrize("off_ms", [-60_000, 60_000], ids=["behind", "ahead"])
async def test_a_time_that_is_far_off_is_decided_again(
    session: Session, off_ms: int, beside: bool
) -> None:
    changes = session.changes(at_ms=session.world.now_ms() + off_ms)

    assert (await committed(session, changes, beside=beside)).verdict is Verdict.CONFLICT


@BESIDE
async def test_no_time_lies_before_the_last_one(session: Session, beside: bool) -> None:
    soon = session.world.now_ms() + 3000
    await session.commit(session.changes(at_ms=soon))

    reply = await committed(session, session.changes(at_ms=soon - 1), beside=beside)

    assert reply.verdict is Verdict.CONFLICT


async def test_of_turns_that_go_on_together_one_that_has_moved_is_decided_again(
    world: World,
) -> None:
    sessions = [await Session.opened(world) for _ in range(3)]
    for one in sessions:
        await one.start_turn()
    sessions[1].rev = 7

    replies = await world.store.commit(
        tuple(one.changes(workflows=(one.workflow(),)) for one in sessions)
    )

    assert [reply.verdict for reply in replies] == [
        Verdict.COMMITTED, Verdict.CONFLICT, Verdict.COMMITTED,
    ]  # fmt: skip


async def test_each_end_of_several_tells_who_held_its_own_attempt(world: World) -> None:
    workers = [await Worker.attached(world) for _ in range(3)]
    session, other = [await Session.opened(world) for _ in range(2)]
    mine = [session.task(f"reason:{n}", claim=workers[n].claim) for n in range(2)]
    theirs = other.task(claim=workers[2].claim)
    await session.start_turn(*mine)
    await other.start_turn(theirs)

    def ends(*tasks: NewTask) -> tuple[CloseTask, ...]:
        return tuple(close(Held(task.id, 1)) for task in tasks)

    replies = await world.store.commit(
        (
            session.changes(closes=ends(mine[1], mine[0])),
            other.changes(closes=ends(theirs)),
        )
    )

    told = [(one.held.task_id, one.incarnation) for reply in replies for one in reply.closes]
    assert told == [
        (mine[1].id, workers[1].id), (mine[0].id, workers[0].id), (theirs.id, workers[2].id),
    ]  # fmt: skip


@BESIDE
@pytest.mark.parametrize(
    ("closing", "result_hash"), [(Closing.CANCELLED, b""), (Closing.RESULT, b"r" * 32)]
)
async def test_an_attempt_that_ended_without_a_result_ends_no_second_time(
    session: Session, worker: Worker, closing: Closing, result_hash: bytes, beside: bool
) -> None:
    task = session.task(claim=worker.claim)
    await session.start_turn(task)
    held = Held(task.id, 1)
    end = close(held, closing=Closing.CANCELLED, result_hash=b"")
    assert (await session.commit(session.changes(closes=(end,)))).verdict is Verdict.COMMITTED
    late = close(held, closing=closing, result_hash=result_hash)

    reply = await committed(session, session.changes(closes=(late,)), beside=beside)

    assert reply.verdict is Verdict.STALE


@BESIDE
@pytest.mark.parametrize("wrong", ["task", "fence", "workflow"])
async def test_a_result_is_of_the_attempt_that_ends_with_it(
    session: Session, worker: Worker, wrong: str, beside: bool
) -> None:
    tasks = [session.task(f"reason:{n}", claim=worker.claim) for n in range(2)]
    await session.start_turn(*tasks)
    held, other = [Held(task.id, 1) for task in tasks]
    of = {"task": other, "fence": Held(held.task_id, 2), "workflow": held}[wrong]
    kept = result(session, of, "reason:0")
    if wrong == "workflow":
        kept = msgspec.structs.replace(kept, workflow_id=IDS.uuid7())

    changes = session.changes(closes=(close(held),), results=(kept,))

    assert (await committed(session, changes, beside=beside)).verdict is Verdict.INVALID
    assert len((await session.world.store.open_tasks((session.turn,)))[session.turn]) == 2


@pytest.mark.parametrize("together", [False, True])
async def test_an_effect_ends_with_its_own_call_alone(
    session: Session, worker: Worker, together: bool
) -> None:
    calls = [
        session.task(f"tool:1:{n}", claim=worker.claim, effect=Effect.AT_MOST_ONCE)
        for n in range(3)
    ]
    other = await Session.opened(session.world)
    elsewhere = other.task("tool:1:0", claim=worker.claim, effect=Effect.AT_MOST_ONCE)
    await session.start_turn(*calls)
    await other.start_turn(elsewhere)
    held = [Held(call.id, 1) for call in (*calls, elsewhere)]
    await session.world.store.start(tuple(worker.renewal(one) for one in held))
    ended = calls[:2] if together else calls[:1]

    ends = tuple(close(Held(call.id, 1)) for call in ended)
    assert (await session.commit(session.changes(closes=ends))).verdict is Verdict.COMMITTED

    states = [await session.world.effect_state(session.turn, call.step) for call in calls]
    assert states == ([DONE, DONE, STARTED] if together else [DONE, STARTED, STARTED])
    assert await session.world.effect_state(other.turn, elsewhere.step) == STARTED


@BESIDE
async def test_no_item_leaves_a_gap_before_its_events(session: Session, beside: bool) -> None:
    changes = session.changes()
    (event,) = changes.events
    later = msgspec.structs.replace(event, seq=event.seq + 1)

    reply = await committed(
        session, msgspec.structs.replace(changes, events=(later,)), beside=beside
    )

    assert reply.verdict is Verdict.INVALID
