"""A worker that says what is not so: it is refused, and the work of others goes on untouched."""

import asyncio
from uuid import UUID

import msgspec
import pytest

from mainspring_engine.adapters.postgres.workflows import PostgresWorkflows
from mainspring_engine.domain.intents import Emitted
from mainspring_engine.domain.limits import FRAME_PARTS_MAX
from mainspring_engine.ports.workflows import RecordedPage
from mainspring_engine.usecases.lane import FutureTicket
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema.frames import (
    COUNT_MAX,
    Emit,
    FromWorker,
    Held,
    HistoryWanted,
    Result,
    Task,
    Verdict,
)
from mainspring_schema.tasks import EmitEvent, PlainResult, TaskResult, ToolResult
from tests.integration.engine.house import House
from tests.integration.engine.scripted_worker import ScriptedWorker

EVENT = EmitEvent(type="output.message.started", data={})
RECOVERED = EmitEvent(type="reason.recovered", data={})


def as_of(task: Task, held: Held) -> Task:
    return msgspec.structs.replace(task, held=held)


async def verdicts_on(liar: ScriptedWorker, task: Task) -> tuple[Verdict, Verdict]:
    """What the engine answers to events and to a result of this attempt."""
    liar.emit(Emit(held=task.held, counter=1, events=(EVENT,)))
    async with asyncio.timeout(10):
        emitted = await liar.emits.get()
    liar.reply(task, "a lie")
    return emitted.verdict, (await liar.acknowledged()).verdict


@pytest.mark.parametrize("offset", [-1, 6], ids=["lower", "higher"])
async def test_a_fence_that_nobody_gave_is_refused_and_the_true_one_counts(
    house: House, offset: int
) -> None:
    session = await house.session()
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await worker.attach(engine.conversations)
        await house.say(engine, session, "hello")
        task, _ = await worker.next_reason()
        lie = as_of(task, Held(task.held.task_id, task.held.fence + offset))

        assert await verdicts_on(worker, lie) == (Verdict.STALE, Verdict.STALE)
        worker.reply(task, "the truth")

        assert (await worker.acknowledged()).verdict is Verdict.COMMITTED
        await worker.leave()
    assert (await house.types(session)).count("turn.completed") == 1


@pytest.mark.parametrize("late_first", [True, False], ids=["late first", "late last"])
async def test_events_of_two_attempts_in_one_flight_are_each_answered_as_their_own(
    house: House, late_first: bool
) -> None:
    """They count alike, and the older one's link was not told yet that it is over."""
    session = await house.session()
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await worker.attach(engine.conversations)
        await house.say(engine, session, "hello")
        task, _ = await worker.next_reason()
        late = Held(task.held.task_id, task.held.fence - 1)
        tickets = {held: FutureTicket() for held in (late, task.held)}

        for held in tickets if late_first else reversed(tickets):
            emit = Emit(held=held, counter=1, events=(RECOVERED,))
            said = Emitted(session_id=session, org_id=DEFAULT_ORG_ID, emit=emit)
            engine._lanes.put(said, tickets[held])

        async with asyncio.timeout(10):
            verdicts = {held: await ticket.future for held, ticket in tickets.items()}
        assert verdicts == {late: Verdict.STALE, task.held: Verdict.COMMITTED}
        await worker.leave()
    assert (await house.types(session)).count(RECOVERED.type) == 1


async def test_what_another_worker_holds_is_not_ones_own(house: House) -> None:
    session = await house.session()
    holder, liar = ScriptedWorker(house.ids), ScriptedWorker(house.ids)
    async with house.working() as engine:
        await holder.attach(engine.conversations)
        await house.say(engine, session, "hello")
        task, _ = await holder.next_reason()
        await liar.attach(engine.conversations, slots=0)
        held = task.held

        liar.send(FromWorker(returned=(held,), starts=(held,)))
        liar.send(FromWorker(histories_wanted=(HistoryWanted(held=held, after=""),)))
        assert await verdicts_on(liar, task) == (Verdict.STALE, Verdict.STALE)
        holder.reply(task, "the truth")

        assert (await holder.acknowledged()).verdict is Verdict.COMMITTED
        assert not any(frame.histories for frame in liar.frames)
        await liar.leave()
        await holder.leave()
    types = await house.types(session)
    assert (types.count("reason.started"), types.count("turn.completed")) == (1, 1)


async def test_a_beat_that_no_column_keeps_costs_nobody_else_his_lease(house: House) -> None:
    """Beats of all workers share their statements. The wire refuses such a fence before."""
    session = await house.session()
    honest, liar = ScriptedWorker(house.ids), ScriptedWorker(house.ids)
    async with house.working() as engine:
        await honest.attach(engine.conversations)
        await house.say(engine, session, "hello")
        task, _ = await honest.next_reason()
        await liar.attach(engine.conversations, slots=0)
        lie = Held(task.held.task_id, COUNT_MAX + 1)

        liar.beat(lie)
        liar.send(FromWorker(starts=(lie,)))
        honest.beat(task.held)
        honest.send(FromWorker(starts=(task.held,)))

        async with asyncio.timeout(10):
            assert await honest.renewed.get() == task.held
            assert (await honest.starts.get()).held == task.held
        await liar.leave()
        await honest.leave()


@pytest.mark.parametrize(
    "type_", ["turn.completed", "reason.completed", "session.idled", "Said", "a\0.b"], ids=repr
)
async def test_an_attempt_forges_no_outcome(house: House, type_: str) -> None:
    session = await house.session()
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await worker.attach(engine.conversations)
        await house.say(engine, session, "hello")
        task, _ = await worker.next_reason()

        worker.emit(
            Emit(held=task.held, counter=1, events=(RECOVERED, EmitEvent(type=type_, data={})))
        )
        async with asyncio.timeout(10):
            refused = await worker.emits.get()
        worker.reply(task, "the truth")

        assert refused.verdict is Verdict.INVALID
        assert (await worker.acknowledged()).verdict is Verdict.COMMITTED
        await worker.leave()
    types = await house.types(session)
    assert types.count("turn.completed") == 1
    assert RECOVERED.type not in types


@pytest.mark.parametrize("lie", [ToolResult(status="success"), PlainResult()], ids=repr)
async def test_a_result_of_another_kind_ends_nothing_and_the_next_attempt_counts(
    house: House, lie: TaskResult
) -> None:
    session = await house.session()
    liar, honest = ScriptedWorker(house.ids), ScriptedWorker(house.ids)
    async with house.working() as engine:
        await liar.attach(engine.conversations)
        await house.say(engine, session, "hello")
        task, _ = await liar.next_reason()

        liar.bring(task, lie)
        refused = await liar.acknowledged()
        await liar.leave()
        await honest.attach(engine.conversations)
        again, _ = await honest.next_reason()
        honest.reply(again, "the truth")

        assert refused.verdict is Verdict.INVALID
        assert (again.held.task_id, again.held.fence) == (task.held.task_id, task.held.fence + 1)
        assert (await honest.acknowledged()).verdict is Verdict.COMMITTED
        await honest.leave()
    assert (await house.types(session)).count("turn.completed") == 1


async def test_a_result_that_cannot_be_read_ends_nothing(house: House) -> None:
    session = await house.session()
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await worker.attach(engine.conversations)
        await house.say(engine, session, "hello")
        task, _ = await worker.next_reason()

        worker.send(FromWorker(results=(Result(held=task.held, hash=b"h" * 32, body=b"\xc1"),)))
        refused = await worker.acknowledged()
        worker.reply(task, "the truth")

        assert refused.verdict is Verdict.INVALID
        assert (await worker.acknowledged()).verdict is Verdict.COMMITTED
        await worker.leave()


async def test_who_asks_for_one_history_forty_thousand_times_is_read_it_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reads of all workers share their connections with the commits."""
    mine, theirs = await house.session(), await house.session()
    liar, honest = ScriptedWorker(house.ids), ScriptedWorker(house.ids)
    reads: list[UUID] = []
    recorded = PostgresWorkflows.recorded

    async def counted(rows: PostgresWorkflows, workflow_id: UUID, *, after: str) -> RecordedPage:
        reads.append(workflow_id)
        return await recorded(rows, workflow_id, after=after)

    monkeypatch.setattr(PostgresWorkflows, "recorded", counted)
    async with house.working() as engine:
        await liar.attach(engine.conversations, slots=1)
        await house.say(engine, mine, "hello")
        task, _ = await liar.next_reason()
        await honest.attach(engine.conversations)
        await house.say(engine, theirs, "hello")
        other, _ = await honest.next_reason()

        wanted = HistoryWanted(held=task.held, after="")
        liar.send(FromWorker(histories_wanted=(wanted,) * 40_000))
        honest.reply(other, "the truth")

        assert (await honest.acknowledged()).verdict is Verdict.COMMITTED
        liar.reply(task, "as true")
        assert (await liar.acknowledged()).verdict is Verdict.COMMITTED
        assert len(reads) == 1
        await liar.leave()
        await honest.leave()


async def test_a_frame_with_more_than_a_worker_has_to_say_ends_its_stream_alone(
    house: House,
) -> None:
    session = await house.session()
    liar, honest = ScriptedWorker(house.ids), ScriptedWorker(house.ids)
    async with house.working() as engine:
        await liar.attach(engine.conversations, slots=1)
        await house.say(engine, session, "hello")
        task, _ = await liar.next_reason()

        emit = Emit(held=task.held, counter=1, events=(RECOVERED,))
        liar.send(FromWorker(emits=(emit,) * (FRAME_PARTS_MAX + 1)))
        await liar.ended()
        await honest.attach(engine.conversations)
        again, _ = await honest.next_reason()
        honest.reply(again, "the truth")

        assert (await honest.acknowledged()).verdict is Verdict.COMMITTED
        await honest.leave()
    assert RECOVERED.type not in await house.types(session)
