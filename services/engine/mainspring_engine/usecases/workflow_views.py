"""What callers read of users' workflows: how one stands, and lists of them."""

from typing import Final
from uuid import UUID

import msgspec

from mainspring_engine.domain.limits import LISTED_WINDOW_ROWS, LISTED_WINDOWS_MAX
from mainspring_engine.domain.rows import Outcome
from mainspring_engine.domain.workflow import state as states
from mainspring_engine.domain.workflow.state import Phase, WorkflowState
from mainspring_engine.ports.workflows import WorkflowFilter, WorkflowRow, WorkflowRows
from mainspring_kernel.errors import StateUnreadable
from mainspring_kernel.limits import LIST_ROWS_MAX
from mainspring_schema.declarations import version_of
from mainspring_schema.tasks import WorkflowResult
from mainspring_schema.workflows import Flaw, ListWorkflows, Status, WorkflowPage, WorkflowView

_RESULT: Final = msgspec.msgpack.Decoder(WorkflowResult)
_ENDED: Final[dict[Outcome, Status]] = {
    Outcome.COMPLETED: "completed",
    Outcome.FAILED: "failed",
    Outcome.SEALED: "failed",
    Outcome.CANCELLED: "cancelled",
}


async def listed(rows: WorkflowRows, command: ListWorkflows) -> WorkflowPage:
    """Reads on where the store cannot tell a status from others of open workflows.

    Many may wait where few run: a page that looked at enough of them is short, or empty, and says
    where the next one begins.
    """
    limit = min(max(1, command.limit), LIST_ROWS_MAX)
    window, before = limit + 1, command.before
    shown: list[WorkflowView] = []
    for _ in range(LISTED_WINDOWS_MAX):
        found = await rows.list(_filter(command, before, window))
        for place, row in enumerate(found, start=1):
            view = view_of(row)
            if command.status in (None, view.status):
                shown.append(view)
            before = view.workflow_id
            if len(shown) == limit:
                return _page(shown, before, more=place < len(found) or len(found) == window)
        if len(found) < window:
            return _page(shown, before, more=False)
        window = LISTED_WINDOW_ROWS
    return _page(shown, before, more=True)


def _filter(command: ListWorkflows, before: UUID | None, limit: int) -> WorkflowFilter:
    return WorkflowFilter(
        org_id=command.org_id,
        type=command.type,
        status=command.status,
        before=before,
        limit=limit,
        key=command.key,
    )


def _page(shown: list[WorkflowView], last: UUID | None, *, more: bool) -> WorkflowPage:
    return WorkflowPage(workflows=tuple(shown), more=more, next=last if more else None)


def view_of(row: WorkflowRow) -> WorkflowView:
    workflow = row.workflow
    try:
        state = states.decode(workflow)
    except StateUnreadable as error:
        # One that nobody can read here hides no other one of a list.
        problem = f"{error.code}: {error.detail}"
        state = WorkflowState(
            type=row.type, key=row.key, queue=row.queue, phase=Phase.HELD, problem=problem
        )
    result, flaw = _outcome(row, state.problem)
    status = _status(workflow.outcome, state.phase)
    return WorkflowView(
        workflow_id=workflow.id,
        type=row.type,
        key=row.key,
        queue=row.queue,
        status=status,
        started_ms=workflow.started_ms,
        result=result,
        flaw=flaw,
        waits=tuple(wait.wait for wait in row.waits if not wait.wait.is_of_cancel),
        # One that ended keeps the phase it had: what held it then tells nobody anything.
        explanation=state.problem if status == "held" else "",
        parent_id=state.parent,
        forked_from=state.source,
        version="" if state.course is None else version_of(state.course.declaration),
    )


def _status(outcome: Outcome, phase: Phase) -> Status:
    if outcome is not Outcome.RUNNING:
        return _ENDED[outcome]
    if phase is Phase.WAITING:
        return "waiting"
    return "held" if phase is Phase.HELD else "running"


def _outcome(row: WorkflowRow, problem: str) -> tuple[bytes | None, Flaw | None]:
    if row.outcome_body is not None:
        kept = _RESULT.decode(row.outcome_body)
        return (kept.result, None) if kept.outcome == "completed" else (None, kept.flaw)
    if row.workflow.outcome in (Outcome.FAILED, Outcome.SEALED):
        # It failed without an answer of its worker.
        code, _, message = problem.partition(": ")
        return None, Flaw(code=code, message=message)
    return None, None
