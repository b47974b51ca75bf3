"""Calls that the client makes: the turn waits for it, and for nobody else."""

import pytest

from mainspring_engine.domain import intents
from mainspring_engine.domain.rows import TaskKind
from mainspring_kernel.errors import NotWaitingForToolResults
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema import commands
from mainspring_schema.frames import Verdict
from mainspring_schema.grants import SessionStatus
from mainspring_schema.tasks import NamedCall
from tests.unit.engine.desk import Desk


def client_results(desk: Desk, *ids: str) -> intents.ClientAnswered:
    return intents.ClientAnswered(
        command=commands.SubmitToolResults(
            org_id=DEFAULT_ORG_ID,
            session_id=desk.session_id,
            results=tuple(
                commands.ClientToolResult(tool_call_id=i, result={"ok": True}) for i in ids
            ),
        )
    )


def test_client_side_call_parks_the_turn_without_a_task() -> None:
    desk = Desk()
    desk.say("weather?")

    desk.call("get_weather", client=("get_weather",))

    assert desk.head.status is SessionStatus.WAITINGFORTOOLRESULTS
    assert desk.tasks == {}
    (call,) = desk.requested()
    desk.do(client_results(desk, call.id))
    assert desk.head.status is SessionStatus.ACTIVE
    desk.reply("sunny")
    assert "turn.completed" in desk.types


def test_server_tools_of_a_mixed_answer_come_first() -> None:
    desk = Desk()
    desk.say("both")
    desk.call("add", "get_weather", client=("get_weather",))

    assert "tool.call_requested" not in desk.types
    desk.tool_done()

    assert [call.name for call in desk.requested()] == ["get_weather"]


def test_tool_results_are_refused_when_nobody_waits() -> None:
    desk = Desk()
    desk.say("hi")

    with pytest.raises(NotWaitingForToolResults):
        desk.do(client_results(desk, "call_1"))


def test_tool_results_are_refused_while_the_models_other_calls_are_at_work() -> None:
    desk = Desk()
    desk.say("both")
    desk.call("add", "get_weather", client=("get_weather",))
    of_client = NamedCall(turn_id=desk.turn_id, iteration=1, index=1)

    with pytest.raises(NotWaitingForToolResults):
        desk.do(client_results(desk, of_client.id()))

    assert "tool.completed" not in desk.types


def test_partial_client_results_keep_the_session_waiting() -> None:
    desk = Desk()
    desk.say("two")
    desk.call("a", "b", client=("a", "b"))
    ids = [call.id for call in desk.requested()]

    desk.do(client_results(desk, ids[0]))
    assert desk.head.status is SessionStatus.WAITINGFORTOOLRESULTS
    with pytest.raises(NotWaitingForToolResults):
        desk.do(client_results(desk, ids[0]))
    desk.do(client_results(desk, ids[1]))

    assert desk.head.status is SessionStatus.ACTIVE


def test_message_to_a_parked_session_abandons_the_calls() -> None:
    desk = Desk()
    desk.say("weather?")
    desk.call("get_weather", client=("get_weather",))

    desk.say("never mind")

    (completed,) = desk.data_of("tool.completed")
    assert completed["status"] == "cancelled"
    assert len(desk.open(TaskKind.REASON)) == 1


def asking_its_client(desk: Desk) -> intents.TimerDue:
    """The turn waits for its client. What its timer says when that takes too long."""
    desk.say("x")
    desk.call("get_weather", client=("get_weather",))
    assert desk.last is not None
    (timer,) = desk.last.timers
    return intents.TimerDue(
        session_id=desk.session_id,
        org_id=DEFAULT_ORG_ID,
        workflow_id=desk.turn_id,
        timer_id=timer.id,
        kind=timer.kind,
    )


def test_client_call_that_times_out_goes_on_without_it_and_once() -> None:
    desk = Desk()
    due = asking_its_client(desk)

    answers = [desk.do(due), desk.do(due)]

    assert answers == [Verdict.COMMITTED, Verdict.STALE]
    assert desk.data_of("tool.completed")[0]["status"] == "timeout"
    assert len(desk.open(TaskKind.REASON)) == 1


def test_a_client_that_answered_in_time_is_not_late_any_more() -> None:
    desk = Desk()
    due = asking_its_client(desk)
    (call,) = desk.requested()

    desk.do(client_results(desk, call.id))

    assert desk.last is not None
    assert desk.last.dropped_timers == (due.timer_id,)
    assert desk.do(due) is Verdict.STALE
    assert len(desk.open(TaskKind.REASON)) == 1
