"""What an engine that died left for other sessions is brought by the sweep, once."""

import asyncio
from uuid import UUID

from mainspring_engine.domain.workflow import children
from mainspring_engine.usecases.sweeps import SweepKind
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema.codec import pack
from mainspring_schema.tasks import WorkflowResult
from mainspring_schema.workflows import CancelWorkflow, GetWorkflow, Parent, StartWorkflow
from mainspring_testkit.scripts import run_script
from tests.integration.engine.house import House
from tests.integration.engine.test_engine_losses import until


async def lie_there(house: House, to: UUID, source: UUID, kind: str, body: bytes) -> None:
    """A signal as the commit of an engine leaves it that dies before it brings it."""
    await run_script(
        house.admin,
        "insert into engine.signal (session_id, source_turn, kind, org_id, body, created_at)"
        f" values ('{to}', '{source}', '{kind}', '{DEFAULT_ORG_ID}',"
        f" decode('{body.hex()}', 'hex'), clock_timestamp() - interval '5 seconds')",
    )


def start_of(child: UUID, parent: UUID) -> bytes:
    return pack(
        StartWorkflow(
            org_id=DEFAULT_ORG_ID,
            workflow_id=child,
            type="order",
            input=b"[]",
            parent=Parent(workflow_id=parent, linked=True, depth=1),
        )
    )


async def test_a_start_that_nobody_brought_is_swept_and_taken_once(house: House) -> None:
    child, parent = house.ids.uuid7(), house.ids.uuid7()
    await lie_there(house, child, parent, children.START, start_of(child, parent))

    async with house.working() as one, house.working() as two:
        await asyncio.gather(*(e.sweeps.sweep(SweepKind.LEASES) for e in (one, two, one)))
        await until(house, "engine.signal where consumed_by is not null", 1)
        view = await two.workflows.get(GetWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=child))

    assert view.parent_id == parent
    assert await house.types(child) == ["workflow.started"]


async def test_a_cancel_and_an_end_that_nobody_brought_are_swept(house: House) -> None:
    child, parent = house.ids.uuid7(), house.ids.uuid7()
    await lie_there(house, child, parent, children.START, start_of(child, parent))
    await lie_there(house, child, parent, children.CANCEL, b"")

    async with house.working() as engine:
        await engine.sweeps.sweep(SweepKind.LEASES)
        # The child tells its end to a parent that this database has not: it stays for its lane.
        await until(house, "engine.signal where kind = 'child:ended' and consumed_by is null", 1)
        view = await engine.workflows.get(GetWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=child))

    assert view.status == "cancelled"


async def test_an_end_for_a_parent_that_has_ended_is_taken(house: House) -> None:
    parent, child = house.ids.uuid7(), house.ids.uuid7()
    async with house.working() as engine:
        await engine.workflows.start(
            StartWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=parent, type="order", input=b"[]")
        )
        await engine.workflows.cancel(CancelWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=parent))
        ended = pack(WorkflowResult(outcome="cancelled"))
        await lie_there(house, parent, child, children.ENDED, ended)

        await engine.sweeps.sweep(SweepKind.LEASES)
        await until(house, "engine.signal where consumed_by is not null", 1)

    assert (await house.types(parent))[-1] == "workflow.cancelled"
