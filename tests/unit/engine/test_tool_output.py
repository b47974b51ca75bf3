"""Whose fragments of a call's output are taken: those of the attempt that has it, until it ends."""

from mainspring_engine.domain import intents
from mainspring_engine.domain.changes import Anchor
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema.events import OUTPUT_STARTED
from mainspring_schema.frames import Emit, Held
from mainspring_schema.tasks import EmitEvent, NamedCall, ReasonResult, ToolCall, ToolResult
from tests.unit.engine.desk import Desk


def calling() -> Desk:
    """A turn with two calls at work."""
    desk = Desk()
    desk.say("Go.")
    calls = tuple(ToolCall(id=_id(desk, n), name="a", arguments={}) for n in range(2))
    desk.answer(ReasonResult(tool_calls=calls))
    return desk


def test_the_start_of_output_opens_its_own_call_for_its_own_attempt() -> None:
    desk = calling()
    _, second = desk.tasks.values()
    told = EmitEvent(type=OUTPUT_STARTED, data={"tool_call_id": "call_of_somebody_else"})
    emit = Emit(held=Held(second.id, 3), counter=1, events=(told,))

    desk.do(intents.Emitted(session_id=desk.session_id, org_id=DEFAULT_ORG_ID, emit=emit))

    assert desk.last is not None
    assert desk.last.anchors == (Anchor(anchor=_id(desk, 1), attempt=3),)


def test_the_end_of_a_call_closes_it() -> None:
    desk = calling()
    first, _ = desk.tasks.values()

    desk.answer(ToolResult(status="success", result=1), first)

    assert desk.last is not None
    assert Anchor(anchor=_id(desk, 0), attempt=None) in desk.last.anchors


def _id(desk: Desk, index: int) -> str:
    assert desk.view.workflow is not None
    return NamedCall(turn_id=desk.view.workflow.id, iteration=1, index=index).id()
