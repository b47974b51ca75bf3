"""How a user's workflow ends, whoever drives it. Pure."""

from mainspring_engine.domain.rows import Outcome
from mainspring_engine.domain.workflow import children, waiting
from mainspring_engine.domain.workflow.going import Going, cut, flaw_view
from mainspring_schema.tasks import WorkflowResult
from mainspring_schema.workflows import Flaw


def fail(going: Going, flaw: Flaw) -> None:
    going.emit("workflow.failed", {"error": flaw_view(flaw)})
    going.update(problem=cut(f"{flaw.code}: {flaw.message}"))
    end(going, Outcome.FAILED, WorkflowResult(outcome="failed", flaw=flaw))


def end(going: Going, outcome: Outcome, result: WorkflowResult) -> None:
    """Its event stands already. Who waits for it is told, and it waits for nothing any more."""
    if going.state.waits:
        waiting.drop_all(going)
    children.ended(going, result)
    going.rest(outcome)
