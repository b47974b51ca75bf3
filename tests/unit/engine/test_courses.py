"""What an engine remembers of declared workflows."""

from typing import cast
from uuid import UUID

from mainspring_engine.domain.changes import Changes, RecordStep, WorkflowChange
from mainspring_engine.domain.rows import Head, Outcome
from mainspring_engine.domain.workflow.state import Course, WorkflowState, encode
from mainspring_engine.ports.store import Store
from mainspring_engine.usecases.courses import Courses
from mainspring_schema.grants import SessionStatus

ID = UUID(int=1)
HEAD = Head(
    session_id=ID, org_id=ID, last_seq=0, hash=b"", ts_ms=0, status=SessionStatus.STARTED
)  # fmt: skip
STATE = encode(WorkflowState(type="t", key="k", queue="default", course=Course(declaration=b"d")))


def committed(outcome: Outcome, *steps: RecordStep) -> Changes:
    change = WorkflowChange(
        id=ID, expected_rev=1, ordinal=1, outcome=outcome, state=STATE, config_hash=b"",
        traceparent="", started_ms=0,
    )  # fmt: skip
    return Changes(expected=HEAD, after=HEAD, workflows=(change,), steps=steps)


def test_a_cancelled_workflow_is_forgotten_though_its_end_records_nothing() -> None:
    courses = Courses(cast("Store", object()))
    step = RecordStep(
        workflow_id=ID, step="0", task_id=ID, fence=1, input_hash=b"", body=b"1"
    )  # fmt: skip
    courses.committed(committed(Outcome.RUNNING, step))
    assert courses.value(ID, "0") == b"1"

    courses.committed(committed(Outcome.CANCELLED))

    assert courses.value(ID, "0") is None
