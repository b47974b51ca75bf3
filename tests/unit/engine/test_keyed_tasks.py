"""Keys and circuits of plain tasks through a whole engine over memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable

import pytest

from mainspring_engine.domain.circuit import Circuit
from mainspring_engine.domain.gate_limits import CIRCUIT_FAILURES_MIN
from mainspring_engine.main import Engine
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema.explaining import Explanation
from mainspring_schema.gates import DropLimit, SetCircuit, SetLimit
from mainspring_schema.operations import Explain
from mainspring_schema.plain import SubmitTask, SubmitTasks
from mainspring_schema.tasks import PlainResult
from mainspring_schema.workflows import Flaw
from tests.integration.engine.scripted_worker import ScriptedWorker
from tests.unit.engine.whole import IDS

FLAW = Flaw(code="card_declined", message="no")
CIRCUIT = "circuit/stripe"


@pytest.fixture
async def worker(engine: Engine) -> AsyncIterator[ScriptedWorker]:
    worker = ScriptedWorker(IDS)
    await worker.attach(engine.conversations, slots=8, capabilities=("task:add",))
    yield worker
    await worker.leave()


async def submitted(engine: Engine, *keys: str, circuit: str = "") -> SubmitTask:
    task = SubmitTask(
        org_id=DEFAULT_ORG_ID, task_id=IDS.uuid7(), type="add", keys=keys, circuit=circuit
    )
    answer = await engine.plain_tasks.submit(SubmitTasks(tasks=(task,)))
    assert answer.receipts[0].refusal is None
    return task


async def limited(engine: Engine, command: SetLimit, key: str) -> None:
    """Returns once the engine has learned it."""
    await engine.gate_control.set_limit(command)
    await learned(engine, lambda: engine.gates.limiter.known(key) is not None)


async def learned(engine: Engine, seen: Callable[[], bool]) -> None:
    """Waits for the next looks at the board, until this is seen."""
    looked, circuits = asyncio.Event(), engine.gates.circuits
    update = circuits.update

    def noting(rows: Iterable[Circuit]) -> tuple[str, ...]:
        looked.set()
        return update(rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(circuits, "update", noting)
        async with asyncio.timeout(10):
            while not seen():
                await looked.wait()
                looked.clear()


def shut(engine: Engine) -> Callable[[], bool]:
    return lambda: engine.gates.circuits.why(CIRCUIT) is not None


async def explained(engine: Engine, task: SubmitTask) -> Explanation:
    asked = Explain(org_id=DEFAULT_ORG_ID, subject="task", id=task.task_id)
    answer = await engine.operator.inspect(asked)
    assert isinstance(answer, Explanation)
    return answer


async def test_of_one_customer_one_task_runs_and_another_customers_goes_past(
    engine: Engine, worker: ScriptedWorker
) -> None:
    family = SetLimit(key="key/customer:*", at_once=1)
    await limited(engine, family, "key/customer:1")
    first = await submitted(engine, "customer:1")
    running = await worker.next_task()
    second = await submitted(engine, "customer:1")
    other = await submitted(engine, "customer:2")

    past = await worker.next_task()
    why = await explained(engine, second)
    worker.bring(running, PlainResult())
    after = await worker.next_task()

    assert (running.held.task_id, past.held.task_id) == (first.task_id, other.task_id)
    assert why.reasons[0].code == "limit"
    assert "key:customer:1 (of key:customer:*): 1 of 1 at once" in why.summary
    assert after.held.task_id == second.task_id


async def test_a_paused_key_holds_its_tasks_until_the_limit_is_dropped(
    engine: Engine, worker: ScriptedWorker
) -> None:
    await limited(engine, SetLimit(key="key/export", at_once=0), "key/export")
    held = await submitted(engine, "export")

    why = await explained(engine, held)
    await engine.gate_control.drop_limit(DropLimit(key="key/export"))
    task = await worker.next_task()

    assert (why.reasons[0].code, why.moving) == ("limit", False)
    assert (task.held.task_id, task.held.fence) == (held.task_id, 1)


async def test_a_rate_is_told_by_its_key(engine: Engine, worker: ScriptedWorker) -> None:
    rate = SetLimit(key="key/mail", rate=1, per_ms=3_600_000)
    await limited(engine, rate, "key/mail")
    first = await submitted(engine, "mail")
    passed = await worker.next_task()
    second = await submitted(engine, "mail")

    why = await explained(engine, second)

    assert passed.held.task_id == first.task_id
    assert "the limit of key:mail: 1 in 3600 s" in why.summary


async def test_a_circuit_that_tasks_name_opens_by_their_failures_and_burns_no_attempt(
    engine: Engine, worker: ScriptedWorker
) -> None:
    for _ in range(CIRCUIT_FAILURES_MIN):
        await submitted(engine, circuit="stripe")
        worker.bring(await worker.next_task(), PlainResult(flaw=FLAW))
        await worker.acknowledged()
    await learned(engine, shut(engine))
    held, free = await submitted(engine, circuit="stripe"), await submitted(engine)

    past = await worker.next_task()
    why = await explained(engine, held)
    (shown,) = await engine.gate_control.circuits()
    await engine.gate_control.set_circuit(SetCircuit(key=CIRCUIT, action="close"))
    task = await worker.next_task()

    assert past.held.task_id == free.task_id
    assert (why.reasons[0].code, shown.key, shown.state) == ("circuit", CIRCUIT, "open")
    assert "circuit:stripe is open after failures (card_declined)" in why.summary
    assert (task.held.task_id, task.held.fence) == (held.task_id, 1)


async def test_errors_of_the_calls_own_open_no_circuit(
    engine: Engine, worker: ScriptedWorker
) -> None:
    for _ in range(CIRCUIT_FAILURES_MIN + 1):
        await submitted(engine, circuit="stripe")
        worker.bring(await worker.next_task(), PlainResult(flaw=FLAW, lasting=True))
        await worker.acknowledged()

    assert engine.gates.circuits.why(CIRCUIT) is None
    assert await engine.gate_control.circuits() == ()


async def test_a_circuit_is_opened_by_hand_before_anything_failed(
    engine: Engine, worker: ScriptedWorker
) -> None:
    await engine.gate_control.set_circuit(SetCircuit(key=CIRCUIT, action="open", reason="audit"))
    await learned(engine, shut(engine))
    held = await submitted(engine, circuit="stripe")

    why = await explained(engine, held)
    await engine.gate_control.set_circuit(SetCircuit(key=CIRCUIT, action="reset"))

    assert "held open by an operator (audit)" in why.summary
    assert (await worker.next_task()).held.task_id == held.task_id


async def test_only_an_engine_with_a_worker_for_what_waits_probes_its_circuit(
    engine: Engine,
) -> None:
    other, able = ScriptedWorker(IDS), ScriptedWorker(IDS)
    await other.attach(engine.conversations, slots=8, capabilities=("task:subtract",))
    await engine.gate_control.set_circuit(SetCircuit(key=CIRCUIT, action="open", reason="try"))
    await learned(engine, shut(engine))
    await submitted(engine, circuit="stripe")
    without = engine.gates.able(CIRCUIT)

    await able.attach(engine.conversations, slots=8, capabilities=("task:add",))

    assert (without, engine.gates.able(CIRCUIT)) == (False, True)
    await other.leave()
    await able.leave()
