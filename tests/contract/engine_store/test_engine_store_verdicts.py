"""Why an item is not written, and what its caller is told to decide again."""

import msgspec
import pytest

from mainspring_engine.domain.changes import EmitCounter, MarkTask
from mainspring_engine.domain.rows import TaskState, View
from mainspring_schema.frames import Held, Verdict
from tests.contract.engine_store.engine_worlds import (
    IDS,
    Session,
    Worker,
    World,
    close,
    result,
)


async def claimed(session: Session, worker: Worker) -> Held:
    task = session.task(claim=worker.claim)
    await session.start_turn(task)
    return Held(task.id, 1)


async def unchanged(session: Session) -> bool:
    return (await session.world.store.load((session.id,)))[session.id].head == session.head


async def test_the_same_result_again_is_a_duplicate(session: Session, worker: Worker) -> None:
    held = await claimed(session, worker)
    closes, results = (close(held),), (result(session, held),)
    await session.commit(session.changes(closes=closes, results=results))

    reply = await session.commit(session.changes(closes=closes, results=results))

    assert reply.verdict is Verdict.DUPLICATE
    assert [c.verdict for c in reply.closes] == [Verdict.DUPLICATE]
    assert await unchanged(session)


@pytest.mark.parametrize("result_hash", [b"q" * 32, b""], ids=["another", "none"])
async def test_another_result_of_a_closed_attempt_is_stale(
    session: Session, worker: Worker, result_hash: bytes
) -> None:
    held = await claimed(session, worker)
    await session.commit(session.changes(closes=(close(held),)))

    reply = await session.commit(session.changes(closes=(close(held, result_hash=result_hash),)))

    assert reply.verdict is Verdict.STALE


async def test_a_result_of_an_older_fence_is_stale(
    session: Session, worker: Worker, world: World
) -> None:
    held = await claimed(session, worker)
    reply = await session.commit(session.changes(closes=(close(Held(held.task_id, 2)),)))

    assert reply.verdict is Verdict.STALE
    assert await unchanged(session)
    tasks = await world.store.open_tasks((session.turn,))
    assert [task.id for task in tasks[session.turn]] == [held.task_id]


async def test_a_task_in_another_state_is_stale(session: Session, worker: Worker) -> None:
    held = await claimed(session, worker)

    reply = await session.commit(
        session.changes(closes=(close(held, result_hash=b"", expected=TaskState.READY),))
    )

    assert reply.verdict is Verdict.STALE


async def test_so_is_one_beside_others_that_are_as_they_were(
    session: Session, worker: Worker
) -> None:
    good, bad = session.task("a", claim=worker.claim), session.task("b", claim=worker.claim)
    await session.start_turn(good, bad)
    untaken = close(Held(bad.id, 1), result_hash=b"", expected=TaskState.READY)

    reply = await session.commit(session.changes(closes=(close(Held(good.id, 1)), untaken)))

    assert [c.verdict for c in reply.closes] == [Verdict.CONFLICT, Verdict.STALE]
    assert await unchanged(session)


async def test_a_task_that_never_was_is_stale(session: Session) -> None:
    reply = await session.commit(session.changes(closes=(close(Held(IDS.uuid7(), 1)),)))

    assert reply.verdict is Verdict.STALE


async def test_one_stale_result_keeps_the_whole_item_unwritten(
    session: Session, worker: Worker
) -> None:
    good, bad = session.task("a", claim=worker.claim), session.task("b", claim=worker.claim)
    await session.start_turn(good, bad)
    closes = (close(Held(good.id, 1)), close(Held(bad.id, 7)))

    reply = await session.commit(session.changes(closes=closes))

    assert reply.verdict is Verdict.STALE
    assert [c.verdict for c in reply.closes] == [Verdict.CONFLICT, Verdict.STALE]
    assert await unchanged(session)
    assert len((await session.world.store.open_tasks((session.turn,)))[session.turn]) == 2


async def test_two_ends_of_one_attempt_in_an_item_end_it_once(
    session: Session, worker: Worker
) -> None:
    held = await claimed(session, worker)

    reply = await session.commit(session.changes(closes=(close(held), close(held))))

    assert reply.verdict is Verdict.COMMITTED
    assert session.turn not in await session.world.store.open_tasks((session.turn,))


async def test_a_duplicate_outweighs_a_stale_entry(session: Session, worker: Worker) -> None:
    held = await claimed(session, worker)
    await session.commit(session.changes(closes=(close(held),)))

    reply = await session.commit(session.changes(closes=(close(Held(IDS.uuid7(), 1)), close(held))))

    assert reply.verdict is Verdict.DUPLICATE
    assert [c.verdict for c in reply.closes] == [Verdict.STALE, Verdict.DUPLICATE]


async def test_a_moved_head_is_a_conflict_that_shows_the_present(session: Session) -> None:
    old = session.changes()
    waiting = session.accept()
    await session.commit(
        session.changes(events=2, workflows=(session.workflow(),), accepts=(waiting,))
    )

    reply = await session.commit(old)

    assert reply.verdict is Verdict.CONFLICT
    assert reply.view is not None
    assert reply.view.head == session.head
    assert reply.view.workflow is not None
    assert reply.view.workflow.rev == 1
    assert [row.message_id for row in reply.view.inbox] == [waiting.message_id]


async def test_another_hash_at_the_same_position_is_a_conflict(session: Session) -> None:
    session.head = msgspec.structs.replace(session.head, hash=b"x" * 32)

    reply = await session.commit(session.changes())

    assert reply.verdict is Verdict.CONFLICT


async def test_a_moved_workflow_is_a_conflict(session: Session) -> None:
    await session.start_turn()
    session.rev = 0
    again = await session.commit(session.changes(workflows=(session.workflow(),)))
    session.rev = 7
    moved = await session.commit(session.changes(workflows=(session.workflow(),)))

    assert (again.verdict, moved.verdict) == (Verdict.CONFLICT, Verdict.CONFLICT)
    assert moved.view is not None
    assert moved.view.workflow is not None
    assert moved.view.workflow.rev == 1


async def test_a_missing_workflow_is_a_conflict(session: Session) -> None:
    session.rev = 1

    reply = await session.commit(session.changes(workflows=(session.workflow(),)))

    assert reply.verdict is Verdict.CONFLICT


async def test_a_missing_head_is_a_conflict(world: World) -> None:
    nowhere = Session(world, IDS.uuid7())

    reply = await nowhere.commit(nowhere.changes())

    assert (reply.verdict, reply.view) == (Verdict.CONFLICT, View(head=None, workflow=None))


async def test_a_foreign_organization_is_a_conflict(session: Session) -> None:
    real = session.head
    session.head = msgspec.structs.replace(session.head, org_id=IDS.uuid7())

    reply = await session.commit(session.changes())

    assert reply.verdict is Verdict.CONFLICT
    assert (await session.world.store.load((session.id,)))[session.id].head == real


@pytest.mark.parametrize("off_ms", [-60_000, 60_000], ids=["behind", "ahead"])
async def test_times_far_from_the_store_are_a_conflict_that_tells_its_time(
    session: Session, off_ms: int
) -> None:
    now_ms = session.world.now_ms()

    reply = await session.commit(session.changes(at_ms=now_ms + off_ms))

    assert reply.verdict is Verdict.CONFLICT
    assert abs(reply.now_ms - now_ms) < 5000


async def test_a_time_may_equal_the_head_and_not_lie_below_it(session: Session) -> None:
    soon = session.world.now_ms() + 3000
    first = await session.commit(session.changes(at_ms=soon))
    equal = await session.commit(session.changes(at_ms=soon))
    below = await session.commit(session.changes(at_ms=soon - 1))

    assert first.verdict is equal.verdict is Verdict.COMMITTED
    assert below.verdict is Verdict.CONFLICT


async def test_a_message_that_comes_again_is_known(session: Session) -> None:
    message = session.accept(consumed=True)
    await session.commit(session.changes(workflows=(session.workflow(),), accepts=(message,)))

    reply = await session.commit(session.changes(accepts=(message,)))

    assert reply.verdict is Verdict.DUPLICATE
    known = reply.known[message.message_id]
    assert known.message_id == message.message_id
    assert (known.seq, known.turn_id) == (message.seq, message.turn_id)
    assert known.body_hash == message.body_hash


async def test_an_idempotency_key_leads_to_its_first_message(session: Session) -> None:
    first = session.accept(key="k")
    await session.commit(session.changes(accepts=(first,)))
    second = msgspec.structs.replace(session.accept(key="k"), body_hash=b"o" * 32)

    reply = await session.commit(session.changes(accepts=(second,)))

    assert reply.verdict is Verdict.DUPLICATE
    known = reply.known[second.message_id]
    assert (known.message_id, known.body_hash) == (first.message_id, first.body_hash)
    view = (await session.world.store.load((session.id,)))[session.id]
    assert [row.message_id for row in view.inbox] == [first.message_id]


async def test_an_idempotency_key_belongs_to_its_session(world: World, session: Session) -> None:
    other = await Session.opened(world, session.org_id)
    await session.commit(session.changes(accepts=(session.accept(key="k"),)))

    reply = await other.commit(other.changes(accepts=(other.accept(key="k"),)))

    assert reply.verdict is Verdict.COMMITTED


async def test_one_key_twice_in_an_item_breaks_a_rule(session: Session) -> None:
    twice = (session.accept(key="k"), session.accept(key="k"))

    reply = await session.commit(session.changes(accepts=twice))

    assert reply.verdict is Verdict.INVALID
    assert await unchanged(session)


async def test_a_mark_asks_the_holder_to_stop(session: Session, worker: Worker) -> None:
    held = await claimed(session, worker)
    mark = MarkTask(task_id=held.task_id, fence=1)

    reply = await session.commit(session.changes(marks=(mark,)))

    assert (reply.verdict, reply.marks) == (Verdict.COMMITTED, (Verdict.COMMITTED,))
    (renewed,) = await session.world.store.renew((worker.renewal(held),))
    assert renewed.cancelling


async def test_a_mark_of_an_attempt_that_ended_is_stale(session: Session, worker: Worker) -> None:
    held = await claimed(session, worker)
    await session.commit(session.changes(closes=(close(held),)))

    reply = await session.commit(session.changes(marks=(MarkTask(task_id=held.task_id, fence=1),)))

    assert (reply.verdict, reply.marks) == (Verdict.STALE, (Verdict.STALE,))


async def test_an_emit_counter_rises_once(session: Session, worker: Worker) -> None:
    held = await claimed(session, worker)

    def emit(counter: int, fence: int = 1) -> EmitCounter:
        return EmitCounter(task_id=held.task_id, fence=fence, counter=counter)

    first = await session.commit(session.changes(emits=(emit(1), emit(2))))
    again = await session.commit(session.changes(emits=(emit(2), emit(3))))
    foreign = await session.commit(session.changes(emits=(emit(3, fence=2),)))

    assert first.emits == (Verdict.COMMITTED, Verdict.COMMITTED)
    assert (again.verdict, again.emits) == (
        Verdict.DUPLICATE,
        (Verdict.DUPLICATE, Verdict.CONFLICT),
    )
    assert (foreign.verdict, foreign.emits) == (Verdict.STALE, (Verdict.STALE,))


async def test_events_and_the_result_of_one_task_ride_together(
    session: Session, worker: Worker
) -> None:
    held = await claimed(session, worker)
    emit = EmitCounter(task_id=held.task_id, fence=1, counter=1)

    reply = await session.commit(
        session.changes(emits=(emit,), closes=(close(held),), results=(result(session, held),))
    )

    assert reply.verdict is Verdict.COMMITTED


async def test_a_stale_entry_outweighs_a_conflict(session: Session, worker: Worker) -> None:
    held = await claimed(session, worker)
    old = session.changes(closes=(close(held),))
    await session.commit(old)

    reply = await session.commit(
        msgspec.structs.replace(old, closes=(close(held, result_hash=b"z"),))
    )

    assert reply.verdict is Verdict.STALE
