"""Dead letters at an engine over real Postgres: shown, discarded, taken up by new turns."""

import asyncio
from uuid import UUID, uuid4

import pytest

from mainspring_engine.domain.intents import Died
from mainspring_engine.main import Engine
from mainspring_engine.usecases.lane import FutureTicket
from mainspring_kernel.clock import SystemClock
from mainspring_kernel.errors import Conflict, NotFound, ValidationFailed
from mainspring_kernel.ids import DEFAULT_ORG_ID, RandomIds
from mainspring_postgres.queries import Query
from mainspring_schema import commands
from mainspring_schema import operations as ops
from mainspring_schema.plain import RequeuePlainTask, SubmitTask, SubmitTasks
from tests.integration.engine.house import House
from tests.integration.engine.scripted_worker import ScriptedWorker

ORDINALS = Query(
    name="ordinals",
    purpose="The turns of a session and how they ended.",
    sql="select id, outcome from engine.workflow where session_id = $1 order by ordinal",
)


async def die(
    house: House, engine: Engine, session: UUID, worker: ScriptedWorker | None = None
) -> UUID:
    """The session's turn dies of its model call, `worker`'s if told; returns the dead task."""
    receipt = await house.say(engine, session, "poison")
    if worker is not None:
        await worker.next_reason()
    ((task,),) = (await engine.store.open_tasks((receipt.turn_id,))).values()
    ticket = FutureTicket()
    died = Died(session_id=session, org_id=DEFAULT_ORG_ID, workflow_id=receipt.turn_id, task=task)
    engine._lanes.put(died, ticket)
    await ticket.future
    return task.id


async def resolve(engine: Engine, task_id: UUID, action: ops.LetterAction) -> ops.LetterView:
    answer = await engine.operator.operate(
        ops.ResolveLetter(org_id=DEFAULT_ORG_ID, task_id=task_id, action=action)
    )
    assert isinstance(answer, ops.LetterView)
    return answer


async def letter(engine: Engine, task_id: UUID) -> ops.LetterDetails:
    answer = await engine.operator.inspect(ops.GetLetter(org_id=DEFAULT_ORG_ID, task_id=task_id))
    assert isinstance(answer, ops.LetterDetails)
    return answer


async def outcomes(house: House, session: UUID) -> list[tuple[UUID, int]]:
    return [(row["id"], row["outcome"]) for row in await house.admin.fetch(ORDINALS, session)]


def many(action: ops.LetterAction, *, rate: float = 100.0, rehearsal: bool = False) -> (
    ops.ResolveLetters
):  # fmt: skip
    return ops.ResolveLetters(
        org_id=DEFAULT_ORG_ID,
        action=action,
        wanted=ops.LetterFilter(reason="poison"),
        limit=10,
        rate_per_s=rate,
        rehearsal=rehearsal,
    )


async def test_a_requeued_letter_is_answered_by_a_new_turn(house: House) -> None:
    session = await house.session()
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        task_id = await die(house, engine, session)

        requeued = await resolve(engine, task_id, "requeue")
        await worker.attach(engine.conversations)
        task, payload = await worker.next_reason()
        worker.reply(task, "at last")
        await worker.acknowledged()

        (dead, failed), (again, completed) = await outcomes(house, session)
        assert (requeued.status, requeued.requeued_as) == ("requeued", again)
        assert requeued.workflow_id == dead
        assert (failed, completed) == (2, 1)
        assert payload.turn_id == again
        assert (await house.types(session)).count("input.message") == 1
        details = await letter(engine, task_id)
        assert details.letter == requeued
        await worker.leave()


async def test_a_letter_is_dealt_with_once(house: House) -> None:
    session = await house.session()
    async with house.working() as engine:
        task_id = await die(house, engine, session)
        discarded = await resolve(engine, task_id, "discard")

        with pytest.raises(Conflict, match="it is discarded"):
            await resolve(engine, task_id, "requeue")

        assert (discarded.status, discarded.requeued_as) == ("discarded", None)
        assert len(await outcomes(house, session)) == 1


async def test_a_conversation_that_has_gone_on_refuses_and_the_letter_can_be_discarded(
    house: House,
) -> None:
    session = await house.session()
    async with house.working() as engine:
        task_id = await die(house, engine, session)
        await house.say(engine, session, "never mind")

        with pytest.raises(Conflict, match="gone on"):
            await resolve(engine, task_id, "requeue")

        assert (await letter(engine, task_id)).letter.refusal == "superseded"
        assert (await resolve(engine, task_id, "discard")).status == "discarded"


async def test_a_deleted_session_refuses(house: House) -> None:
    session = await house.session()
    async with house.working() as engine:
        task_id = await die(house, engine, session)
        await engine.control.close(commands.Close(org_id=DEFAULT_ORG_ID, session_id=session))

        with pytest.raises(Conflict, match="deleted"):
            await resolve(engine, task_id, "requeue")

        assert (await letter(engine, task_id)).letter.refusal == "session_gone"


async def test_many_are_discarded_with_those_whose_requeue_was_refused(house: House) -> None:
    sessions = [await house.session() for _ in range(2)]
    async with house.working() as engine:
        dead = [await die(house, engine, session) for session in sessions]
        await house.say(engine, sessions[0], "never mind")
        with pytest.raises(Conflict, match="gone on"):
            await resolve(engine, dead[0], "requeue")

        again = await engine.operator.operate(many("requeue", rehearsal=True))
        done = await engine.operator.operate(many("discard"))

        assert isinstance(again, ops.Resolved)
        assert isinstance(done, ops.Resolved)
        assert again.task_ids == (dead[1],)
        assert (done.matched, done.taken, set(done.task_ids)) == (2, 2, set(dead))
        statuses = [(await letter(engine, task_id)).letter.status for task_id in dead]
        assert statuses == ["discarded", "discarded"]


async def test_nobody_else_deals_with_a_letter(house: House) -> None:
    session = await house.session()
    async with house.working() as engine:
        task_id = await die(house, engine, session)
        order = ops.ResolveLetter(org_id=house.ids.uuid7(), task_id=task_id, action="discard")

        with pytest.raises(NotFound):
            await engine.operator.operate(order)

        assert (await letter(engine, task_id)).letter.status == "open"


async def test_a_letter_shows_every_attempt_and_its_input(house: House) -> None:
    session = await house.session()
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await worker.attach(engine.conversations)
        task_id = await die(house, engine, session, worker)

        details = await letter(engine, task_id)

        assert [attempt.closing for attempt in details.attempts] == ["quarantined"]
        assert details.attempts[0].worker_name == "scripted"
        assert details.attempts[0].error_code == "poison"
        assert details.payload
        await worker.leave()


async def test_a_rehearsal_tells_and_does_nothing(house: House) -> None:
    sessions = [await house.session() for _ in range(3)]
    async with house.working() as engine:
        dead = [await die(house, engine, session) for session in sessions]

        told = await engine.operator.operate(many("requeue", rehearsal=True))

        assert isinstance(told, ops.Resolved)
        assert (told.matched, told.taken, told.more) == (3, 0, False)
        assert set(told.task_ids) == set(dead)
        assert (await letter(engine, dead[0])).letter.status == "open"


async def test_many_are_requeued_at_a_pace(house: House) -> None:
    sessions = [await house.session() for _ in range(3)]
    async with house.working() as engine:
        for session in sessions:
            await die(house, engine, session)

        done = await engine.operator.operate(many("requeue", rate=0.5))
        listed = await engine.operator.inspect(
            ops.ListLetters(org_id=DEFAULT_ORG_ID, wanted=ops.LetterFilter(), limit=10)
        )

        assert isinstance(done, ops.Resolved)
        assert isinstance(listed, ops.LetterPage)
        assert (done.matched, done.taken) == (3, 3)
        due_ms = [one.due_ms or 0 for one in listed.letters]
        assert [due - due_ms[0] for due in due_ms] == [0, 2000, 4000]
        assert done.last_due_ms is not None


async def test_what_an_engine_that_died_had_ordered_another_one_takes_up(house: House) -> None:
    sessions = [await house.session() for _ in range(2)]
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        for session in sessions:
            await die(house, engine, session)
    dead = house.engine()
    await dead.operator.operate(many("requeue"))  # it does not work: nobody takes them up there

    async with house.working() as engine:
        await worker.attach(engine.conversations)
        for _ in sessions:
            task, _ = await worker.next_reason()
            worker.reply(task, "at last")
            await worker.acknowledged()

        assert {
            outcome for session in sessions for _, outcome in await outcomes(house, session)
        } == {1, 2}
        await worker.leave()


async def test_two_engines_that_try_the_same_order_begin_one_turn(house: House) -> None:
    session = await house.session()
    async with house.working() as first, house.working() as second:
        task_id = await die(house, first, session)

        tried = await asyncio.gather(
            resolve(first, task_id, "requeue"),
            resolve(second, task_id, "requeue"),
            return_exceptions=True,
        )

        assert len(await outcomes(house, session)) == 2
        assert any(isinstance(one, ops.LetterView) for one in tried), tried


async def test_a_requeue_under_an_id_that_no_task_can_have_is_refused_for_good(
    house: House,
) -> None:
    task_id = RandomIds(SystemClock()).uuid7()
    task = SubmitTask(org_id=DEFAULT_ORG_ID, task_id=task_id, type="add", queue="nobody")
    async with house.working() as engine:
        await engine.plain_tasks.submit(SubmitTasks(tasks=(task,)))
        stored = RequeuePlainTask(org_id=DEFAULT_ORG_ID, task_id=task_id, new_id=uuid4())

        with pytest.raises(ValidationFailed, match="version 7"):
            await engine.plain_tasks.take_up(stored)
