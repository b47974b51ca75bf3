"""What the letter of a workflow that was set aside shows."""

from typing import cast
from uuid import UUID

import msgspec

from mainspring_api.adapters.http.wire.letters import letter_details_out
from mainspring_engine.adapters.memory import MemoryStore
from mainspring_engine.domain.intents import Died
from mainspring_engine.domain.limits import WORKER_DEATHS_MAX
from mainspring_engine.main import Engine
from mainspring_engine.usecases.lane import FutureTicket
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema.operations import GetLetter, LetterDetails
from mainspring_schema.workflows import StartWorkflow
from tests.unit.engine.whole import IDS


async def set_aside(engine: Engine) -> tuple[UUID, UUID]:
    """A workflow, and the task that was its last."""
    id_ = IDS.uuid7()
    await engine.workflows.start(
        StartWorkflow(
            org_id=DEFAULT_ORG_ID, workflow_id=id_, type="order", input=b'["A-17"]', key="k"
        )
    )
    ((task,),) = (await engine.store.open_tasks((id_,))).values()
    cast("MemoryStore", engine.store).tables.tasks[task.id].deaths = WORKER_DEATHS_MAX - 1
    died = msgspec.structs.replace(task, deaths=WORKER_DEATHS_MAX - 1)
    ticket = FutureTicket()
    engine._lanes.put(
        Died(session_id=id_, org_id=DEFAULT_ORG_ID, workflow_id=id_, task=died), ticket
    )
    await ticket.future
    return id_, task.id


async def letter(engine: Engine, task_id: UUID) -> LetterDetails:
    asked = GetLetter(org_id=DEFAULT_ORG_ID, task_id=task_id)
    return cast("LetterDetails", await engine.operator.inspect(asked))


async def test_a_workflows_letter_shows_its_arguments(engine: Engine) -> None:
    _, task_id = await set_aside(engine)

    found = await letter(engine, task_id)

    assert found.letter.reason == "poison"
    assert found.arguments == b'["A-17"]'
    assert letter_details_out(found).input == {
        "workflow_type": "order",
        "key": "k",
        "arguments": ["A-17"],
    }


async def test_a_letter_whose_records_were_removed_shows_all_else(engine: Engine) -> None:
    id_, task_id = await set_aside(engine)
    del cast("MemoryStore", engine.store).tables.steps[id_, "0"]

    found = await letter(engine, task_id)

    assert (found.letter.reason, found.arguments) == ("poison", None)
    assert letter_details_out(found).input == {"workflow_type": "order", "key": "k"}
