"""A query to an engine that has no worker for it, while another one has."""

import asyncio

import msgspec
import pytest

from mainspring_kernel.errors import NoWorker
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema.tasks import QueryResult, QueryTask
from mainspring_schema.workflows import QueryWorkflow, StartWorkflow
from tests.integration.engine.house import House
from tests.integration.engine.scripted_worker import ScriptedWorker


async def test_a_query_reaches_the_worker_of_another_engine(house: House) -> None:
    worker, id_ = ScriptedWorker(house.ids), house.ids.uuid7()
    question = QueryWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=id_, name="stage")
    async with house.working() as asked, house.working() as other:
        await asked.workflows.start(
            StartWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=id_, type="order", input=b"[]")
        )
        with pytest.raises(NoWorker):
            await asked.workflows.query(question)
        await worker.attach(other.conversations, capabilities=("workflow:order",))
        await worker.next_task()  # the workflow's own

        asking = asyncio.create_task(asked.workflows.query(question))
        task = await worker.next_task()
        worker.bring(task, QueryResult(result=b'"packing"'))
        answer = await asking
        await worker.leave()

    made = msgspec.msgpack.decode(task.payload, type=QueryTask)
    assert (made.workflow_id, made.name) == (id_, "stage")
    assert answer == b'"packing"'
