"""What ended a moment ago, as an engine asks when it starts."""

import pytest

from mainspring_engine.domain.rows import Closing, Outcome
from mainspring_engine.ports.store import Ended
from mainspring_schema.frames import Held
from tests.contract.engine_store.engine_worlds import Session, Worker, World, close, result

ALL = 10_000
MINUTE_MS = 60_000


async def ended(session: Session, *, within_ms: int = MINUTE_MS) -> list[Ended]:
    found = await session.world.store.ended_lately(within_ms=within_ms, limit=ALL)
    return [one for one in found if one.session_id == session.id]


@pytest.mark.parametrize("outcome", [Outcome.RUNNING, Outcome.COMPLETED])
async def test_an_attempt_that_closed_is_told_with_its_turn(
    session: Session, worker: Worker, outcome: Outcome
) -> None:
    task = session.task(claim=worker.claim)
    held = Held(task.id, 1)
    await session.start_turn(task)
    before = await ended(session)
    await session.commit(
        session.changes(
            workflows=(session.workflow(outcome=outcome),),
            closes=(close(held),),
            results=(result(session, held),),
        )
    )

    (after,) = await ended(session)

    assert before == []
    assert (after.task_id, after.fence, after.closing) == (task.id, 1, Closing.RESULT)
    assert (after.workflow_id, after.org_id) == (session.turn, session.org_id)
    assert (after.outcome, after.traceparent, after.started_ms) == (outcome, "trace", 1)
    assert after.config_hash == b"c" * 32
    assert after.claimed_ms <= after.ended_ms
    assert abs(after.ended_ms - session.world.now_ms()) < MINUTE_MS


async def test_only_so_many_are_told_newest_first_and_none_that_are_older(
    world: World, session: Session, worker: Worker
) -> None:
    tasks = [session.task(f"tool:1:{n}", claim=worker.claim) for n in range(3)]
    await session.start_turn(*tasks)
    for task in tasks:
        await world.pass_time(1)
        gone = close(Held(task.id, 1), closing=Closing.CANCELLED)
        await session.commit(session.changes(closes=(gone,)))
    newest = await world.store.ended_lately(within_ms=MINUTE_MS, limit=2)
    await world.pass_time(1)

    assert [one.task_id for one in newest] == [tasks[2].id, tasks[1].id]
    assert await ended(session, within_ms=0) == []
