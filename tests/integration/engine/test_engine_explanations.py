"""One question tells why something of a working engine does not move."""

from uuid import UUID

import pytest

from mainspring_engine.domain.turn.agent import turn_agent
from mainspring_engine.main import Engine
from mainspring_kernel.errors import NotFound
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema import commands
from mainspring_schema.agents import decode_runtime_agent
from mainspring_schema.explaining import Explanation, Subject
from mainspring_schema.gates import SetCircuit
from mainspring_schema.operations import DrainWorker, Explain
from mainspring_schema.tasks import Failure, NamedCall, ReasonResult, ToolCall
from tests.integration.engine.house import AGENT, AGENT_HASH, House
from tests.integration.engine.scripted_worker import ScriptedWorker

KEY = turn_agent(AGENT_HASH, decode_runtime_agent(AGENT)).model_route


async def explained(engine: Engine, subject: Subject, id_: UUID) -> Explanation:
    answer = await engine.operator.inspect(Explain(org_id=DEFAULT_ORG_ID, subject=subject, id=id_))
    assert isinstance(answer, Explanation)
    return answer


def codes(found: Explanation) -> list[str]:
    return [reason.code for reason in found.reasons]


async def test_a_turn_without_a_worker_says_so_under_each_of_its_names(house: House) -> None:
    session = await house.session()
    async with house.working() as engine:
        receipt = await house.say(engine, session, "hello")
        ((task,),) = (await engine.store.open_tasks((receipt.turn_id,))).values()

        found = [
            await explained(engine, "session", session),
            await explained(engine, "workflow", receipt.turn_id),
            await explained(engine, "task", task.id),
        ]

        assert [codes(one) for one in found] == [["no_worker"]] * 3
        assert {one.session_id for one in found} == {session}
        assert {one.workflow_id for one in found} == {receipt.turn_id}
        assert not any(one.moving for one in found)


async def test_a_turn_is_followed_from_its_worker_through_a_retry(house: House) -> None:
    session = await house.session()
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await worker.attach(engine.conversations)
        await house.say(engine, session, "hello")
        task, _ = await worker.next_reason()
        handed = await explained(engine, "session", session)
        overloaded = Failure(
            error_class="transient", code="provider_overloaded", message="later",
            retry_after_ms=60_000,
        )  # fmt: skip
        worker.bring(task, ReasonResult(failure=overloaded))
        await worker.acknowledged()
        delayed = await explained(engine, "session", session)

        assert codes(handed) == ["delivering"]
        assert handed.reasons[0].worker_id == worker.incarnation
        assert codes(delayed) == ["retry"]
        assert "provider_overloaded" in delayed.summary
        await worker.leave()


async def test_a_drained_fleet_and_an_open_circuit_are_named(house: House) -> None:
    session = await house.session()
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await worker.attach(engine.conversations)
        await engine.operator.operate(DrainWorker(worker_id=worker.incarnation))
        await house.say(engine, session, "hello")

        drained = await explained(engine, "session", session)
        await engine.gate_control.set_circuit(SetCircuit(key=KEY, action="open", reason="try"))
        shut = await explained(engine, "session", session)

        assert codes(drained) == ["workers_draining"]
        assert codes(shut) == ["circuit"]
        assert "held open by an operator (try)" in shut.summary
        await worker.leave()


async def test_a_turn_that_waits_for_its_client_names_the_tools(house: House) -> None:
    session = await house.session()
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await worker.attach(engine.conversations)
        await house.say(engine, session, "hello")
        task, payload = await worker.next_reason()
        call = ToolCall(
            id=NamedCall(turn_id=payload.turn_id, iteration=1, index=0).id(),
            name="ask_the_user",
            arguments={},
            client_side=True,
        )
        worker.bring(task, ReasonResult(tool_calls=(call,)))
        await worker.acknowledged()

        found = await explained(engine, "session", session)

        assert (found.state, codes(found)) == ("client", ["client_tools"])
        assert "ask_the_user" in found.summary
        assert found.reasons[0].until_ms is not None
        await worker.leave()


async def test_an_idle_session_waits_for_a_message_and_a_deleted_one_is_not_found(
    house: House,
) -> None:
    session = await house.session()
    async with house.working() as engine:
        idle = await explained(engine, "session", session)
        await engine.control.close(commands.Close(org_id=DEFAULT_ORG_ID, session_id=session))

        assert (idle.moving, codes(idle)) == (True, ["idle"])
        with pytest.raises(NotFound):
            await explained(engine, "session", session)
