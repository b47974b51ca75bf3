"""What operators look at: open tasks, closed ones, and everything at once."""

from uuid import UUID

import msgspec
import pytest

from mainspring_engine.domain import closed
from mainspring_engine.domain.changes import MarkTask
from mainspring_engine.domain.limits import REPLICA_SILENT_S
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import Closing, Effect, Outcome, TaskKind
from mainspring_engine.ports.registry import Presence, Registration
from mainspring_schema.codec import pack
from mainspring_schema.frames import Held
from mainspring_schema.operations import ListTasks
from mainspring_schema.tasks import ReasonTask, ToolTask
from tests.contract.engine_store.engine_worlds import (
    IDS,
    Session,
    Worker,
    World,
    close,
    result,
)

ALL = 100


def tool(session: Session, name: str = "add") -> bytes:
    return pack(
        ToolTask(
            turn_id=session.turn,
            iteration=1,
            index=0,
            call_id="call_1",
            name=name,
            arguments={"a": 1},
            effect_class="at_most_once",
            capability_id="maths",
            idempotency_key="key",
            config_hash=b"c" * 32,
        )
    )


# ── lists ───────────────────────────────────────────────────────────────────────────────────────


async def test_open_tasks_are_listed_oldest_first_with_all_there_is_to_know(
    world: World, session: Session, worker: Worker, queue: str
) -> None:
    route = Route(queue=queue, capability="maths", build="b7", model="m")
    held = session.task("tool:1:0", claim=worker.claim, effect=Effect.AT_MOST_ONCE, route=route)
    ready = session.task("reason:1", route=route, priority=3)
    await session.start_turn(held, ready)
    await world.store.start((worker.renewal(Held(held.id, 1)),))
    await session.commit(session.changes(marks=(MarkTask(task_id=held.id, fence=1),)))

    first, second = await world.backstage.inspection.tasks(
        ListTasks(org_id=session.org_id, queue=queue, limit=ALL)
    )

    assert (first.id, first.workflow_id, first.session_id) == (held.id, session.turn, session.id)
    assert (first.step, first.status, first.effect) == ("tool:1:0", "leased", "at_most_once")
    assert (first.queue, first.capability, first.build, first.model) == (queue, "maths", "b7", "m")
    assert (first.fence, first.worker_id, first.worker_name) == (1, worker.id, "worker")
    assert (first.acknowledged, first.cancelling, first.started) == (True, True, True)
    assert first.claimed_ms is not None
    assert first.lease_until_ms is not None
    assert first.lease_until_ms - first.claimed_ms >= 10_000
    assert (second.id, second.status, second.fence, second.priority) == (ready.id, "ready", 0, 3)
    assert (second.claimed_ms, second.lease_until_ms, second.worker_id) == (None, None, None)


async def test_a_list_is_narrowed_by_each_condition(
    world: World, session: Session, worker: Worker, queue: str
) -> None:
    route = Route(queue=queue)
    held = session.task("a", claim=worker.claim, route=route)
    ready = session.task("b", route=route)
    await session.start_turn(held, ready)
    foreign = await Session.opened(world)
    await foreign.start_turn(foreign.task("c", route=route))

    async def ids(**narrowed: object) -> list[UUID]:
        plain = ListTasks(org_id=session.org_id, limit=ALL)
        asked = msgspec.structs.replace(plain, **narrowed)
        return [task.id for task in await world.backstage.inspection.tasks(asked)]

    assert await ids(queue=queue) == [held.id, ready.id]
    assert await ids(queue=queue, status="ready") == [ready.id]
    assert await ids(queue=queue, status="delayed") == []
    assert await ids(kind="tool") == []
    assert await ids(worker_id=worker.id) == [held.id]
    assert await ids(workflow_id=session.turn) == [held.id, ready.id]
    assert await ids(session_id=session.id, after=held.id) == [ready.id]
    assert await ids(session_id=foreign.id) == []


@pytest.mark.parametrize("kind", closed.KINDS)
async def test_tasks_are_listed_by_the_kind_that_is_told_of_them(
    world: World, session: Session, kind: TaskKind
) -> None:
    tasks = [msgspec.structs.replace(session.task(each.name), kind=each) for each in closed.KINDS]
    await session.start_turn(*tasks)

    asked = ListTasks(org_id=session.org_id, kind=closed.KINDS[kind], limit=ALL)
    (found,) = await world.backstage.inspection.tasks(asked)

    assert (found.kind, found.step) == (asked.kind, kind.name)


async def test_a_list_holds_one_more_than_asked_for_where_there_is_more(
    world: World, session: Session
) -> None:
    await session.start_turn(*(session.task(str(n)) for n in range(4)))

    found = await world.backstage.inspection.tasks(ListTasks(org_id=session.org_id, limit=2))

    assert len(found) == 3


# ── one task ────────────────────────────────────────────────────────────────────────────────────


async def test_an_open_task_shows_the_attempts_that_closed(
    world: World, session: Session, worker: Worker
) -> None:
    task = session.task("reason:1", claim=worker.claim)
    await session.start_turn(task)
    retried = close(
        Held(task.id, 1), closing=Closing.RETRIED, delay_ms=60_000, counts_failure=True,
        error_code="rate_limited", error_message="busy", result_hash=b"h",
    )  # fmt: skip
    await session.commit(session.changes(closes=(retried,)))

    found = await world.backstage.inspection.task(session.org_id, task.id)

    assert found is not None
    assert (found.task.status, found.task.failures, found.payload) == ("delayed", 1, b"reason:1")
    (attempt,) = found.attempts
    assert (attempt.fence, attempt.closing, attempt.error_code) == (1, "retried", "rate_limited")
    assert attempt.error_message == "busy"
    assert (attempt.worker_id, attempt.worker_name, attempt.worker_build) == (
        worker.id, "worker", "b1",
    )  # fmt: skip
    assert attempt.claimed_ms <= attempt.closed_ms


async def test_a_closed_task_is_what_its_payload_and_attempts_say(
    world: World, session: Session, worker: Worker
) -> None:
    task = session.task(
        "tool:1:0", claim=worker.claim, effect=Effect.AT_MOST_ONCE, payload=tool(session)
    )
    await session.start_turn(task)
    held = Held(task.id, 1)
    await world.store.start((worker.renewal(held),))
    await session.commit(
        session.changes(closes=(close(held),), results=(result(session, held, "tool:1:0"),))
    )

    found = await world.backstage.inspection.task(session.org_id, task.id)

    assert found is not None
    view = found.task
    assert (view.id, view.workflow_id, view.session_id) == (task.id, session.turn, session.id)
    assert (view.status, view.kind, view.step) == ("closed", "tool", "tool:1:0")
    assert (view.effect, view.fence, view.started) == ("at_most_once", 1, True)
    assert [attempt.closing for attempt in found.attempts] == ["result"]


async def test_a_closed_model_call_is_told_apart(
    world: World, session: Session, worker: Worker
) -> None:
    payload = ReasonTask(
        turn_id=session.turn, iteration=1, message_id=IDS.uuid4(), through_seq=2,
        config_hash=b"c" * 32,
    )  # fmt: skip
    task = session.task("reason:1", claim=worker.claim, payload=pack(payload))
    await session.start_turn(task)
    await session.commit(session.changes(closes=(close(Held(task.id, 1)),)))

    found = await world.backstage.inspection.task(session.org_id, task.id)

    assert found is not None
    assert (found.task.kind, found.task.effect) == ("reason", "pure")


async def test_a_task_of_another_organization_is_not_found(world: World, session: Session) -> None:
    task = session.task()
    await session.start_turn(task)

    assert await world.backstage.inspection.task(IDS.uuid7(), task.id) is None
    assert await world.backstage.inspection.task(session.org_id, IDS.uuid7()) is None


# ── what is open ────────────────────────────────────────────────────────────────────────────────


async def test_what_runs_or_waits_is_open_and_what_ended_or_never_was_is_not(
    world: World, session: Session, worker: Worker
) -> None:
    task = session.task(claim=worker.claim)
    await session.start_turn(task)
    asked = (session.turn, task.id, IDS.uuid7())

    before = await world.backstage.inspection.still_open(asked)
    mine = await world.backstage.inspection.still_open(asked, session.org_id)
    of_another = await world.backstage.inspection.still_open(asked, IDS.uuid7())
    ended = session.workflow(outcome=Outcome.COMPLETED)
    await session.commit(session.changes(workflows=(ended,), closes=(close(Held(task.id, 1)),)))
    after = await world.backstage.inspection.still_open(asked)

    assert (set(before), after) == ({session.turn, task.id}, ())
    assert (set(mine), of_another) == (set(before), ())


# ── everything ──────────────────────────────────────────────────────────────────────────────────


async def test_a_sample_counts_tasks_by_route_and_knows_how_long_the_oldest_waits(
    world: World, session: Session, worker: Worker, queue: str
) -> None:
    route = Route(queue=queue, model="m")
    delayed, ready = (
        session.task("a", claim=worker.claim, route=route),
        session.task("b", route=route),
    )
    held = session.task("c", claim=worker.claim, route=route)
    await session.start_turn(delayed, ready, held)
    later = close(Held(delayed.id, 1), closing=Closing.RETRIED, delay_ms=3_600_000)
    await session.commit(session.changes(closes=(later,)))
    await world.pass_time(30)

    sample = await world.backstage.inspection.sample()

    (mine,) = [one for one in sample.routes if one.route == route]
    assert (mine.ready, mine.leased, mine.delayed, mine.waiting) == (1, 1, 1, 0)
    assert 30_000 <= mine.oldest_ms < 60_000
    assert not sample.cut
    assert abs(sample.at_ms - world.now_ms()) < 60_000


@pytest.mark.parametrize("silent", [False, True])
async def test_a_sample_counts_attached_workers_by_what_they_can_take(
    world: World, session: Session, queue: str, *, silent: bool
) -> None:
    registry, replica = world.backstage.registry, IDS.uuid7()
    workers = [await Worker.attached(world) for _ in range(3)]
    before = (await world.backstage.inspection.sample()).replicas
    await registry.beat(replica)
    for worker in workers:
        await registry.register(
            Registration(
                incarnation=worker.id,
                attach_number=1,
                replica=replica,
                queues=(queue,),
                capabilities=("",),
                slots=5,
            )
        )
    await registry.tell(
        (Presence(incarnation=workers[0].id, attach_number=1, attached=silent, silent=silent),)
    )
    await registry.drain(workers[1].id, drained=True)
    await session.start_turn(session.task("a", claim=workers[2].claim))

    sample = await world.backstage.inspection.sample()

    (seat,) = [one for one in sample.seats if queue in one.queues]
    assert (seat.capabilities, seat.build) == (frozenset({""}), "b1")
    assert (seat.active, seat.draining, seat.silent) == (1, 1, int(silent))
    assert (seat.slots, seat.held) == (5, 1)
    assert sample.replicas == before + 1


async def test_the_workers_of_a_dead_replica_count_no_more(
    world: World, worker: Worker, queue: str
) -> None:
    registry, replica = world.backstage.registry, IDS.uuid7()
    await registry.beat(replica)
    await registry.register(
        Registration(
            incarnation=worker.id, attach_number=1, replica=replica, queues=(queue,),
            capabilities=("",), slots=5,
        )
    )  # fmt: skip
    await world.pass_time(REPLICA_SILENT_S + 1)

    sample = await world.backstage.inspection.sample()

    assert not [one for one in sample.seats if queue in one.queues]


async def test_the_vitals_name_the_hot_tables_and_how_far_the_oldest_snapshot_lies_back(
    world: World,
) -> None:
    vitals = await world.backstage.inspection.vitals()

    assert set(vitals.dead_rows) == {
        "engine.inbox", "engine.task", "engine.timer", "engine.workflow", "log.head",
    }  # fmt: skip
    assert all(rows >= 0 for rows in vitals.dead_rows.values())
    assert vitals.horizon_s is not None
    assert vitals.horizon_s >= 0
    assert vitals.horizon_behind is not None
    assert vitals.horizon_behind >= 0
