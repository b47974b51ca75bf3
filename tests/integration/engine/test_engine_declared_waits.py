"""A declared workflow that waits, through an engine: it ends, and no worker is there."""

import asyncio

from mainspring import do_sleep, do_wait_for_signal, workflow
from mainspring_engine.main import Engine
from mainspring_kernel.ids import DEFAULT_ORG_ID, RandomIds
from mainspring_messaging import Bus, Message
from mainspring_schema.stream import decode_batch
from mainspring_schema.subjects import session_log
from mainspring_schema.workflows import GetWorkflow, SignalWorkflow, StartWorkflow
from tests.integration.engine.house import House
from tests.integration.engine.test_engine_long_histories import in_memory


@workflow(driver="machine")
def patient() -> object:
    do_sleep(0.01)
    return do_wait_for_signal("go", timeout_s=3600)


async def comes_to_its_end(engine: Engine, bus: Bus, ids: RandomIds) -> None:
    assert patient.drawn is not None
    id_, ended = ids.uuid7(), asyncio.Event()

    def received(message: Message) -> None:
        if any(event.type == "workflow.completed" for event in decode_batch(message.data).events):
            ended.set()

    await bus.subscribe(session_log(DEFAULT_ORG_ID, id_), received)
    await bus.flush(1.0)
    declaration = patient.drawn.declaration
    await engine.workflows.start(
        StartWorkflow(
            org_id=DEFAULT_ORG_ID, workflow_id=id_, type="patient", input=b"[]",
            declaration=declaration,
        )
    )  # fmt: skip
    # Before or after its step began: it is taken once, either way.
    go = SignalWorkflow(
        org_id=DEFAULT_ORG_ID, workflow_id=id_, signal_id=ids.uuid7(), name="go", payload=b"7"
    )
    await engine.workflows.signal(go)
    async with asyncio.timeout(60):
        await ended.wait()

    view = await engine.workflows.get(GetWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=id_))
    assert (view.status, view.result, view.waits) == ("completed", b"7", ())
    # Who was not told that it was taken asks again, and it has ended by then.
    assert (await engine.workflows.signal(go)).duplicate


async def test_it_waits_and_ends_in_memory() -> None:
    async with in_memory() as (engine, bus, ids):
        await comes_to_its_end(engine, bus, ids)


async def test_it_waits_and_ends_on_postgres(house: House) -> None:
    async with house.working() as engine:
        await comes_to_its_end(engine, house.bus, house.ids)
