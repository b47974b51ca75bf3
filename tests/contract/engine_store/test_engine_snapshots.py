"""What explanations rest on: the rows of one moment, from both stores alike."""

from uuid import UUID

import msgspec
import pytest

from mainspring_engine.domain.changes import DeadLetter, NewWait, Timer
from mainspring_engine.domain.explain.snapshot import Snapshot
from mainspring_engine.domain.plain import PlainEnd, made_of
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import Closing, Outcome
from mainspring_engine.domain.turn import state as states
from mainspring_engine.domain.turn.state import Phase, TurnState
from mainspring_engine.ports.registry import Registration
from mainspring_schema.codec import pack
from mainspring_schema.explaining import Subject
from mainspring_schema.frames import Held
from mainspring_schema.plain import SubmitTask
from mainspring_schema.tasks import ReasonTask
from mainspring_schema.workflows import Wait
from tests.contract.engine_store.engine_worlds import IDS, Session, Worker, World, close
from tests.contract.engine_store.test_engine_store_workflows import Program


def state(session: Session, timer_id: UUID | None = None) -> bytes:
    return states.encode(
        TurnState(
            phase=Phase.REASON, iteration=1, input_message_id=session.turn,
            message_id=session.turn, reason_task=None, timer_id=timer_id,
        )
    )  # fmt: skip


def payload(session: Session) -> bytes:
    return pack(
        ReasonTask(
            turn_id=session.turn, iteration=1, message_id=session.turn, through_seq=2,
            config_hash=b"c" * 32,
        )
    )  # fmt: skip


async def look(world: World, session: Session, subject: Subject, id_: UUID) -> Snapshot:
    found = await world.backstage.snapshots.of(session.org_id, subject, id_)
    assert found is not None
    return found


async def attached(world: World, worker: Worker) -> None:
    replica = IDS.uuid7()
    await world.backstage.registry.beat(replica)
    await world.backstage.registry.register(
        Registration(
            incarnation=worker.id, attach_number=1, replica=replica, queues=("q",),
            capabilities=("",), slots=3,
        )
    )  # fmt: skip


async def test_a_session_without_a_turn_has_its_head_alone(world: World, session: Session) -> None:
    found = await look(world, session, "session", session.id)

    assert found.head is not None
    assert found.head.session_id == session.id
    assert (found.workflow, found.tasks, found.messages) == (None, (), 0)
    assert abs(found.now_ms - world.now_ms()) < 60_000


async def test_a_turn_comes_with_its_tasks_and_who_has_them(
    world: World, session: Session, worker: Worker, queue: str
) -> None:
    await attached(world, worker)
    route = Route(queue=queue)
    retried, held = (session.task(step, claim=worker.claim, route=route) for step in ("a", "b"))
    first, second = (session.task(step, route=route) for step in ("c", "d"))
    running = msgspec.structs.replace(session.workflow(), state=state(session))
    await session.commit(
        session.changes(workflows=(running,), tasks=(retried, held, first, second))
    )
    again = close(
        Held(retried.id, 1), closing=Closing.RETRIED, delay_ms=60_000, counts_failure=True,
        error_code="rate_limited", error_message="busy", result_hash=b"h",
    )  # fmt: skip
    await session.commit(session.changes(closes=(again,)))

    by_session = await look(world, session, "session", session.id)
    by_turn = await look(world, session, "workflow", session.turn)

    facts = {one.task.id: one for one in by_turn.tasks}
    assert by_session.tasks == by_turn.tasks
    assert by_turn.workflow is not None
    assert by_turn.workflow.id == session.turn
    last = facts[retried.id].last
    assert last is not None
    assert (facts[retried.id].task.status, last.error_code) == ("delayed", "rate_limited")
    assert last.error_message == "busy"
    holder = facts[held.id].holder
    assert holder is not None
    assert (holder.id, holder.status, holder.slots) == (worker.id, "active", 3)
    assert (facts[first.id].ahead, facts[second.id].ahead) == (0, 1)
    assert [seat.slots for seat in by_turn.seats if "q" in seat.queues][:1] == [3]


async def test_a_task_leads_to_its_turn(world: World, session: Session) -> None:
    task = session.task()
    running = msgspec.structs.replace(session.workflow(), state=state(session))
    await session.commit(session.changes(workflows=(running,), tasks=(task,)))

    found = await look(world, session, "task", task.id)

    assert [one.task.id for one in found.tasks] == [task.id]
    assert found.closed is None


async def test_a_closed_task_comes_with_its_attempts_and_its_dead_letter(
    world: World, session: Session, worker: Worker
) -> None:
    task = session.task(claim=worker.claim, payload=payload(session))
    running = msgspec.structs.replace(session.workflow(), state=state(session))
    await session.commit(session.changes(workflows=(running,), tasks=(task,)))
    dead = DeadLetter(task_id=task.id, workflow_id=session.turn, reason="poison", detail="x")
    failed = msgspec.structs.replace(session.workflow(outcome=Outcome.FAILED), state=state(session))
    await session.commit(
        session.changes(
            workflows=(failed,),
            closes=(close(Held(task.id, 1), closing=Closing.QUARANTINED),),
            dead_letters=(dead,),
        )
    )

    found = await look(world, session, "task", task.id)

    assert found.tasks == ()
    assert found.closed is not None
    assert [attempt.closing for attempt in found.closed.attempts] == ["quarantined"]
    assert found.letter is not None
    assert (found.letter.task_id, found.letter.status) == (task.id, "open")


async def test_the_timer_of_a_state_comes_with_its_due_time(world: World, session: Session) -> None:
    timer = Timer(id=IDS.uuid7(), workflow_id=session.turn, kind="client_tools", delay_ms=90_000)
    parked = msgspec.structs.replace(session.workflow(), state=state(session, timer.id))
    await session.commit(session.changes(workflows=(parked,), timers=(timer,)))

    found = await look(world, session, "workflow", session.turn)

    assert list(found.timers) == [timer.id]
    assert 80_000 < found.timers[timer.id] - found.now_ms <= 90_000


async def test_sweeps_are_told_by_their_age(world: World, session: Session) -> None:
    running = msgspec.structs.replace(session.workflow(), state=state(session))
    await session.commit(session.changes(workflows=(running,)))
    await world.store.due_timers(1)

    found = await look(world, session, "session", session.id)

    assert found.sweeps_ms["timers"] < 60_000


@pytest.mark.parametrize("subject", ["session", "workflow", "task"])
async def test_others_and_nothing_are_not_found(
    world: World, session: Session, subject: Subject
) -> None:
    task = session.task(payload=payload(session))
    running = msgspec.structs.replace(session.workflow(), state=state(session))
    await session.commit(session.changes(workflows=(running,), tasks=(task,)))
    id_ = {"session": session.id, "workflow": session.turn, "task": task.id}[subject]
    snapshots = world.backstage.snapshots

    assert await snapshots.of(session.org_id, subject, id_) is not None
    assert await snapshots.of(IDS.uuid7(), subject, id_) is None
    assert await snapshots.of(session.org_id, subject, IDS.uuid7()) is None


async def test_what_belongs_to_a_deleted_session_is_gone(world: World, session: Session) -> None:
    running = msgspec.structs.replace(session.workflow(), state=state(session))
    await session.commit(session.changes(workflows=(running,)))
    gone = session.changes(
        workflows=(
            msgspec.structs.replace(
                session.workflow(outcome=Outcome.CANCELLED), state=state(session)
            ),
        )
    )
    await session.commit(
        msgspec.structs.replace(gone, after=msgspec.structs.replace(gone.after, closed=True))
    )

    assert await world.backstage.snapshots.of(session.org_id, "session", session.id) is None
    assert await world.backstage.snapshots.of(session.org_id, "workflow", session.turn) is None


async def test_a_plain_task_stands_alone_open_and_closed(
    world: World, worker: Worker, queue: str
) -> None:
    org_id = IDS.uuid7()
    mine, other = (
        made_of(SubmitTask(org_id=org_id, task_id=IDS.uuid7(), type="t", input=b"[]", queue=queue))
        for _ in range(2)
    )
    await world.store.plain.submit((mine._replace(claim=worker.claim), other))
    snapshots = world.backstage.snapshots

    held, waiting = [await snapshots.of(org_id, "task", one.id) for one in (mine, other)]
    await world.store.plain.end((PlainEnd(held=Held(mine.id, 1), closing=Closing.RESULT),))
    ended = await snapshots.of(org_id, "task", mine.id)
    foreign = await snapshots.of(IDS.uuid7(), "task", other.id)

    assert held is not None
    assert waiting is not None
    assert ended is not None
    assert (held.head, held.workflow, held.closed) == (None, None, None)
    assert [(one.task.id, one.task.status) for one in held.tasks] == [(mine.id, "leased")]
    assert [(one.task.id, one.task.status) for one in waiting.tasks] == [(other.id, "ready")]
    assert held.tasks[0].holder is not None
    assert ended.tasks == ()
    assert ended.closed is not None
    assert [attempt.closing for attempt in ended.closed.attempts] == ["result"]
    assert foreign is None


async def test_what_is_waited_for_comes_by_its_place(world: World) -> None:
    program = await Program(world).started()
    waits = tuple(
        NewWait(
            workflow_id=program.id, step=place, timer_id=None,
            body=pack(Wait(step=place, name="approve", kind="signal")),
        )
        for place in ("3", "1", "2")
    )  # fmt: skip
    await program.commit(program.changes(waits=waits))

    found = await world.backstage.snapshots.of(program.org_id, "workflow", program.id)

    assert found is not None
    assert [row.wait.step for row in found.waits] == ["1", "2", "3"]
