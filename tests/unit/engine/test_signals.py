"""A signal that comes again: it is known by its id for as long as its workflow is."""

import msgspec
import pytest

from mainspring_engine.main import Engine
from mainspring_kernel.errors import IdempotencyMismatch, WorkflowEnded
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_messaging import MemoryBus
from mainspring_schema.workflows import CancelWorkflow, SignalWorkflow, StartWorkflow
from tests.unit.engine.whole import IDS, whole_engine


async def signalled(engine: Engine) -> SignalWorkflow:
    """What a workflow that waits for a worker was sent."""
    workflow_id = IDS.uuid7()
    await engine.workflows.start(
        StartWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=workflow_id, type="order", input=b"[]")
    )
    signal = SignalWorkflow(
        org_id=DEFAULT_ORG_ID, workflow_id=workflow_id, signal_id=IDS.uuid7(), name="go",
        payload=b"7",
    )  # fmt: skip
    assert not (await engine.workflows.signal(signal)).duplicate
    return signal


async def end(engine: Engine, signal: SignalWorkflow) -> None:
    cancel = CancelWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=signal.workflow_id)
    assert (await engine.workflows.cancel(cancel)).status == "cancelled"


@pytest.mark.parametrize("ended", [False, True])
async def test_a_repeat_is_answered_as_one_also_once_its_workflow_has_ended(ended: bool) -> None:
    async with whole_engine(MemoryBus()) as engine:
        signal = await signalled(engine)
        if ended:
            await end(engine, signal)

        assert (await engine.workflows.signal(signal)).duplicate


@pytest.mark.parametrize("ended", [False, True])
async def test_an_id_that_comes_with_another_payload_is_refused(ended: bool) -> None:
    async with whole_engine(MemoryBus()) as engine:
        signal = await signalled(engine)
        if ended:
            await end(engine, signal)

        with pytest.raises(IdempotencyMismatch):
            await engine.workflows.signal(msgspec.structs.replace(signal, payload=b"8"))


async def test_a_signal_that_comes_late_for_the_first_time_is_refused() -> None:
    async with whole_engine(MemoryBus()) as engine:
        signal = await signalled(engine)
        await end(engine, signal)

        for late in ({"signal_id": IDS.uuid7()}, {"name": "hurry"}):
            with pytest.raises(WorkflowEnded):
                await engine.workflows.signal(msgspec.structs.replace(signal, **late))
