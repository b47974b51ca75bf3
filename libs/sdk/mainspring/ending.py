"""How a go's own ends are told: an exception of the code, a record that does not fit."""

from mainspring.errors import GiveUp, StepFailed, Unserializable, WaitTimedOut
from mainspring.saying import readable, said
from mainspring_schema.workflows import Flaw, Mismatch, StepKind, StepRecord


def flaw_of(error: BaseException) -> Flaw:
    """How a workflow's own exception is recorded."""
    match error:
        case StepFailed():
            return error.flaw
        case ExceptionGroup():
            # A TaskGroup wraps what its branches raise: the first of them is why it failed.
            return flaw_of(error.exceptions[0])
        case GiveUp():
            code = readable(error.code)
        case Unserializable():
            code = "unserializable"
        case WaitTimedOut():
            code = "timeout"
        case _:
            code = "workflow_failed"
    return Flaw(code=code, message=said(error), type=type(error).__name__)


def mismatch_of(record: StepRecord, kind: StepKind, name: str) -> Mismatch:
    """The code does something else at this place."""
    recorded, found = f"{record.kind} {record.name}", f"{kind} {name}"
    if recorded == found:
        found += " with another input"
    return Mismatch(step=record.step, recorded=recorded, found=found)
