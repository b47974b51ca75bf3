"""An engine over real Postgres, with a worker whose every move is scripted."""

import asyncio
import hashlib

from mainspring_engine.domain.rows import Closing
from mainspring_kernel.errors import IdempotencyMismatch, NotFound
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema import commands
from mainspring_schema.codec import pack
from mainspring_schema.frames import Emit, FromWorker, Result, Verdict
from mainspring_schema.tasks import (
    EmitEvent,
    Failure,
    NamedCall,
    ReasonResult,
    ToolCall,
    ToolResult,
)
from tests.integration.engine.house import House
from tests.integration.engine.scripted_worker import ScriptedWorker

TEXT_TURN = [
    "session.started",
    "input.message",
    "session.activated",
    "turn.started",
    "reason.started",
    "output.message.started",
    "llm.generation",
    "output.message.completed",
    "reason.completed",
    "turn.completed",
    "session.idled",
]


async def test_text_turn_is_pushed_answered_and_committed(house: House) -> None:
    session = await house.session()
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await worker.attach(engine.conversations)

        receipt = await house.say(engine, session, "hello")
        task, payload = await worker.next_reason()
        worker.reply(task, "hi")
        acknowledgement = await worker.acknowledged()

        assert payload.turn_id == receipt.turn_id
        assert acknowledgement.verdict is Verdict.COMMITTED
        assert await house.types(session) == TEXT_TURN
        assert await house.count("engine.task") == 0
        await worker.leave()


async def test_tail_of_a_first_task_holds_the_submitted_events(house: House) -> None:
    session = await house.session()
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await worker.attach(engine.conversations)

        await house.say(engine, session, "hello")
        task, payload = await worker.next_reason()

        assert [event.seq for event in task.tail] == [2, 3, 4, 5, 6]
        assert task.tail[-1].seq == payload.through_seq
        assert task.config is not None
        await worker.leave()


async def test_message_without_a_worker_waits_and_is_claimed_when_one_comes(house: House) -> None:
    session = await house.session()
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await house.say(engine, session, "hello")

        await worker.attach(engine.conversations)
        task, _ = await worker.next_reason()

        assert task.held.fence == 1
        await worker.leave()


async def test_parallel_tools_run_as_tasks_and_lead_back_to_the_model(house: House) -> None:
    session = await house.session()
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await worker.attach(engine.conversations)
        await house.say(engine, session, "add")
        task, payload = await worker.next_reason()
        calls = tuple(
            ToolCall(
                id=NamedCall(turn_id=payload.turn_id, iteration=1, index=n).id(),
                name="add",
                arguments={"a": n, "b": 1},
                capability_id="test_math",
            )
            for n in range(3)
        )
        worker.bring(task, ReasonResult(tool_calls=calls))

        tools = [await worker.next_tool() for _ in range(3)]
        for tool, _ in reversed(tools):
            worker.bring(tool, ToolResult(status="success", result=5))
        first, (task, payload) = task, await worker.next_reason()
        assert task.tail[0].seq == first.tail[-1].seq + 1
        worker.reply(task, "done")
        for _ in range(5):
            await worker.acknowledged()

        types = await house.types(session)
        assert types.count("tool.completed") == 3
        assert types[-2:] == ["turn.completed", "session.idled"]
        assert len({payload.idempotency_key for _, payload in tools}) == 3
        await worker.leave()


async def test_same_result_again_is_no_second_outcome(house: House) -> None:
    session = await house.session()
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await worker.attach(engine.conversations)
        await house.say(engine, session, "hello")
        task, _ = await worker.next_reason()
        worker.reply(task, "hi")
        await worker.acknowledged()

        worker.reply(task, "hi")
        again = await worker.acknowledged()

        assert again.verdict in (Verdict.DUPLICATE, Verdict.STALE)
        assert (await house.types(session)).count("turn.completed") == 1
        await worker.leave()


async def test_result_with_a_wrong_hash_is_refused(house: House) -> None:
    session = await house.session()
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await worker.attach(engine.conversations)
        await house.say(engine, session, "hello")
        task, _ = await worker.next_reason()

        body = pack(ReasonResult(text="x"))
        wrong = hashlib.sha256(b"other").digest()
        worker.send(FromWorker(results=(Result(held=task.held, hash=wrong, body=body),)))

        assert (await worker.acknowledged()).verdict is Verdict.INVALID
        await worker.leave()


async def test_two_sessions_and_many_messages_end_each_exactly_once(house: House) -> None:
    sessions = [await house.session() for _ in range(8)]
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await worker.attach(engine.conversations, slots=64)

        async def answer_all() -> None:
            while True:
                task = await worker.tasks.get()
                worker.reply(task, "ok")

        answering = asyncio.create_task(answer_all())
        await asyncio.gather(
            *(house.say(engine, session, f"m{n}") for session in sessions for n in range(4))
        )
        async with asyncio.timeout(20):
            while await house.count("engine.workflow where outcome = 0"):
                await worker.acknowledged()
        answering.cancel()

        for session in sessions:
            types = await house.types(session)
            assert types.count("input.message") == 4
            assert types.count("turn.started") == types.count("turn.completed")
        assert await house.count("engine.inbox where workflow_id is null") == 0
        await worker.leave()


async def test_idempotency_key_gives_the_same_message_and_refuses_another_body(
    house: House,
) -> None:
    session = await house.session()
    async with house.working() as engine:
        first = house.submit(session, "a", key="k", body_hash=b"1" * 32)
        again = house.submit(session, "a", key="k", body_hash=b"1" * 32)
        other = house.submit(session, "b", key="k", body_hash=b"2" * 32)

        (one,) = await engine.control.submit_many((first,))
        (two,) = await engine.control.submit_many((again,))
        (three,) = await engine.control.submit_many((other,))

        assert isinstance(one, commands.Receipt)
        assert isinstance(two, commands.Receipt)
        assert two.message_id == one.message_id
        assert two.duplicate
        assert isinstance(three, IdempotencyMismatch)
        assert (await house.types(session)).count("input.message") == 1


async def test_thirty_two_concurrent_duplicates_make_one_message(house: House) -> None:
    session = await house.session()
    async with house.working() as engine:
        submits = tuple(house.submit(session, "a", key="k", body_hash=b"1" * 32) for _ in range(32))

        answers = await engine.control.submit_many(submits)

        assert len({a.message_id for a in answers if isinstance(a, commands.Receipt)}) == 1
        assert (await house.types(session)).count("input.message") == 1


async def test_two_engines_serve_one_session_without_a_lost_message(house: House) -> None:
    session = await house.session()
    async with house.working() as left, house.working() as right:
        await asyncio.gather(
            *(house.say(engine, session, f"m{n}") for n in range(10) for engine in (left, right))
        )

        types = await house.types(session)
        assert types.count("input.message") == 20
        assert types.count("turn.started") == 1


async def test_cancel_reaches_the_worker_and_ends_the_turn(house: House) -> None:
    session = await house.session()
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await worker.attach(engine.conversations)
        await house.say(engine, session, "long")
        task, _ = await worker.next_reason()

        receipt = await engine.control.cancel(
            commands.Cancel(org_id=DEFAULT_ORG_ID, session_id=session)
        )
        async with asyncio.timeout(5):
            told = await worker.cancelled.get()
        failure = Failure(error_class="cancelled", code="cancelled", message="stopped")
        worker.bring(task, ReasonResult(failure=failure))
        await worker.acknowledged()

        assert receipt.status == "cancelled"
        assert told == task.held
        assert (await house.types(session))[-4:] == [
            "turn.cancelled",
            "input.message",
            "output.message.completed",
            "session.idled",
        ]
        again = await engine.control.cancel(
            commands.Cancel(org_id=DEFAULT_ORG_ID, session_id=session)
        )
        assert again.status == "no_op"
        await worker.leave()


async def test_deleted_session_is_gone_and_its_worker_is_told(house: House) -> None:
    session = await house.session()
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await worker.attach(engine.conversations)
        await house.say(engine, session, "long")
        task, _ = await worker.next_reason()

        command = commands.Close(org_id=DEFAULT_ORG_ID, session_id=session)
        await engine.control.close(command)
        async with asyncio.timeout(5):
            lost = await worker.lost.get()

        assert lost == task.held
        (answer,) = await engine.control.submit_many((house.submit(session, "more"),))
        assert isinstance(answer, NotFound)
        assert await house.count("engine.task") == 0
        await worker.leave()


async def test_worker_that_comes_back_in_time_keeps_its_task(house: House) -> None:
    session = await house.session()
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await worker.attach(engine.conversations)
        await house.say(engine, session, "hello")
        task, _ = await worker.next_reason()
        worker.beat(task.held)
        async with asyncio.timeout(5):
            await worker.renewed.get()
        await worker.leave()

        await worker.attach(engine.conversations, held=(task.held,))
        worker.reply(task, "hi")

        assert (await worker.acknowledged()).verdict is Verdict.COMMITTED
        assert await house.types(session) == TEXT_TURN
        await worker.leave()


async def test_broken_stream_gives_the_task_to_another_worker_with_a_higher_fence(
    house: House,
) -> None:
    session = await house.session()
    first, second = ScriptedWorker(house.ids), ScriptedWorker(house.ids)
    async with house.working() as engine:
        await first.attach(engine.conversations)
        await house.say(engine, session, "hello")
        task, _ = await first.next_reason()
        first.beat(task.held)
        async with asyncio.timeout(5):
            await first.renewed.get()

        await first.leave()
        await second.attach(engine.conversations)
        again, payload = await second.next_reason()

        assert again.held.task_id == task.held.task_id
        assert again.held.fence == 2
        recovered = EmitEvent(
            type="reason.recovered",
            data={"turn_id": f"turn_{payload.turn_id.hex}", "mode": "restart"},
        )
        second.emit(Emit(held=again.held, counter=1, events=(recovered,)))
        second.emit(Emit(held=again.held, counter=1, events=(recovered,)))
        async with asyncio.timeout(5):
            verdicts = [(await second.emits.get()).verdict for _ in range(2)]
        assert verdicts == [Verdict.COMMITTED, Verdict.DUPLICATE]
        second.reply(again, "hi")
        await second.acknowledged()
        types = await house.types(session)
        assert types.count("reason.recovered") == 1
        assert types.count("turn.completed") == 1
        assert [end.closing for end in house.witness.ended] == [Closing.EXPIRED]
        await second.leave()


async def test_zombie_result_after_the_fence_moved_is_refused(house: House) -> None:
    session = await house.session()
    first, second = ScriptedWorker(house.ids), ScriptedWorker(house.ids)
    async with house.working() as engine, house.working() as other:
        await first.attach(engine.conversations)
        await house.say(engine, session, "hello")
        task, _ = await first.next_reason()
        await first.leave()
        await second.attach(other.conversations)
        again, _ = await second.next_reason()

        await first.attach(engine.conversations, held=(task.held,))
        first.reply(task, "from the grave")

        assert (await first.acknowledged()).verdict is Verdict.STALE
        second.reply(again, "alive")
        assert (await second.acknowledged()).verdict is Verdict.COMMITTED
        assert (await house.types(session)).count("turn.completed") == 1
        await first.leave()
        await second.leave()
