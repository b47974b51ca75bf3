"""What a worker may record: a lie or a slip must not get into anybody's log."""

import msgspec
import pytest

from mainspring_engine.usecases.histories import check_result, check_steps
from mainspring_kernel.limits import (
    WORKFLOW_STEPS_PER_FRAME_MAX,
    WORKFLOW_TYPE_CHARS_MAX,
    WORKFLOW_VALUE_BYTES_MAX,
)
from mainspring_schema.tasks import WorkflowResult
from mainspring_schema.workflows import StepRecord

STEP = StepRecord(step="1", name="a")


def test_what_an_honest_worker_sends_is_taken() -> None:
    check_result(WorkflowResult(outcome="completed", result=b'{"a":[1]}', steps=(STEP,)))


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b'{"a":1} x', b'"\xff"', b'"' + b"x" * WORKFLOW_VALUE_BYTES_MAX + b'"'],
    ids=["empty", "cut", "more", "no utf-8", "long"],
)
def test_a_value_that_is_no_json_or_too_long_is_refused(raw: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        check_result(WorkflowResult(outcome="completed", result=raw))
    with pytest.raises(msgspec.DecodeError):
        check_steps((StepRecord(step="1", name="a", result=raw),), ())


@pytest.mark.parametrize(
    "steps",
    [
        (STEP,) * (WORKFLOW_STEPS_PER_FRAME_MAX + 1),
        (StepRecord(step="1", name="a" * (WORKFLOW_TYPE_CHARS_MAX + 1)),),
        (StepRecord(step="", name="a"),),
        (StepRecord(step="1/" * 200, name="a"),),
    ],
    ids=["many", "name", "no place", "deep"],
)
def test_steps_beyond_their_bounds_are_refused(steps: tuple[StepRecord, ...]) -> None:
    with pytest.raises(msgspec.DecodeError):
        check_steps(steps, ())
