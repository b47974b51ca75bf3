"""What an engine remembers of declared workflows."""

from typing import cast
from uuid import UUID

import pytest

from mainspring_engine.domain.changes import Changes, RecordStep, WorkflowChange
from mainspring_engine.domain.rows import Head, Outcome
from mainspring_engine.domain.workflow.state import Course, WorkflowState, encode
from mainspring_engine.ports.store import Store
from mainspring_engine.usecases.courses import Courses
from mainspring_kernel.declaration_limits import DECLARATION_PATH_MAX, DECLARATION_REFERENCES_MAX
from mainspring_kernel.errors import ValidationFailed
from mainspring_schema.codec import to_json
from mainspring_schema.declarations import (
    Declaration,
    DeclaredStep,
    ListOf,
    OfInput,
    Parameter,
    hash_of,
)
from mainspring_schema.grants import SessionStatus

ID = UUID(int=1)
HEAD = Head(
    session_id=ID, org_id=ID, last_seq=0, hash=b"", ts_ms=0, status=SessionStatus.STARTED
)  # fmt: skip
STATE = encode(WorkflowState(type="t", key="k", queue="default", course=Course(declaration=b"d")))


class Stored:
    """A store that has one declaration."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    async def configs(self, hashes: tuple[bytes, ...]) -> dict[bytes, bytes]:
        assert hashes == (hash_of(self._raw),)
        return {hash_of(self._raw): self._raw}


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


def referring(*, references: int, parts: int = 1) -> bytes:
    of_x = OfInput(name="x", path=(0,) * parts)
    step = DeclaredStep(step="s", arguments=ListOf(items=(of_x,) * references))
    return to_json(
        Declaration(parameters=(Parameter(name="x"),), steps=(step,), result=ListOf(items=()))
    )


@pytest.mark.parametrize(
    "size",
    [
        {"references": DECLARATION_REFERENCES_MAX + 1},
        {"references": 1, "parts": DECLARATION_PATH_MAX + 1},
    ],
)
async def test_a_start_with_too_many_references_is_refused_and_what_is_stored_goes_on(
    size: dict[str, int],
) -> None:
    raw = referring(**size)

    with pytest.raises(ValidationFailed, match="may"):
        Courses(cast("Store", object())).learn(raw)

    await (courses := Courses(cast("Store", cast("object", Stored(raw))))).load(hash_of(raw))
    courses.learn(raw)
    assert courses.chart(hash_of(raw)) is not None


@pytest.mark.parametrize(
    "size",
    [
        {"references": DECLARATION_REFERENCES_MAX},
        {"references": 1, "parts": DECLARATION_PATH_MAX},
    ],
)
def test_a_start_with_as_many_references_as_the_bound_is_taken(size: dict[str, int]) -> None:
    raw = referring(**size)
    courses = Courses(cast("Store", object()))

    courses.learn(raw)

    assert courses.chart(hash_of(raw)) is not None
