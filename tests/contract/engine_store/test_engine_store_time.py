"""Leases, starts, releases, retries, timers and sweeps."""

import msgspec
import pytest

from mainspring_engine.domain.changes import MarkTask, Timer
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import Closing, Effect, TaskState
from mainspring_engine.ports.store import ExpiredTask, Handed, Release
from mainspring_schema.frames import Held, Verdict
from tests.contract.engine_store.engine_worlds import (
    IDS,
    ROUTE,
    Session,
    Worker,
    World,
    close,
    result,
)

ALL = 10_000


async def held_task(
    session: Session, worker: Worker, effect: Effect = Effect.PURE, route: Route = ROUTE
) -> Held:
    task = session.task("tool:1:0", claim=worker.claim, effect=effect, route=route)
    await session.start_turn(task)
    return Held(task.id, 1)


async def expired(world: World, held: Held) -> ExpiredTask | None:
    found = await world.store.expired(ALL)
    return next((one for one in found if one.task.id == held.task_id), None)


# ── leases ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_lease_lives_as_long_as_it_is_renewed(session: Session, worker: Worker) -> None:
    held = await held_task(session, worker)
    world = session.world
    for _ in range(3):
        await world.pass_time(6)
        (renewed,) = await world.store.renew((worker.renewal(held),))
        assert not renewed.lost
        assert await expired(world, held) is None

    await world.pass_time(11)

    assert await expired(world, held) is not None


async def test_the_first_renewal_acknowledges(session: Session, worker: Worker) -> None:
    held = await held_task(session, worker)
    (before,) = await session.world.store.held_by(worker.id)

    await session.world.store.renew((worker.renewal(held),))

    (after,) = await session.world.store.held_by(worker.id)
    assert (before.acknowledged, after.acknowledged) == (False, True)


async def test_renewals_answer_in_their_order(
    world: World, session: Session, worker: Worker
) -> None:
    held = await held_task(session, worker)
    other = await Worker.attached(world)
    asked = (
        worker.renewal(Held(IDS.uuid7(), 1)),
        worker.renewal(held),
        worker.renewal(Held(held.task_id, 2)),
        other.renewal(held),
    )

    replies = await world.store.renew(asked)

    assert [reply.held for reply in replies] == [one.held for one in asked]
    assert [reply.lost for reply in replies] == [True, False, True, True]


async def test_an_empty_flight_of_renewals_lands(world: World) -> None:
    assert await world.store.renew(()) == ()


async def test_a_stream_that_carried_a_task_acknowledges_it_and_renews_nothing(
    session: Session, worker: Worker
) -> None:
    held = await held_task(session, worker)
    world = session.world
    handed = Handed(held=held, incarnation=worker.id, attach_number=1)
    await world.pass_time(6)

    for _ in range(2):
        await world.store.acknowledge((handed, handed))

    (after,) = await world.store.held_by(worker.id)
    await world.pass_time(5)
    assert after.acknowledged
    assert await expired(world, held) is not None


@pytest.mark.parametrize("why", ["fence", "worker", "attach", "open"])
async def test_a_stream_speaks_only_for_the_attempt_it_carried(
    session: Session, worker: Worker, why: str
) -> None:
    held = await held_task(session, worker)
    handed = Handed(
        held=Held(IDS.uuid7() if why == "open" else held.task_id, 2 if why == "fence" else 1),
        incarnation=IDS.uuid7() if why == "worker" else worker.id,
        attach_number=2 if why == "attach" else 1,
    )

    await session.world.store.acknowledge((handed,))

    (after,) = await session.world.store.held_by(worker.id)
    assert not after.acknowledged


# ── starts ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_start_is_acknowledged_again_to_the_same_fence(
    session: Session, worker: Worker
) -> None:
    held = await held_task(session, worker, Effect.AT_MOST_ONCE)

    first = await session.world.store.start((worker.renewal(held),))
    again = await session.world.store.start((worker.renewal(held),))

    assert (first, again) == ((Verdict.COMMITTED,), (Verdict.DUPLICATE,))
    (task,) = await session.world.store.held_by(worker.id)
    assert (task.task.started, task.acknowledged) == (True, True)
    assert await session.world.effect_state(session.turn, "tool:1:0") == 2


async def test_a_cancelled_call_does_not_start(session: Session, worker: Worker) -> None:
    held = await held_task(session, worker, Effect.AT_MOST_ONCE)
    await session.commit(session.changes(marks=(MarkTask(task_id=held.task_id, fence=1),)))

    verdicts = await session.world.store.start((worker.renewal(held),))

    assert verdicts == (Verdict.STALE,)
    assert await session.world.effect_state(session.turn, "tool:1:0") == 1


async def test_of_several_effects_only_those_that_their_worker_holds_are_started(
    session: Session, worker: Worker
) -> None:
    other = await Session.opened(session.world)
    held, lost = [await held_task(one, worker, Effect.VERIFIABLE) for one in (session, other)]
    asked = (worker.renewal(held), worker.renewal(Held(lost.task_id, 2)))

    verdicts = await session.world.store.start(asked)

    assert verdicts == (Verdict.COMMITTED, Verdict.STALE)
    tasks = await session.world.store.open_tasks((session.turn, other.turn))
    assert [task.started for (task,) in tasks.values()] == [True, False]


@pytest.mark.parametrize("effect", [Effect.AT_MOST_ONCE, Effect.VERIFIABLE])
async def test_no_second_attempt_starts_an_effect_again(
    session: Session, worker: Worker, queue: str, effect: Effect
) -> None:
    held = await held_task(session, worker, effect, route=Route(queue=queue))
    store = session.world.store
    await store.start((worker.renewal(held),))
    await store.release(
        (Release(held=held, closing=Closing.EXPIRED, counts_death=True, unstarted_only=False),)
    )
    (second,) = await worker.take(1, Route(queue=queue))

    verdicts = await store.start((worker.renewal(second.held),))

    assert second.started
    assert verdicts == (Verdict.STALE,)


@pytest.mark.parametrize(
    ("closing", "state"), [(Closing.RESULT, 3), (Closing.FAILED, 4), (Closing.UNKNOWN, 5)]
)
async def test_an_effect_lost_after_its_start_ends_by_what_a_second_attempt_finds(
    session: Session, worker: Worker, queue: str, closing: Closing, state: int
) -> None:
    held = await held_task(session, worker, Effect.VERIFIABLE, route=Route(queue=queue))
    world, store = session.world, session.world.store
    await store.start((worker.renewal(held),))
    lost = close(held, closing=Closing.EXPIRED, result_hash=b"", delay_ms=0, counts_death=True)

    await session.commit(session.changes(closes=(lost,)))
    between = await world.effect_state(session.turn, "tool:1:0")
    await world.pass_time(1)
    await store.ready_retries(ALL)
    (second,) = await worker.take(1, Route(queue=queue))
    found = close(second.held, closing=closing)
    reply = await session.commit(
        session.changes(closes=(found,), results=(result(session, second.held, "tool:1:0"),))
    )

    assert (between, second.started, second.held.fence) == (2, True, 2)
    assert reply.verdict is Verdict.COMMITTED
    assert await world.effect_state(session.turn, "tool:1:0") == state
    assert await world.attempts(held.task_id) == [(1, int(Closing.EXPIRED)), (2, int(closing))]


# ── losses ──────────────────────────────────────────────────────────────────────────────────────


async def test_an_expired_lease_shows_the_task_and_where_it_belongs(
    session: Session, worker: Worker
) -> None:
    held = await held_task(session, worker)
    await session.world.pass_time(11)

    found = await expired(session.world, held)

    assert found is not None
    assert (found.session_id, found.workflow_id) == (session.id, session.turn)
    assert (found.org_id, found.acknowledged) == (session.org_id, False)
    assert (found.task.fence, found.task.incarnation) == (1, worker.id)


async def test_held_by_lists_one_incarnation(
    world: World, session: Session, worker: Worker
) -> None:
    held = await held_task(session, worker)
    other = await Worker.attached(world)

    assert [one.task.id for one in await world.store.held_by(worker.id)] == [held.task_id]
    assert await world.store.held_by(other.id) == ()


# ── retries ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_retry_waits_its_delay(session: Session, worker: Worker, queue: str) -> None:
    held = await held_task(session, worker, route=Route(queue=queue))
    store = session.world.store
    retry = close(held, closing=Closing.RETRIED, delay_ms=30_000, counts_failure=True)

    reply = await session.commit(session.changes(closes=(retry,)))

    assert reply.verdict is Verdict.COMMITTED
    (waiting,) = (await store.open_tasks((session.turn,)))[session.turn]
    assert (waiting.state, waiting.failures) == (TaskState.DELAYED, 1)
    assert Route(queue=queue) not in await store.ready_retries(ALL)
    await session.world.pass_time(31)
    assert Route(queue=queue) in await store.ready_retries(ALL)
    (second,) = await worker.take(1, Route(queue=queue))
    assert (second.held, second.failures) == (Held(held.task_id, 2), 1)
    ending = await session.commit(
        session.changes(
            closes=(close(second.held),), results=(result(session, second.held, "tool:1:0"),)
        )
    )
    assert ending.verdict is Verdict.COMMITTED
    assert await session.world.attempts(held.task_id) == [(1, int(Closing.RETRIED)), (2, 1)]


async def test_what_waits_its_delay_may_be_made_ready_before(
    session: Session, worker: Worker, queue: str
) -> None:
    held = await held_task(session, worker, route=Route(queue=queue))
    store = session.world.store
    back = close(held, closing=Closing.RETURNED, delay_ms=3_600_000)
    await session.commit(session.changes(closes=(back,)))
    early = msgspec.structs.replace(back, expected=TaskState.DELAYED, result_hash=b"", delay_ms=0)

    first = await session.commit(session.changes(closes=(early,)))
    await session.world.pass_time(1)

    assert first.verdict is Verdict.COMMITTED
    assert Route(queue=queue) in await store.ready_retries(ALL)
    late = await session.commit(session.changes(closes=(early,)))
    assert late.verdict is Verdict.STALE
    (second,) = await worker.take(1, Route(queue=queue))
    assert second.held == Held(held.task_id, 2)
    assert await session.world.attempts(held.task_id) == [(1, int(Closing.RETURNED))]


async def test_the_failure_that_was_retried_is_a_duplicate(
    session: Session, worker: Worker
) -> None:
    held = await held_task(session, worker)
    retry = close(held, closing=Closing.RETRIED, delay_ms=30_000, counts_failure=True)
    await session.commit(session.changes(closes=(retry,)))

    reply = await session.commit(session.changes(closes=(retry,)))

    assert reply.verdict is Verdict.DUPLICATE


# ── timers and sweeps ───────────────────────────────────────────────────────────────────────────


async def test_a_timer_is_due_after_its_delay_until_it_is_dropped(session: Session) -> None:
    timer = Timer(id=IDS.uuid7(), workflow_id=session.turn, kind="cancel", delay_ms=10_000)
    await session.commit(session.changes(workflows=(session.workflow(),), timers=(timer,)))
    store = session.world.store

    early = [due.id for due in await store.due_timers(ALL)]
    await session.world.pass_time(11)
    found = [due for due in await store.due_timers(ALL) if due.id == timer.id]
    first = await session.commit(session.changes(events=0, dropped_timers=(timer.id,)))
    again = await session.commit(session.changes(events=0, dropped_timers=(timer.id,)))

    assert timer.id not in early
    (due,) = found
    assert (due.workflow_id, due.session_id) == (session.turn, session.id)
    assert (due.org_id, due.kind) == (session.org_id, "cancel")
    assert first.verdict is again.verdict is Verdict.COMMITTED
    assert timer.id not in [due.id for due in await store.due_timers(ALL)]


async def test_a_sweep_finds_what_is_behind_those_that_it_leaves_out(
    session: Session, worker: Worker
) -> None:
    held = await held_task(session, worker)
    first, second = (
        Timer(id=IDS.uuid7(), workflow_id=session.turn, kind="cancel", delay_ms=delay_ms)
        for delay_ms in (1000, 2000)
    )
    await session.commit(session.changes(events=0, timers=(first, second)))
    await session.world.pass_time(11)
    store = session.world.store
    others = {due.id for due in await store.due_timers(ALL)} - {first.id, second.id}

    due = await store.due_timers(1, but=(first.id, *others))
    over = await store.expired(ALL, but=(held.task_id,))

    assert [one.id for one in due] == [second.id]
    assert held.task_id in [one.task.id for one in await store.expired(ALL)]
    assert held.task_id not in [one.task.id for one in over]


async def test_sweeps_tell_how_long_ago_they_were(world: World) -> None:
    await world.store.expired(ALL)
    await world.store.ready_retries(ALL)
    await world.store.due_timers(ALL)
    await world.pass_time(5)

    ages = await world.store.sweep_ages_ms()

    assert ages.keys() == {"leases", "retries", "timers"}
    assert all(5000 <= age < 15_000 for age in ages.values())


async def test_partitions_are_made_once(world: World) -> None:
    await world.store.make_partitions()

    assert await world.store.make_partitions() == 0


async def test_a_store_answers_pings_and_knows_its_epoch(world: World) -> None:
    await world.store.ping()

    assert await world.store.epoch() == 1


async def test_keys_past_their_time_are_forgotten_oldest_first(session: Session) -> None:
    world, store = session.world, session.world.store
    for key in ("first", "second"):
        await session.commit(session.changes(accepts=(session.accept(key=key),)))
        await world.pass_time(1)

    young = await store.forget_keys(older_than_ms=3_600_000, limit=ALL)
    gone = await store.forget_keys(older_than_ms=0, limit=1)
    anew = await session.commit(session.changes(accepts=(session.accept(key="first"),)))
    known = await session.commit(session.changes(accepts=(session.accept(key="second"),)))

    assert (young, gone) == (0, 1)
    assert anew.verdict is Verdict.COMMITTED
    assert known.verdict is Verdict.DUPLICATE
    assert await store.forget_keys(older_than_ms=0, limit=ALL) >= 1
