"""What a scraper reads of an engine over real Postgres, with work in it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from mainspring_engine.main import Engine, measure
from mainspring_postgres.queries import Query
from mainspring_runtime import names
from mainspring_runtime.lifecycle import Service
from mainspring_runtime.names import Instrument
from mainspring_runtime.settings import Bind, ProcessSettings
from mainspring_runtime.telemetry import open_telemetry
from mainspring_runtime.watching import MetricsDoor, open_metrics
from mainspring_schema.gates import SetCircuit
from mainspring_schema.tasks import Failure, ReasonResult
from tests.integration.engine.house import House
from tests.integration.engine.scripted_worker import ScriptedWorker
from tests.scraping import Scraped, scrape

SETTINGS = ProcessSettings(metrics_bind=Bind("127.0.0.1", 0))
OF_QUEUE = {"mainspring_queue_name": "default"}
_A_MOMENT = Query(name="a_moment", purpose="Lets time pass.", sql="select pg_sleep(0.05)")
ELSEWHERE = frozenset({names.REQUEST_DURATION, names.SSE_CLIENTS})
"""Told by api."""


@asynccontextmanager
async def measured(engine: Engine) -> AsyncGenerator[MetricsDoor]:
    service = Service("engine", open_telemetry("engine", SETTINGS))
    try:
        door = await open_metrics(service, SETTINGS)
        measure(engine, service)
        assert door is not None
        yield door
    finally:
        await service.close()
        service.telemetry.close()


async def after_a_look(engine: Engine, door: MetricsDoor) -> Scraped:
    await engine.gauging.look()
    return await scrape(door.port)


async def test_work_that_waits_is_told_with_its_depth_its_age_and_nobody_to_serve_it(
    house: House,
) -> None:
    async with house.working() as engine, measured(engine) as door:
        for _ in range(3):
            await house.say(engine, await house.session(), "hello")

        found = await after_a_look(engine, door)

    depth = "mainspring_queue_tasks"
    assert found.value(depth, mainspring_task_state="ready", **OF_QUEUE) == 3
    assert found.value(depth, mainspring_task_state="leased", **OF_QUEUE) == 0
    assert found.value("mainspring_queue_unserved", **OF_QUEUE) == 3
    age = found.value("mainspring_queue_oldest_age_seconds", **OF_QUEUE)
    assert found.value("mainspring_queue_expected_wait_seconds", **OF_QUEUE) == age >= 0
    assert found.value("mainspring_commit_items_sum") == 3
    assert found.value("mainspring_commit_duration_seconds_count") >= 1
    assert found.value("mainspring_worker_streams") == 0
    assert found.value("mainspring_queue_cut") == 0


async def test_work_under_way_is_told_with_credits_waits_retries_and_circuits(
    house: House,
) -> None:
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine, measured(engine) as door:
        await house.say(engine, await house.session(), "one")
        await worker.attach(engine.conversations, slots=4)
        claimed, _ = await worker.next_reason()
        await house.say(engine, await house.session(), "two")
        await worker.next_reason()
        late = Failure(error_class="transient", code="overloaded", message="later")
        worker.bring(claimed, ReasonResult(failure=late))
        await worker.acknowledged()

        found = await after_a_look(engine, door)
        await worker.leave()

    assert found.value("mainspring_worker_streams") == 1
    assert found.value("mainspring_worker_held_tasks") == 1
    assert found.value("mainspring_worker_credits") == 3
    assert found.value("mainspring_claim_tasks_sum") == 1
    assert found.value("mainspring_task_schedule_to_start_seconds_count", **OF_QUEUE) == 2
    assert found.value("mainspring_task_retries_total", error_type="transient") == 1
    state = "mainspring_queue_tasks"
    assert found.value(state, mainspring_task_state="delayed", **OF_QUEUE) == 1
    assert found.value(state, mainspring_task_state="leased", **OF_QUEUE) == 1


async def test_an_open_circuit_is_told_by_the_key_that_operators_write(house: House) -> None:
    async with house.working() as engine, measured(engine) as door:
        await engine.gate_control.set_circuit(SetCircuit(key="circuit/stripe", action="open"))
        async with asyncio.timeout(10):
            while not engine.gates.circuits.all():
                await engine.gate_control.circuits()  # each is a query, which is the wait

        found = await scrape(door.port)

    assert found.value("mainspring_circuit_state", mainspring_circuit_key="circuit:stripe") == 2


async def test_a_snapshot_that_somebody_holds_is_told(house: House) -> None:
    async with (
        house.working() as engine,
        measured(engine) as door,
        house.admin.snapshot() as other,
    ):
        await other.fetch(_A_MOMENT)
        await other.fetch(_A_MOMENT)

        found = await after_a_look(engine, door)

    assert found.value("mainspring_postgres_horizon_age_seconds") >= 0.05
    assert found.value("mainspring_postgres_dead_tuples", db_collection_name="engine.task") >= 0


def spelled(instrument: Instrument) -> str:
    """As Prometheus has it."""
    return str(instrument.g2).replace(".", "_") + ("_seconds" if instrument.unit == "s" else "")


PROMISED = {
    "depth": "mainspring_queue_tasks",
    "oldest age": "mainspring_queue_oldest_age_seconds",
    "expected wait": "mainspring_queue_expected_wait_seconds",
    "schedule to start": "mainspring_task_schedule_to_start_seconds",
    "claim batch size": "mainspring_claim_tasks",
    "lease expiries": "mainspring_lease_expired",
    "retries by class": "mainspring_task_retries",
    "breaker state": "mainspring_circuit_state",
    "stream count": "mainspring_worker_streams",
    "credits": "mainspring_worker_credits",
    "loop lag": "mainspring_loop_lag_seconds",
    "commit latency": "mainspring_commit_duration_seconds",
    "dead tuples of hot tables": "mainspring_postgres_dead_tuples",
    "oldest transaction horizon": "mainspring_postgres_horizon_age_seconds",
}
"""What an operator of a queue asks for, and under which name it is told."""


async def test_every_metric_of_a_process_is_told_by_an_engine_or_by_api(house: House) -> None:
    worker = ScriptedWorker(house.ids)
    async with house.working() as engine, measured(engine) as door:
        await house.say(engine, await house.session(), "hello")
        await worker.attach(engine.conversations)
        claimed, _ = await worker.next_reason()
        late = Failure(error_class="transient", code="overloaded", message="later")
        worker.bring(claimed, ReasonResult(failure=late))
        await worker.acknowledged()
        await engine.gate_control.set_circuit(SetCircuit(key="circuit/stripe", action="open"))
        async with asyncio.timeout(10):
            while not engine.gates.circuits.all():
                await engine.gate_control.circuits()
        found = await after_a_look(engine, door)
        await worker.leave()

    expected = {spelled(each) for each in names.KEPT if each not in ELSEWHERE}
    assert expected <= found.names
    assert set(PROMISED.values()) <= expected
