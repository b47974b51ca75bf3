"""What a result tells the circuit of its task. Pure."""

from typing import Final

from mainspring_schema.tasks import (
    Failure,
    PlainResult,
    ReasonResult,
    TaskResult,
    ToolResult,
    WorkflowResult,
)
from mainspring_schema.workflows import Flaw

_SILENT: Final = Failure(error_class="unknown", code="", message="")
"""Nobody was called, or nothing came of it yet."""
_NOT_BEGUN: Final = "timeout.schedule_to_start"
_MAY_PASS: Final = frozenset(
    {"step_failed", "timeout", "timeout.heartbeat", "timeout.schedule_to_close"}
)
"""Of workflows, which do not say: a step that is one fails with what its last attempt raised."""


def failure_of(result: TaskResult) -> Failure | None:
    """None where it went well.

    Of users' own code one error is as another, if it may pass. What would fail every time is the
    call's own: who is behind it has answered.
    """
    match result:
        case ReasonResult() | ToolResult():
            return result.failure
        case PlainResult(flaw=None) | WorkflowResult(outcome="completed"):
            return None
        case PlainResult(flaw=Flaw() as flaw, lasting=lasting):
            return _SILENT if flaw.code == _NOT_BEGUN else _failure(flaw, lasting=lasting)
        case WorkflowResult(outcome="failed", flaw=Flaw() as flaw):
            return _failure(flaw, lasting=flaw.code not in _MAY_PASS)
        case _:
            return _SILENT


def _failure(flaw: Flaw, *, lasting: bool) -> Failure:
    error_class = "invalid_request" if lasting else "transient"
    return Failure(error_class=error_class, code=flaw.code, message=flaw.message)
