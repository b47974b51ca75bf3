"""A result that no frame carries: its task fails by name, and the stream goes on."""

from uuid import UUID

import msgspec
import pytest

from mainspring_schema.tasks import (
    AttemptPayload,
    AttemptResult,
    EmitEvent,
    PlainResult,
    PlainTask,
    QueryResult,
    QueryTask,
    ReasonResult,
    ReasonTask,
    ToolResult,
    ToolTask,
    WorkflowResult,
    WorkflowTask,
)
from mainspring_workstream.overweight import CODE, RESULT_BYTES_MAX, Unsendable, carried
from tests.unit.worker.making import attached_core, held
from tests.unit.worker.test_core import give

ID = UUID(int=1)
REASON = ReasonTask(turn_id=ID, iteration=1, message_id=ID, through_seq=1, config_hash=b"")
TOOL = ToolTask(
    turn_id=ID, iteration=1, index=0, call_id="c", name="add", arguments={}, effect_class="pure",
    capability_id=None, idempotency_key="k", config_hash=b"",
)  # fmt: skip
WORKFLOW = WorkflowTask(workflow_id=ID, workflow_type="order", key="k")
PLAIN = PlainTask(task_type="add", input=b"[]")
QUERY = QueryTask(workflow_id=ID, workflow_type="order", name="state", arguments=b"[]")


def code_of(result: AttemptResult) -> str:
    match result:
        case ReasonResult() | ToolResult():
            return "" if result.failure is None else result.failure.code
        case WorkflowResult() | PlainResult() | QueryResult():
            return "" if result.flaw is None else result.flaw.code


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (REASON, ReasonResult),
        (TOOL, ToolResult),
        (WORKFLOW, WorkflowResult),
        (PLAIN, PlainResult),
        (QUERY, QueryResult),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_too_large_is_told_as_a_failure_of_its_kind(
    payload: AttemptPayload, kind: type[AttemptResult]
) -> None:
    whole = bytes(RESULT_BYTES_MAX)

    told = msgspec.msgpack.decode(carried(payload, whole + b"1"), type=AttemptResult)

    assert carried(payload, whole) is whole
    assert isinstance(told, kind)
    assert code_of(told) == CODE


@pytest.mark.parametrize(
    "event",
    [
        EmitEvent(type="tool.progress", data={"message": "caption \udce9"}),
        EmitEvent(type="tool.progress", data={"message": "x" * (RESULT_BYTES_MAX + 1)}),
        EmitEvent(type="tool.progress", data={"message": object()}),
    ],
    ids=["no unicode", "too large", "no data"],
)
def test_what_cannot_be_sent_is_told_to_who_says_it_and_never_leaves(event: EmitEvent) -> None:
    core = attached_core()
    give(core, held(1))

    with pytest.raises(Unsendable):
        core.emit(held(1), (event,))
    core.emit(held(1), (EmitEvent(type="tool.progress", data={"message": "x"}),))

    frame = core.take(0.0)
    assert frame is not None
    assert [len(emit.events) for emit in frame.emits] == [1]
