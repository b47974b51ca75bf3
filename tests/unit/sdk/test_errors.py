"""The SDK's errors leave the process that raised them as they are."""

import copy
import pickle
from collections.abc import Callable

import pytest

from mainspring import (
    ApiError,
    AttemptOver,
    GiveUp,
    HeartbeatTimedOut,
    NotDone,
    NotInStep,
    NotInWorkflow,
    RetryAfter,
    StepFailed,
    TaskFailed,
    ToolError,
    Unserializable,
    WaitTimedOut,
    WorkflowFailed,
)
from mainspring_schema.workflows import Flaw, StepRecord


class Refused(GiveUp):
    """As people derive one, with other arguments."""

    def __init__(self, order: str) -> None:
        super().__init__("refused", f"{order} was refused")
        self.order = order


_FLAW = Flaw(code="step_failed", message="no card", type="ValueError")
_ERRORS = (
    ApiError(404, "not_found", "there is none"),
    AttemptOver(),
    GiveUp("no_card", "there is none"),
    HeartbeatTimedOut(3.0),
    NotDone(),
    NotInStep(),
    NotInWorkflow("elsewhere"),
    Refused("A-17"),
    RetryAfter(30),
    StepFailed(_FLAW, StepRecord(step="3", name="charge")),
    TaskFailed("task_1", "step_failed", "no card"),
    ToolError("no such order"),
    Unserializable("a set"),
    WaitTimedOut("too late"),
    WorkflowFailed("workflow_1", "step_failed", "no card", "ValueError"),
)


def _sent(error: Exception) -> object:
    return pickle.loads(pickle.dumps(error))


@pytest.mark.parametrize("again", [_sent, copy.copy])
@pytest.mark.parametrize("error", _ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_is_the_same_where_another_process_reads_it(
    error: Exception, again: Callable[[Exception], object]
) -> None:
    came = again(error)

    assert type(came) is type(error)
    assert str(came) == str(error)
    assert vars(came) == vars(error)
