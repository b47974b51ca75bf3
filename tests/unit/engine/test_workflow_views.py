"""What callers read of users' workflows."""

from typing import cast
from uuid import UUID

import msgspec
import pytest

from mainspring_engine.domain.limits import LISTED_WINDOW_ROWS, LISTED_WINDOWS_MAX
from mainspring_engine.domain.rows import Outcome, Workflow
from mainspring_engine.domain.workflow.state import Phase, WorkflowState
from mainspring_engine.ports.store import Store
from mainspring_engine.ports.workflows import WorkflowFilter, WorkflowRow, WorkflowRows
from mainspring_engine.usecases.backpressure import Backpressure
from mainspring_engine.usecases.courses import Courses
from mainspring_engine.usecases.lane import Lanes
from mainspring_engine.usecases.queries import Queries
from mainspring_engine.usecases.workflow_views import listed
from mainspring_engine.usecases.workflows import Workflows
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema.workflows import GetWorkflow, ListWorkflows, Status
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


class Many:
    """A store of workflows, the newest last."""

    def __init__(self, states: list[WorkflowState]) -> None:
        self.rows = [
            WorkflowRow(
                workflow=msgspec.structs.replace(user_workflow(state), id=UUID(int=number)),
                type="order",
                key="k",
                queue="default",
            )
            for number, state in enumerate(states)
        ]

    async def list(self, wanted: WorkflowFilter) -> tuple[WorkflowRow, ...]:
        before = wanted.before
        older = [r for r in self.rows if before is None or r.workflow.id.int < before.int]
        return tuple(older[::-1][: wanted.limit])


async def pages(states: list[WorkflowState], status: Status, limit: int) -> list[list[int]]:
    """The numbers of the workflows on each page."""
    rows = cast("WorkflowRows", cast("object", Many(states)))
    found: list[list[int]] = []
    before = None
    while True:
        command = ListWorkflows(org_id=DEFAULT_ORG_ID, status=status, before=before, limit=limit)
        page = await listed(rows, command)
        found.append([view.workflow_id.int for view in page.workflows])
        assert page.more == (page.next is not None)
        if page.next is None:
            return found
        before = page.next


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


WAITING = msgspec.structs.replace(HELD, phase=Phase.WAITING, problem="")


async def test_one_that_is_held_is_found_behind_many_that_wait() -> None:
    assert await pages([HELD, *[WAITING] * 1000], "held", 2) == [[0]]


async def test_a_page_that_found_none_says_where_the_next_one_begins() -> None:
    looked_at = 2 + LISTED_WINDOW_ROWS * (LISTED_WINDOWS_MAX - 1)

    assert await pages([HELD, *[WAITING] * looked_at], "held", 1) == [[], [0]]


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
async def test_pages_of_a_status_hold_each_once(limit: int) -> None:
    found = await pages([HELD, WAITING, HELD, HELD, WAITING, HELD], "held", limit)

    assert [number for page in found for number in page] == [5, 3, 2, 0]
