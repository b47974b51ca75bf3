"""A task that kills its workers before they can say a word costs three of them."""

import asyncio

import pytest

from mainspring_engine.adapters.postgres import PostgresStore
from mainspring_engine.domain.limits import ATTEMPTS_UNCOUNTED_MAX, WORKER_DEATHS_MAX
from mainspring_engine.domain.routes import Route
from mainspring_engine.domain.rows import Closing, Outcome
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_postgres.queries import Query
from mainspring_schema.frames import FromWorker, Held
from mainspring_schema.operations import ResolveLetter
from mainspring_testkit.scripts import run_script
from tests.integration.engine.house import House, SilentWitness
from tests.integration.engine.scripted_worker import ScriptedWorker

ATTEMPTS = Query(
    name="attempts",
    purpose="How attempts ended.",
    sql="select closing from engine.attempt order by fence",
)
AGE = """
    update engine.task set
        lease_until = lease_until - interval '1 minute',
        stamped_at = stamped_at - interval '1 minute'
"""


async def until(house: House, what: str, count: int) -> None:
    async with asyncio.timeout(20):
        while await house.count(what) != count:  # noqa: ASYNC110 -- rows tell nobody
            await asyncio.sleep(0.02)


async def closings(house: House) -> list[Closing]:
    return [Closing(row["closing"]) for row in await house.admin.fetch(ATTEMPTS)]


@pytest.mark.slow
async def test_task_that_kills_its_workers_at_once_is_quarantined_after_the_third(
    house: House,
) -> None:
    session = await house.session()
    async with house.working() as engine:
        await house.say(engine, session, "poison")
        fences: list[int] = []
        for _ in range(WORKER_DEATHS_MAX):
            worker = ScriptedWorker(house.ids)
            await worker.attach(engine.conversations)
            task, _ = await worker.next_reason()
            fences.append(task.held.fence)
            await worker.leave()

        # Nobody waits for its lease: the stream broke.
        await until(house, "engine.dead_letter where reason = 'poison'", 1)

    types = await house.types(session)
    assert fences == [1, 2, 3]
    assert await closings(house) == [Closing.EXPIRED, Closing.EXPIRED, Closing.QUARANTINED]
    assert types.count("turn.failed") == 1


@pytest.mark.slow
async def test_turn_that_no_worker_keeps_is_sealed_and_can_be_taken_up_again(house: House) -> None:
    session = await house.session()
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await house.say(engine, session, "unreadable")
        await run_script(
            house.admin, f"update engine.task set uncounted = {ATTEMPTS_UNCOUNTED_MAX - 1}"
        )
        await worker.attach(engine.conversations)
        task, _ = await worker.next_reason()
        worker.send(FromWorker(returned=(task.held,)))
        await run_script(house.admin, AGE)  # its lease ends
        await until(house, "engine.dead_letter where reason = 'no_progress'", 1)

        await engine.operator.operate(
            ResolveLetter(org_id=DEFAULT_ORG_ID, task_id=task.held.task_id, action="requeue")
        )
        again, _ = await worker.next_reason()
        worker.reply(again, "hi")
        await worker.acknowledged()
        await worker.leave()

    types = await house.types(session)
    assert types.count("turn.sealed") == 1
    assert types.count("turn.completed") == 1


async def test_task_that_a_returning_worker_never_got_counts_no_death(house: House) -> None:
    session = await house.session()
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await worker.attach(engine.conversations)
        await house.say(engine, session, "hello")
        task, _ = await worker.next_reason()
        await worker.leave()

        await worker.attach(engine.conversations)  # within the grace, and knows of no task
        again, _ = await worker.next_reason()
        worker.reply(again, "hi")
        await worker.acknowledged()

        assert again.held == Held(task.held.task_id, 2)
        assert await closings(house) == [Closing.UNDELIVERED, Closing.RESULT]
        await worker.leave()


async def test_death_is_taken_back_when_its_worker_comes_and_lists_the_task(house: House) -> None:
    session = await house.session()
    first, second = ScriptedWorker(house.ids), ScriptedWorker(house.ids)
    async with house.working() as engine:
        await first.attach(engine.conversations)
        await house.say(engine, session, "hello")
        task, _ = await first.next_reason()
        await first.leave()
        await until(house, "engine.task where deaths = 1", 1)
        await second.attach(engine.conversations)
        await second.next_reason()

        await first.attach(engine.conversations, held=(task.held,))

        assert await house.count("engine.task where deaths = 0") == 1
        await first.leave()
        await second.leave()


class StoreBeforeItsFirstRoute(PostgresStore):
    """Says what an engine reads that looked for routes before the first task was made."""

    async def routes(self) -> tuple[Route, ...]:
        return ()


async def test_lost_task_is_taken_up_without_having_read_its_route(house: House) -> None:
    session = await house.session()
    first, second = ScriptedWorker(house.ids), ScriptedWorker(house.ids)
    async with house.working(StoreBeforeItsFirstRoute(house.database)) as engine:
        await first.attach(engine.conversations)
        await house.say(engine, session, "hello")
        task, _ = await first.next_reason()
        await second.attach(engine.conversations)

        await first.leave()
        again, _ = await second.next_reason()

        assert again.held == Held(task.held.task_id, 2)
        await second.leave()


async def test_next_engine_makes_the_spans_that_a_killed_one_did_not_write(house: House) -> None:
    session = await house.session()
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await worker.attach(engine.conversations)
        await house.say(engine, session, "hello")
        task, payload = await worker.next_reason()
        worker.reply(task, "hi")
        await worker.acknowledged()
        await worker.leave()
    house.witness = SilentWitness()

    await house.engine().tell_again()

    assert [end.held for end in house.witness.again] == [task.held]
    assert [(end.workflow_id, end.outcome) for end in house.witness.turns_again] == [
        (payload.turn_id, Outcome.COMPLETED)
    ]
