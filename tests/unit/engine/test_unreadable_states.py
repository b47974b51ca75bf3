"""A state that this engine cannot read, behind a way back to an older version, harms no other."""

from typing import cast
from uuid import UUID

import msgspec
import pytest

from mainspring_engine.domain import closed
from mainspring_engine.domain.rows import Outcome, Workflow
from mainspring_engine.domain.turn import state as turns
from mainspring_engine.domain.workflow import state as workflows
from mainspring_engine.domain.workflow.retention import Keep
from mainspring_engine.domain.workflow.state import WorkflowState, encode
from mainspring_engine.ports.retention import Examined, Trim
from mainspring_engine.ports.store import Store
from mainspring_engine.ports.workflows import WorkflowFilter, WorkflowRow
from mainspring_engine.usecases.backpressure import Backpressure
from mainspring_engine.usecases.courses import Courses
from mainspring_engine.usecases.lane import Lanes
from mainspring_engine.usecases.queries import Queries
from mainspring_engine.usecases.retention import Retention
from mainspring_engine.usecases.workflows import Workflows
from mainspring_kernel.errors import StateUnreadable
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema.workflows import ListWorkflows
from tests.unit.engine.explained import snapshot, told, turn, user_workflow

STRANGE = [b"", b"\xc1", b"\x01", b"\x91\xa3new", b"\x92\x03\xc0"]
READABLE = WorkflowState(type="order", key="k", queue="default", ended_ms=1)


@pytest.mark.parametrize("state", STRANGE)
@pytest.mark.parametrize("kept", [turn(), user_workflow(READABLE)])
def test_why_it_does_not_move_is_that_nobody_here_can_read_it(kept: Workflow, state: bytes) -> None:
    strange = msgspec.structs.replace(kept, state=state)

    with pytest.raises(StateUnreadable):
        (turns if kept.is_turn else workflows).decode(strange)
    found = told(snapshot(workflow=strange))

    assert (found.state, found.moving) == ("held", False)
    assert [reason.code for reason in found.reasons] == ["state_unreadable"]
    assert "a newer version wrote it" in found.summary


class Rows:
    """Three workflows, the second of which cannot be read."""

    def __init__(self, outcome: Outcome) -> None:
        kept = user_workflow(READABLE)
        states = (kept.state, STRANGE[0], kept.state)
        self.rows = tuple(
            WorkflowRow(
                workflow=msgspec.structs.replace(
                    kept, id=UUID(int=n), state=state, outcome=outcome
                ),
                type="order", key="k", queue="default",
            )
            for n, state in enumerate(states)
        )  # fmt: skip
        self.trimmed: list[UUID] = []

    @property
    def workflows(self) -> "Rows":
        return self

    async def list(self, wanted: WorkflowFilter) -> tuple[WorkflowRow, ...]:
        del wanted
        return self.rows

    async def examine(self, *, after: UUID, limit: int) -> tuple[Examined, ...]:
        del after, limit
        return tuple(
            Examined(
                workflow_id=row.workflow.id, outcome=row.workflow.outcome,
                state=row.workflow.state, now_ms=10**15,
            )
            for row in self.rows
        )  # fmt: skip

    async def trim(self, trims: tuple[Trim, ...], *, limit: int) -> int:
        del limit
        self.trimmed += [trim.workflow_id for trim in trims]
        return len(trims)


@pytest.mark.parametrize(
    ("outcome", "status"), [(Outcome.RUNNING, "held"), (Outcome.FAILED, "failed")]
)
async def test_a_list_shows_it_among_the_others(outcome: Outcome, status: str) -> None:
    store = cast("Store", cast("object", Rows(outcome)))
    listing = Workflows(
        cast("Lanes", object()),
        store,
        cast("Backpressure", object()),
        cast("Queries", object()),
        Courses(store),
    )

    page = await listing.list(ListWorkflows(org_id=DEFAULT_ORG_ID))

    strange = page.workflows[1]
    assert [view.workflow_id.int for view in page.workflows] == [0, 1, 2]
    assert strange.status == status
    if strange.flaw is None:
        assert strange.explanation.startswith("state_unreadable: ")
    else:
        assert strange.flaw.code == "state_unreadable"


async def test_it_keeps_its_records_and_the_others_lose_theirs() -> None:
    rows = Rows(Outcome.COMPLETED)

    await Retention(rows, Keep(ended_days=7)).sweep()

    assert rows.trimmed == [UUID(int=0), UUID(int=2)]


def test_what_is_written_can_be_read() -> None:
    assert workflows.decode_state(encode(READABLE)) == READABLE


@pytest.mark.parametrize("payload", STRANGE)
def test_the_details_of_a_closed_task_say_that_it_cannot_be_read(payload: bytes) -> None:
    with pytest.raises(StateUnreadable, match="state of a task"):
        closed.read(payload)
