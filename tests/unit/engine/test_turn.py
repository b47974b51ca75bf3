"""The turn machine: what happens to a session, event by event."""

import msgspec
import pytest

from mainspring_engine.domain import intents
from mainspring_engine.domain.rows import OpenTask, TaskKind, TaskState
from mainspring_kernel.errors import NotFound, ValidationFailed
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema import commands
from mainspring_schema.frames import Emit, Held, Verdict
from mainspring_schema.grants import SessionStatus
from mainspring_schema.tasks import (
    EmitEvent,
    NamedCall,
    PlainResult,
    ReasonResult,
    TaskResult,
    ToolCall,
    ToolResult,
    WorkflowResult,
)
from tests.unit.engine.desk import AGENT, CONFIG, Desk


def test_text_turn_has_the_event_order_of_the_wire() -> None:
    desk = Desk()

    desk.say("hello")
    desk.reply("hi there")

    assert desk.types == [
        "input.message",
        "session.activated",
        "turn.started",
        "reason.started",
        "output.message.started",
        "llm.generation",
        "output.message.completed",
        "reason.completed",
        "turn.completed",
        "session.idled",
    ]
    assert desk.head.status is SessionStatus.IDLE
    assert desk.head.active_turn is None
    assert desk.tasks == {}


def test_first_model_call_consumes_the_message() -> None:
    desk = Desk()

    receipt = desk.say("hello")

    (started,) = desk.data_of("reason.started")
    assert started["consumed"] == [f"message_{receipt.message_id.hex}"]
    assert not receipt.steered


def test_tool_calls_run_as_tasks_of_their_own_and_lead_back_to_the_model() -> None:
    desk = Desk()
    desk.say("add")
    desk.call("add", "subtract")

    first, second = desk.open(TaskKind.TOOL)
    desk.tool_done(second)
    assert desk.types[-1] == "tool.completed"
    desk.tool_done(first)

    assert desk.types[-3:] == ["act.completed", "reason.started", "output.message.started"]
    desk.reply("done")
    (completed,) = desk.data_of("turn.completed")
    assert completed["llm_call_count"] == 2
    assert completed["tool_call_count"] == 2
    assert completed["iterations"] == 2


def test_a_result_that_is_twice_in_a_flight_ends_its_attempt_once() -> None:
    desk = Desk()
    desk.say("add")
    desk.call("add")
    (task,) = desk.open(TaskKind.TOOL)
    result = desk.answered(ToolResult(status="success", result="ok"), task)

    answers = desk.do_all(result, result)

    assert answers == [Verdict.COMMITTED, Verdict.DUPLICATE]
    assert desk.last is not None
    assert len(desk.last.closes) == 1
    assert desk.types.count("tool.completed") == 1


def test_a_death_behind_the_result_of_the_same_flight_is_stale() -> None:
    desk = Desk()
    desk.say("hello")
    (task,) = desk.tasks.values()
    died = intents.Died(
        session_id=desk.session_id,
        org_id=DEFAULT_ORG_ID,
        workflow_id=desk.turn_id,
        task=task,
    )

    answers = desk.do_all(desk.answered(ReasonResult(text="hi"), task), died)

    assert answers == [Verdict.COMMITTED, Verdict.STALE]
    assert desk.types[-2:] == ["turn.completed", "session.idled"]


@pytest.mark.parametrize("now", [{"fence": 2}, {"state": TaskState.READY}])
def test_a_death_that_was_seen_before_the_task_went_on_is_stale(now: dict[str, object]) -> None:
    desk = Desk()
    desk.say("add")
    desk.call("add")
    (seen,) = desk.open(TaskKind.TOOL)
    task = desk.change_task(seen, **now)

    answer = desk.died(seen)

    assert answer is Verdict.STALE
    assert desk.open(TaskKind.TOOL) == [task]


def test_what_an_attempt_says_twice_in_a_flight_is_said_once() -> None:
    desk = Desk()
    desk.say("add")
    desk.call("add", "add")
    said = [said_by(desk, task) for task in desk.open(TaskKind.TOOL)]

    answers = desk.do_all(said[0], said[0], said[1])

    assert answers == [Verdict.COMMITTED, Verdict.DUPLICATE, Verdict.COMMITTED]
    assert desk.types.count("tool.progress") == 2
    assert desk.last is not None
    assert [one.counter for one in desk.last.emits] == [1, 1]


def said_by(desk: Desk, task: OpenTask) -> intents.Emitted:
    told = EmitEvent(type="tool.progress", data={})
    emit = Emit(held=Held(task.id, task.fence), counter=1, events=(told,))
    return intents.Emitted(session_id=desk.session_id, org_id=DEFAULT_ORG_ID, emit=emit)


def test_a_result_that_nobody_waits_for_is_refused_by_a_state_that_still_holds() -> None:
    desk = Desk()
    desk.say("add")
    desk.call("add")
    (task,) = desk.open(TaskKind.TOOL)
    unknown = msgspec.structs.replace(task, id=desk.ids.uuid7())

    assert desk.tool_done(unknown) is Verdict.STALE

    assert desk.last is not None
    assert [one.id for one in desk.last.workflows] == [desk.turn_id]


def unusable(desk: Desk, problem: str) -> ToolCall:
    named = NamedCall(turn_id=desk.turn_id, iteration=desk.state.iteration, index=0)
    return ToolCall(id=named.id(), name="nope", arguments={}, problem=problem)


def test_unusable_call_gets_a_typed_error_without_a_task() -> None:
    desk = Desk()
    desk.say("x")
    bad = unusable(desk, "there is no tool 'nope'")

    desk.answer(ReasonResult(tool_calls=(bad,)))

    (completed,) = desk.data_of("tool.completed")
    assert completed["success"] is False
    assert completed["error"] == "there is no tool 'nope'"
    assert desk.open(TaskKind.TOOL) == []
    assert len(desk.open(TaskKind.REASON)) == 1


def test_third_unusable_answer_in_a_row_fails_the_turn() -> None:
    desk = Desk()
    desk.say("x")
    for _ in range(3):
        bad = unusable(desk, "no such tool")
        desk.answer(ReasonResult(tool_calls=(bad,)))

    (turn_failed,) = desk.data_of("turn.failed")
    assert turn_failed["error_code"] == "model_output"


def test_message_during_a_model_call_is_answered_in_the_same_turn() -> None:
    desk = Desk()
    desk.say("first")

    receipt = desk.say("second")
    desk.reply("answer to the first")

    assert receipt.steered
    assert "turn.completed" not in desk.types
    assert desk.data_of("reason.started")[1]["consumed"] == [f"message_{receipt.message_id.hex}"]
    desk.reply("answer to both")
    assert desk.types.count("turn.completed") == 1


def test_turn_completes_at_the_cap_and_gives_each_call_its_result() -> None:
    desk = Desk(msgspec.structs.replace(AGENT, max_iterations=1))
    desk.say("loop")

    desk.call("again")

    assert desk.types[-3:] == ["tool.completed", "turn.completed", "session.idled"]
    assert desk.tasks == {}


def test_configuration_of_the_newest_message_counts() -> None:
    desk = Desk()

    desk.say("x")

    assert desk.view.workflow is not None
    assert desk.view.workflow.config_hash == CONFIG


def test_late_result_of_a_closed_call_is_left_to_the_store() -> None:
    desk = Desk()
    desk.say("x")
    (task,) = desk.tasks.values()
    desk.reply("y")

    desk.answer(ReasonResult(text="again"), task)

    assert desk.last is not None
    assert [close.task_id for close in desk.last.closes] == [task.id]
    assert desk.types.count("turn.completed") == 1


def test_cancelled_tool_result_is_kept_when_it_had_finished() -> None:
    desk = Desk()
    desk.say("x")
    desk.call("add")
    desk.cancel()

    desk.tool_done(result="5")

    (completed,) = desk.data_of("tool.completed")
    assert completed["success"] is True
    assert desk.types[-4] == "turn.cancelled"


def test_cancel_deadline_ends_the_turn_although_a_tool_hangs() -> None:
    desk = Desk()
    desk.say("x")
    desk.call("hang")
    desk.cancel()
    assert desk.last is not None
    (timer,) = desk.last.timers

    desk.do(
        intents.TimerDue(
            session_id=desk.session_id,
            org_id=DEFAULT_ORG_ID,
            workflow_id=desk.turn_id,
            timer_id=timer.id,
            kind=timer.kind,
        )
    )

    assert "turn.cancelled" in desk.types
    assert desk.tasks == {}


def test_tool_error_is_a_result_for_the_model() -> None:
    desk = Desk()
    desk.say("x")
    desk.call("add")

    desk.answer(ToolResult(status="error", error="cannot add"))

    assert desk.data_of("act.completed")[0]["error_count"] == 1
    assert len(desk.open(TaskKind.REASON)) == 1


@pytest.mark.parametrize(
    "result",
    [ToolResult(status="success"), WorkflowResult(outcome="completed"), PlainResult()],
    ids=lambda result: type(result).__name__,
)
def test_a_model_call_is_not_ended_by_a_result_of_another_kind(result: TaskResult) -> None:
    desk = Desk()
    desk.say("x")

    with pytest.raises(ValidationFailed):
        desk.answer(result)

    desk.reply("the truth")
    assert desk.types.count("turn.completed") == 1


def test_a_tool_call_is_not_ended_by_a_model_s_answer() -> None:
    desk = Desk()
    desk.say("x")
    desk.call("add")

    with pytest.raises(ValidationFailed):
        desk.reply("a lie")

    desk.tool_done()
    desk.reply("the truth")
    assert desk.types.count("turn.completed") == 1


@pytest.mark.parametrize("ids", [("c1",), ("{0}", "{0}"), ("{1}", "{0}")], ids=str)
def test_calls_by_other_ids_than_their_own_are_refused(ids: tuple[str, ...]) -> None:
    """Two of one answer, or of two, could not be told apart by their results."""
    desk = Desk()
    desk.say("x")
    own = [
        NamedCall(turn_id=desk.turn_id, iteration=desk.state.iteration, index=index).id()
        for index in range(2)
    ]
    calls = tuple(ToolCall(id=one.format(*own), name="add", arguments={}) for one in ids)

    with pytest.raises(ValidationFailed):
        desk.answer(ReasonResult(tool_calls=calls))

    assert desk.open(TaskKind.TOOL) == []


def test_a_message_behind_the_close_of_the_same_flight_finds_no_session() -> None:
    desk = Desk()
    close = intents.SessionClosed(
        command=commands.Close(org_id=DEFAULT_ORG_ID, session_id=desk.session_id)
    )
    cancel = intents.Cancelled(
        command=commands.Cancel(org_id=DEFAULT_ORG_ID, session_id=desk.session_id)
    )

    for late in (desk.said("y"), cancel, close):
        with pytest.raises(NotFound):
            desk.do_all(close, late)
