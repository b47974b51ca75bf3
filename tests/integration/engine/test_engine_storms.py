"""Many things at once in one session, and the first flight of a connection."""

import asyncio
from collections.abc import Awaitable

import pytest

from mainspring_engine.adapters.postgres import PostgresStore
from mainspring_engine.domain import decide as decisions
from mainspring_engine.domain.answers import Answer
from mainspring_engine.domain.changes import Changes
from mainspring_engine.domain.intents import Intent
from mainspring_engine.domain.limits import COMMIT_LANES, COMMIT_ROUNDS_MAX
from mainspring_engine.domain.materials import Materials
from mainspring_engine.domain.plan import Plan
from mainspring_engine.main import Engine
from mainspring_engine.ports.store import Committed
from mainspring_engine.usecases import flights
from mainspring_kernel.errors import MainspringError, Unavailable
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema import commands
from mainspring_schema.frames import Verdict
from mainspring_schema.tasks import (
    Failure,
    NamedCall,
    ReasonResult,
    ToolCall,
)
from tests.integration.engine.house import House
from tests.integration.engine.scripted_worker import ScriptedWorker


async def test_warming_the_store_plans_on_its_connections_and_writes_nothing(house: House) -> None:
    await PostgresStore(house.database).warm(4)

    assert await house.count("log.event") == 0
    assert await house.count("engine.workflow") == 0


async def test_storm_of_messages_cancels_and_a_delete_settles_every_caller(house: House) -> None:
    session = await house.session()
    async with house.working() as engine:
        cancel = commands.Cancel(org_id=DEFAULT_ORG_ID, session_id=session)
        storm: list[Awaitable[object]] = []
        for number in range(12):
            storm.append(house.say(engine, session, f"m{number}"))
            storm.append(engine.control.cancel(cancel))
            storm.append(engine.control.cancel(cancel))
        async with asyncio.timeout(20):
            await asyncio.gather(*storm)
            await engine.control.close(commands.Close(org_id=DEFAULT_ORG_ID, session_id=session))

        assert await house.count("engine.workflow where outcome = 0") == 0
        assert await house.count("engine.task") == 0
        assert await house.count("engine.inbox where workflow_id is null") == 0


async def test_cancel_in_the_flight_that_starts_a_model_call_leaves_no_task_behind(
    house: House,
) -> None:
    session = await house.session()
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await worker.attach(engine.conversations)
        await house.say(engine, session, "add")
        task, payload = await worker.next_reason()
        call = ToolCall(
            id=NamedCall(turn_id=payload.turn_id, iteration=1, index=0).id(),
            name="nope",
            arguments={},
            problem="there is no such tool",
        )

        worker.bring(task, ReasonResult(tool_calls=(call,)))
        cancel = commands.Cancel(org_id=DEFAULT_ORG_ID, session_id=session)
        await asyncio.gather(worker.acknowledged(), engine.control.cancel(cancel))
        again, _ = await worker.next_reason()
        failure = Failure(error_class="cancelled", code="cancelled", message="stopped")
        worker.bring(again, ReasonResult(failure=failure))
        await worker.acknowledged()

        assert await house.count("engine.task") == 0
        assert (await house.types(session)).count("turn.cancelled") == 1
        await worker.leave()


class Overtaken(PostgresStore):
    """Each of so many commits comes right after one of another engine in the same session."""

    def __init__(self, house: House, *, other: Engine) -> None:
        super().__init__(house.database)
        self.times = 0
        self._house, self._other = house, other

    async def commit(self, flight: tuple[Changes, ...]) -> tuple[Committed, ...]:
        if self.times:
            self.times -= 1
            session = flight[0].expected.session_id
            await self._house.say(self._other, session, "another one")
        return await super().commit(flight)


async def test_a_result_is_committed_however_often_another_engine_moves_its_session(
    house: House,
) -> None:
    session = await house.session()
    worker = ScriptedWorker(house.ids)
    async with house.working() as other:
        store = Overtaken(house, other=other)
        async with house.working(store) as engine:
            await worker.attach(engine.conversations)
            await house.say(engine, session, "hello")
            task, _ = await worker.next_reason()

            store.times = 6 * COMMIT_ROUNDS_MAX
            worker.reply(task, "an answer")

            assert (await worker.acknowledged()).verdict is Verdict.COMMITTED
            assert store.times == 0
            assert engine._tallies.conflicts >= 6 * COMMIT_ROUNDS_MAX
            await worker.leave()
    assert (await house.types(session)).count("output.message.completed") == 1


async def test_a_message_that_is_overtaken_for_ever_is_refused(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flights, "COMMIT_FLIGHTS_MAX", 2)
    session = await house.session()
    async with house.working() as other:
        store = Overtaken(house, other=other)
        async with house.working(store) as engine:
            store.times = 2 * COMMIT_ROUNDS_MAX

            (answer,) = await engine.control.submit_many((house.submit(session, "hello"),))

    assert isinstance(answer, Unavailable)
    assert store.times == 0


async def test_a_fault_in_one_sessions_decision_is_not_the_other_sessions(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    faulty = well = await house.session()
    while well == faulty or (well.int - faulty.int) % COMMIT_LANES:
        well = await house.session()

    def decide(plan: Plan, intent: Intent, materials: Materials) -> Answer:
        if plan.head.session_id == faulty:
            raise ZeroDivisionError
        return decisions.decide(plan, intent, materials)

    monkeypatch.setattr(flights, "decide", decide)
    async with house.working() as engine:
        first, second = await engine.control.submit_many(
            tuple(house.submit(session, "hello") for session in (faulty, well))
        )

    assert isinstance(first, MainspringError)
    assert isinstance(second, commands.Receipt)
    assert "a decision failed" in caplog.text
