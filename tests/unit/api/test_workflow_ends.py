"""A workflow's end as its last event tells it."""

from uuid import UUID

import msgspec

from mainspring_api.usecases.workflows import completed
from mainspring_schema.events import Context, StoredEvent, draft
from mainspring_schema.workflows import Wait, WorkflowView

VIEW = WorkflowView(
    workflow_id=UUID(int=1), type="t", key="k", queue="default", status="waiting", started_ms=7,
    waits=(Wait(step="go#1", name="go", kind="signal"),),
)  # fmt: skip


def last(type_: str, **data: object) -> StoredEvent:
    made = draft(type_, Context(), data)
    return StoredEvent(seq=9, type=type_, ts_ms=8, payload=made.payload)


def test_a_result_in_the_last_event_is_the_answer() -> None:
    event = last("workflow.completed", result=msgspec.Raw(b'{"a": [1, 2.50]}'))

    view = completed(VIEW, event)

    assert view == msgspec.structs.replace(
        VIEW, status="completed", result=b'{"a": [1, 2.50]}', waits=()
    )


def test_a_result_of_null_is_a_result() -> None:
    view = completed(VIEW, last("workflow.completed", result=None))

    assert view is not None
    assert view.result == b"null"


def test_what_the_event_does_not_say_is_asked_of_the_engine() -> None:
    assert completed(VIEW, last("workflow.completed", result_bytes=1_000_000)) is None
    assert completed(VIEW, last("workflow.failed", error={"code": "boom"})) is None
