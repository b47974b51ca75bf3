"""A turn with more calls and longer names than its state can hold goes on all the same."""

import msgspec
import pytest

from mainspring_api.domain.limits import NAME_CHARS_MAX
from mainspring_engine.domain.limits import WORKFLOW_STATE_BYTES_MAX
from mainspring_engine.domain.rows import TaskKind
from mainspring_engine.domain.turn import state as states
from mainspring_engine.domain.turn.state import OpenCall
from mainspring_kernel.limits import TOOL_CALLS_PER_RESPONSE_MAX
from mainspring_schema.events import Usage
from mainspring_schema.tasks import ReasonResult, ToolResult
from tests.unit.engine.desk import Desk
from tests.unit.engine.test_budgets import PRICED

NAMES = tuple(f"{index:02}{'n' * (NAME_CHARS_MAX - 2)}" for index in range(16))
MOST = msgspec.convert(dict.fromkeys(Usage.__struct_fields__, 10**6), Usage)


def named(desk: Desk) -> set[object]:
    return {data["tool_name"] for data in desk.data_of("tool.completed")}


def test_calls_with_the_longest_names_are_answered_by_their_names() -> None:
    assert len(NAMES) == TOOL_CALLS_PER_RESPONSE_MAX
    desk = Desk()
    desk.say("hello")
    desk.answer(ReasonResult(text="hi", usage=MOST))
    desk.say("all")

    desk.call(*NAMES)
    kept = desk.state
    for task in desk.open(TaskKind.TOOL):
        desk.tool_done(task)
    desk.reply("done")

    assert all(call.name == "" for call in kept.calls), "they stand in the kept answer"
    assert named(desk) == set(NAMES)
    assert desk.types[-2:] == ["turn.completed", "session.idled"]


def test_the_names_are_known_within_the_flight_that_opens_the_calls() -> None:
    desk = Desk()
    desk.say("all")

    desk.call(*NAMES, client=NAMES)
    desk.say("never mind")

    assert named(desk) == set(NAMES)
    assert desk.types.count("reason.started") == 2


def test_a_turn_with_the_most_usual_calls_at_work_is_kept_as_it_is() -> None:
    desk = Desk(PRICED)
    desk.say("all")
    desk.call(*("spawn_agent",) * TOOL_CALLS_PER_RESPONSE_MAX)

    open_calls = tuple(
        OpenCall(call.index, call.name, call.task_id, child=b"c" * 16) for call in desk.state.calls
    )
    full = msgspec.structs.replace(
        desk.state, calls=open_calls, parent=desk.session_id, tried=MOST, usage=MOST
    )

    assert len(states.encode(full)) <= WORKFLOW_STATE_BYTES_MAX
    assert states.read(states.encode(full)) == full


@pytest.mark.parametrize("reason", ["short", "é" * 5000])
def test_a_cancel_may_say_why_at_any_length(reason: str) -> None:
    desk = Desk()
    desk.say("all")
    desk.call(*NAMES)
    (first, *_) = desk.open(TaskKind.TOOL)

    desk.cancel(reason)
    desk.answer(ToolResult(status="cancelled", error="stopped"), first)

    told = desk.state.cancel_reason
    assert told is not None
    assert reason.startswith(told)
    assert len(told.encode()) <= states.CANCEL_REASON_BYTES_MAX
