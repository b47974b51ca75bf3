"""What callers read of users' workflows."""

from typing import cast
from uuid import UUID

import msgspec
import pytest

from mainspring_engine.domain.rows import Outcome, Workflow
from mainspring_engine.domain.workflow.state import Phase, WorkflowState
from mainspring_engine.ports.store import Store
from mainspring_engine.ports.workflows import WorkflowRow
from mainspring_engine.usecases.backpressure import Backpressure
from mainspring_engine.usecases.courses import Courses
from mainspring_engine.usecases.lane import Lanes
from mainspring_engine.usecases.queries import Queries
from mainspring_engine.usecases.workflows import Workflows
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema.workflows import GetWorkflow
from tests.unit.engine.explained import TURN, user_workflow

PROBLEM = "version_conflict at step 1: pay is recorded, bill found"
HELD = WorkflowState(type="order", key="k", queue="default", phase=Phase.HELD, problem=PROBLEM)


class Row:
    """A store of one workflow."""

    def __init__(self, workflow: Workflow) -> None:
        self.row = WorkflowRow(workflow=workflow, type="order", key="k", queue="default")

    @property
    def workflows(self) -> "Row":
        return self

    async def get(self, org_id: UUID, workflow_id: UUID) -> WorkflowRow:
        del org_id, workflow_id
        return self.row


def reading(workflow: Workflow) -> Workflows:
    store = cast("Store", cast("object", Row(workflow)))
    return Workflows(
        cast("Lanes", object()),
        store,
        cast("Backpressure", object()),
        cast("Queries", object()),
        Courses(store),
    )


@pytest.mark.parametrize(
    ("outcome", "status", "told"),
    [
        (Outcome.RUNNING, "held", PROBLEM),
        (Outcome.COMPLETED, "completed", ""),
        (Outcome.FAILED, "failed", ""),
        (Outcome.CANCELLED, "cancelled", ""),
    ],
)
async def test_only_one_that_is_held_says_why_it_is(
    outcome: Outcome, status: str, told: str
) -> None:
    workflow = msgspec.structs.replace(user_workflow(HELD), outcome=outcome)

    view = await reading(workflow).get(
        GetWorkflow(org_id=DEFAULT_ORG_ID, workflow_id=TURN, explain=True)
    )

    assert (view.status, view.explanation) == (status, told)
