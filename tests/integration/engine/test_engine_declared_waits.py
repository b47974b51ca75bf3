"""A declared workflow that waits, through an engine: it ends, and no worker is there."""

import asyncio
from uuid import UUID

import pytest

from mainspring import Workflow, do_sleep, do_wait_for_signal, workflow
from mainspring_engine.main import Engine
from mainspring_kernel.errors import Conflict, ValidationFailed
from mainspring_kernel.ids import DEFAULT_ORG_ID, RandomIds
from mainspring_messaging import Bus, Message
from mainspring_schema.stream import decode_batch
from mainspring_schema.subjects import session_log
from mainspring_schema.workflows import ForkWorkflow, GetWorkflow, SignalWorkflow, StartWorkflow
from tests.integration.engine.house import House
from tests.integration.engine.test_engine_long_histories import in_memory


@workflow(driver="machine")
def patient() -> object:
    do_sleep(0.01)
    return do_wait_for_signal("go", timeout_s=3600)


@workflow(driver="machine")
def twice() -> object:
    do_sleep(0.01)
    do_wait_for_signal("go", timeout_s=3600)
    return do_wait_for_signal("go")


@workflow(driver="machine")
def other() -> object:
    do_sleep(0.01)
    return do_wait_for_signal("come")


async def comes_to_its_end(engine: Engine, bus: Bus, ids: RandomIds) -> UUID:
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
    return id_


async def is_forked(engine: Engine, source: UUID, ids: RandomIds) -> None:
    """Its sleep is over and its signal was taken."""

    async def fork(
        step: str | None, onto: "Workflow[..., object]" = patient
    ) -> tuple[str, bytes | None]:
        declaration = None if onto is patient or onto.drawn is None else onto.drawn.declaration
        started = await engine.workflows.fork(
            ForkWorkflow(
                org_id=DEFAULT_ORG_ID, workflow_id=ids.uuid7(), source_id=source, step=step,
                declaration=declaration,
            )
        )  # fmt: skip
        wanted = GetWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=started.workflow_id)
        view = await engine.workflows.get(wanted)
        assert (view.forked_from, bool(view.version)) == (source, True)
        return view.status, view.result

    assert await fork(None) == ("completed", b"7")
    assert await fork("2") == ("waiting", None)
    assert await fork("2", twice) == ("waiting", None)
    assert await fork(None, twice) == ("waiting", None)
    with pytest.raises(Conflict, match="at step 2 signal go"):
        await fork(None, other)
    assert await fork("2", other) == ("waiting", None)
    for wrong in ("0", "2/1", "02", "3"):
        with pytest.raises(ValidationFailed):
            await fork(wrong)


async def test_it_waits_and_ends_in_memory() -> None:
    async with in_memory() as (engine, bus, ids):
        await is_forked(engine, await comes_to_its_end(engine, bus, ids), ids)


async def test_it_waits_and_ends_on_postgres(house: House) -> None:
    async with house.working() as engine:
        await is_forked(engine, await comes_to_its_end(engine, house.bus, house.ids), house.ids)


async def test_code_is_not_forked_onto_a_declaration() -> None:
    async with in_memory() as (engine, _, ids):
        source = ids.uuid7()
        await engine.workflows.start(
            StartWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=source, type="code", input=b"[]")
        )

        assert patient.drawn is not None
        with pytest.raises(Conflict, match="is code"):
            await engine.workflows.fork(
                ForkWorkflow(
                    org_id=DEFAULT_ORG_ID, workflow_id=ids.uuid7(), source_id=source,
                    declaration=patient.drawn.declaration,
                )
            )  # fmt: skip
