"""Engines over one database that hold tasks back together."""

import asyncio
import functools
from uuid import UUID

import msgspec
import pytest

from mainspring_engine import main
from mainspring_engine.adapters.postgres import PostgresGates
from mainspring_engine.domain.circuit import REASON_BYTES_MAX
from mainspring_engine.domain.limit import KeyLimit
from mainspring_engine.domain.turn.agent import turn_agent
from mainspring_engine.main import Engine
from mainspring_engine.usecases.backpressure import Backpressure
from mainspring_kernel.errors import TooManyRequests
from mainspring_schema.agents import decode_runtime_agent
from mainspring_schema.frames import Task
from mainspring_schema.gates import DropLimit, SetCircuit, SetLimit
from mainspring_schema.tasks import Failure, ReasonResult
from tests.integration.engine.house import AGENT, AGENT_HASH, House
from tests.integration.engine.scripted_worker import ScriptedWorker

KEY = turn_agent(AGENT_HASH, decode_runtime_agent(AGENT)).model_route
DOWN = Failure(error_class="transient", code="provider_overloaded", message="overloaded")
UNTOUCHED = "engine.task where state = 1 and fence = 0"


async def failing(
    house: House, engine: Engine, worker: ScriptedWorker, count: int, failure: Failure = DOWN
) -> None:
    tasks: list[Task] = []
    for _ in range(count):
        await house.say(engine, await house.session(), "hello")
        tasks.append((await worker.next_reason())[0])
    for task in tasks:
        worker.bring(task, ReasonResult(failure=failure))
        await worker.acknowledged()


async def shut(house: House, engine: Engine) -> None:
    """Waits until the engine itself knows that the circuit is not closed."""
    async with asyncio.timeout(10):
        while engine.gates.circuits.why(KEY) is None:
            await house.count("engine.board")


async def test_a_failing_provider_shuts_its_route_in_every_engine_and_burns_no_attempt(
    house: House,
) -> None:
    near, far = ScriptedWorker(house.ids), ScriptedWorker(house.ids)
    async with house.working() as first, house.working() as second:
        await near.attach(first.conversations)
        await far.attach(second.conversations)
        await failing(house, first, near, 5)
        await shut(house, first)
        await shut(house, second)

        held = [await house.say(e, await house.session(), "hello") for e in (first, second)]
        before = await house.count(UNTOUCHED)
        await first.gate_control.set_circuit(SetCircuit(key=KEY, action="reset"))
        wanted = {receipt.turn_id for receipt in held}
        claimed: set[UUID] = set()
        async with asyncio.timeout(10):
            # The calls that failed come again in between.
            while not wanted <= claimed:
                for worker in (near, far):
                    while not worker.tasks.empty():
                        claimed.add((await worker.next_reason())[1].turn_id)
                await house.count("engine.board")

        assert before == 2
        await near.leave()
        await far.leave()


async def test_what_a_worker_calls_a_failure_shuts_the_circuit_and_no_engine(house: House) -> None:
    """No column takes a NUL, and nobody bounds how long a code is."""
    worker = ScriptedWorker(house.ids)
    odd = msgspec.structs.replace(DOWN, code="down\0" + "n" * 10_000)
    async with house.working() as engine:
        await worker.attach(engine.conversations)
        await failing(house, engine, worker, 5, odd)
        await shut(house, engine)

        (circuit,) = await engine.gate_control.circuits()
        assert circuit.state == "open"
        assert circuit.reason.startswith("downn")
        assert len(circuit.reason) == REASON_BYTES_MAX
        await worker.leave()


@pytest.mark.parametrize("action", ["open", "close"])
async def test_what_an_operator_sets_holds_in_every_engine(house: House, action: str) -> None:
    worker = ScriptedWorker(house.ids)
    async with house.working() as first, house.working() as second:
        await worker.attach(second.conversations)
        await first.gate_control.set_circuit(SetCircuit(key=KEY, action="open", reason="try"))
        await shut(house, second)
        if action == "open":
            await house.say(second, await house.session(), "hello")

            assert await house.count(UNTOUCHED) == 1
        else:
            await first.gate_control.set_circuit(SetCircuit(key=KEY, action="close"))
            await failing(house, second, worker, 8)

            assert [c.state for c in await first.gate_control.circuits()] == ["closed"]
        await worker.leave()


# ── limits ──────────────────────────────────────────────────────────────────────────────────────

LEASED, READY = "engine.task where state = 2", "engine.task where state = 1"


async def limited(house: House, engines: tuple[Engine, ...], command: SetLimit) -> None:
    """Returns once all engines have learned it."""
    await engines[0].gate_control.set_limit(command)
    async with asyncio.timeout(10):
        while not all(engine.gates.limiter.known(KEY) for engine in engines):
            await house.count("engine.board")


async def counted(house: House, what: str, count: int) -> None:
    async with asyncio.timeout(10):
        while await house.count(what) != count:
            pass


async def test_no_more_tasks_of_a_key_run_at_once_than_its_limit_in_all_engines_together(
    house: House,
) -> None:
    near, far = ScriptedWorker(house.ids), ScriptedWorker(house.ids)
    async with house.working() as first, house.working() as second:
        await limited(house, (first, second), SetLimit(key=KEY, at_once=2))
        await near.attach(first.conversations)
        await far.attach(second.conversations)
        for engine in (first, second, first, second, first):
            await house.say(engine, await house.session(), "hello")
        await counted(house, LEASED, 2)
        assert await house.count(READY) == 3

        for _ in range(5):
            # Whoever has a task brings its result; the next one takes its place at once.
            async with asyncio.timeout(10):
                while near.tasks.empty() and far.tasks.empty():
                    await house.count("engine.board")
            worker = far if near.tasks.empty() else near
            task, _ = await worker.next_reason()
            assert await house.count(LEASED) <= 2
            worker.reply(task, "hi")
            await worker.acknowledged()

        assert await house.count("engine.task") == 0
        await near.leave()
        await far.leave()


async def test_a_key_above_its_rate_is_held_and_nothing_fails(house: House) -> None:
    worker = ScriptedWorker(house.ids)
    async with house.working() as first, house.working() as second:
        await limited(house, (first, second), SetLimit(key=KEY, rate=1, per_ms=600_000))
        await worker.attach(first.conversations)
        for engine in (first, second, first):
            await house.say(engine, await house.session(), "hello")
        await worker.next_reason()
        assert await house.count(LEASED) == 1
        assert await house.count(UNTOUCHED) == 2

        await second.gate_control.drop_limit(DropLimit(key=KEY))

        for _ in range(2):
            await worker.next_reason()
        await worker.leave()


async def test_a_limit_that_is_learned_late_is_learned_by_a_pass(house: House) -> None:
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        await worker.attach(engine.conversations)

        # No hint: as another engine would while NATS is away.
        await PostgresGates(house.database).set_limit(KeyLimit(key=KEY, at_once=0))
        async with asyncio.timeout(10):
            while not engine.gates.limiter.known(KEY):
                await house.count("engine.board")
        await house.say(engine, await house.session(), "hello")

        assert await house.count(UNTOUCHED) == 1
        await worker.leave()


# ── backpressure ────────────────────────────────────────────────────────────────────────────────


async def test_above_its_depth_a_message_is_refused_and_what_was_accepted_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "Backpressure", functools.partial(Backpressure, org_max=2))
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine:
        # Nobody is there to take anything: the pass counts what waits.
        for _ in range(2):
            await house.say(engine, await house.session(), "hello")
        answer: object = None
        async with asyncio.timeout(20):
            while not isinstance(answer, TooManyRequests):
                message = house.submit(await house.session(), "more")
                (answer,) = await engine.control.submit_many((message,))
        waiting = await house.count("engine.workflow")

        await worker.attach(engine.conversations)
        for _ in range(waiting):
            task, _ = await worker.next_reason()
            worker.reply(task, "hi")
            await worker.acknowledged()

        assert await house.count("engine.workflow where outcome = 1") == waiting
        await worker.leave()
