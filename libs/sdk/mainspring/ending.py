"""How a go's own ends are told: an exception of the code, a record that does not fit."""

from mainspring.errors import GiveUp, StepFailed, Unserializable, WaitTimedOut
from mainspring_schema.workflows import Flaw, Mismatch, StepKind, StepRecord


def flaw_of(error: BaseException) -> Flaw:
    """How a workflow's own exception is recorded."""
    match error:
        case StepFailed():
            return error.flaw
        case GiveUp():
            return Flaw(code=error.code, message=str(error), type=type(error).__name__)
        case Unserializable():
            return Flaw(code="unserializable", message=str(error), type=type(error).__name__)
        case WaitTimedOut():
            return Flaw(code="timeout", message=str(error), type=type(error).__name__)
        case ExceptionGroup():
            # A TaskGroup wraps what its branches raise: the first of them is why it failed.
            return flaw_of(error.exceptions[0])
        case _:
            name = type(error).__name__
            return Flaw(code="workflow_failed", message=str(error) or name, type=name)


def mismatch_of(record: StepRecord, kind: StepKind, name: str) -> Mismatch:
    """The code does something else at this place."""
    recorded, found = f"{record.kind} {record.name}", f"{kind} {name}"
    if recorded == found:
        found += " with another input"
    return Mismatch(step=record.step, recorded=recorded, found=found)
