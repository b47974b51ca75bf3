"""Whoever waits for a workflow hears of its end, and of no other's."""

import asyncio

import msgspec
import pytest

from mainspring import do, step, workflow
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_messaging import MemoryBus, Message
from mainspring_schema.declarations import hash_of, version_of
from mainspring_schema.subjects import WORKFLOWS_ENDED, workflow_ended
from mainspring_schema.wake import WorkflowEnded
from mainspring_schema.workflows import CancelWorkflow, StartWorkflow
from tests.unit.engine.whole import IDS, whole_engine


@step
async def bill(number: int) -> int:
    return number


@workflow(driver="machine")
def order(number: int) -> int:
    return do(bill, number)


assert order.drawn is not None
DRAWN = order.drawn.declaration


@pytest.mark.parametrize(
    ("declaration", "version"), [(None, ""), (DRAWN, version_of(hash_of(DRAWN)))]
)
async def test_an_end_is_told_with_the_version_of_what_ran(
    declaration: bytes | None, version: str
) -> None:
    bus, told, id_ = MemoryBus(), asyncio.Queue[Message](), IDS.uuid7()
    await bus.subscribe(WORKFLOWS_ENDED, told.put_nowait)
    async with whole_engine(bus) as engine:
        await engine.workflows.start(
            StartWorkflow(
                org_id=DEFAULT_ORG_ID,
                workflow_id=id_,
                type="order",
                input=b"[1]",
                declaration=declaration,
            )
        )
        await engine.workflows.cancel(
            CancelWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=id_, reason="no need")
        )
        message = await told.get()

    end = msgspec.msgpack.decode(message.data, type=WorkflowEnded)
    assert message.subject == workflow_ended(id_)
    assert (end.event.type, end.version) == ("workflow.cancelled", version)
    assert told.empty()
