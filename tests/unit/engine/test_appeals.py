"""Tool calls that wait for people, decision by decision."""

import msgspec
import pytest

from mainspring_engine.domain import intents
from mainspring_engine.domain.rows import TaskKind
from mainspring_engine.domain.turn.state import Phase
from mainspring_kernel.errors import NotAwaited, NotWaitingForToolResults
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema import commands
from mainspring_schema.appeals import AnswerAppeals, AppealsReceipt, Decision, Reply, Ruling
from mainspring_schema.frames import Verdict
from mainspring_schema.grants import SessionStatus
from mainspring_schema.tasks import ReasonResult, ToolCall
from tests.unit.engine.desk import Desk

APPROVAL_S, QUESTION_S = 900, 300
SILENCE: dict[str, object] = {"status": "timed_out", "answered_by": "timeout", "answers": []}


def call_of(desk: Desk, index: int, name: str) -> ToolCall:
    id_ = f"call_{desk.turn_id.hex[:20]}_{desk.state.iteration}_{index}"
    return ToolCall(id=id_, name=name, arguments={"n": index})


def approval(desk: Desk, index: int, name: str = "pay") -> ToolCall:
    return msgspec.structs.replace(
        call_of(desk, index, name), appeal="approval", appeal_reason="why", expires_s=APPROVAL_S
    )


def question(desk: Desk, index: int) -> ToolCall:
    return msgspec.structs.replace(
        call_of(desk, index, "ask_user"),
        appeal="question",
        expires_s=QUESTION_S,
        on_silence=SILENCE,
    )


def held_back(*, also: str | None = None, calls: int = 1) -> Desk:
    """A turn whose calls of `pay` wait for leave; `also` needs none and is at work."""
    desk = Desk()
    desk.say("pay")
    asked = [approval(desk, index) for index in range(calls)]
    if also is not None:
        asked.append(call_of(desk, calls, also))
    desk.answer(ReasonResult(tool_calls=tuple(asked)))
    return desk


def decided(
    desk: Desk, decision: Decision, *indexes: int, arguments: dict[str, object] | None = None
) -> AppealsReceipt:
    rulings = tuple(
        Ruling(tool_call_id=call_of(desk, index, "").id, decision=decision, arguments=arguments)
        for index in indexes or (0,)
    )
    return answered(desk, rulings=rulings)


def answered(
    desk: Desk, *, rulings: tuple[Ruling, ...] = (), replies: tuple[Reply, ...] = ()
) -> AppealsReceipt:
    command = AnswerAppeals(
        org_id=DEFAULT_ORG_ID, session_id=desk.session_id, rulings=rulings, replies=replies
    )
    receipt = desk.do(intents.AppealsAnswered(command=command))
    assert isinstance(receipt, AppealsReceipt)
    return receipt


def time_is_up(desk: Desk, after_s: float) -> object:
    assert desk.state.timer_id is not None
    desk.clock.advance(after_s)
    return desk.do(
        intents.TimerDue(
            session_id=desk.session_id,
            org_id=DEFAULT_ORG_ID,
            workflow_id=desk.turn_id,
            timer_id=desk.state.timer_id,
            kind="appeal",
        )
    )


def test_a_call_that_needs_leave_is_told_and_not_begun() -> None:
    desk = held_back()

    assert desk.tasks == {}
    assert desk.head.status is SessionStatus.WAITINGFORTOOLRESULTS
    (told,) = desk.data_of("approval.requested")
    assert (told["tool_name"], told["arguments"], told["reason"]) == ("pay", {"n": 0}, "why")
    assert "act.completed" not in desk.types


def test_an_allowed_call_runs_and_leads_back_to_the_model() -> None:
    desk = held_back()

    receipt = decided(desk, "allow")

    assert [one.outcome for one in receipt.resolved] == ["allowed"]
    assert (receipt.status, desk.state.phase) == ("active", Phase.ACT)
    assert desk.last is not None
    assert desk.last.dropped_timers, "nothing waits any more"
    desk.tool_done()
    assert desk.types[-3:] == ["act.completed", "reason.started", "output.message.started"]


def test_a_rejected_call_is_an_error_to_the_model() -> None:
    desk = held_back()

    receipt = decided(desk, "reject_always")

    assert [one.outcome for one in receipt.resolved] == ["rejected"]
    (result,) = desk.data_of("tool.completed")
    assert (result["success"], result["error"]) == (False, "rejected by the user")
    (resolved,) = desk.data_of("approval.resolved")
    assert resolved["decision"] == "reject_always"
    assert [task.kind for task in desk.tasks.values()] == [TaskKind.REASON]


def test_edited_arguments_are_what_the_tool_gets() -> None:
    desk = held_back()

    decided(desk, "allow", arguments={"n": 7})

    (started,) = desk.data_of("tool.started")
    assert msgspec.convert(started["tool_call"], dict[str, object])["arguments"] == {"n": 7}
    assert desk.last is not None
    (task,) = desk.last.tasks
    payload = msgspec.msgpack.decode(task.payload)
    assert (payload["arguments"], payload["edited"]) == ({"n": 7}, True)


def test_calls_are_decided_one_by_one_while_others_wait() -> None:
    desk = held_back(calls=2)

    decided(desk, "allow", 1)
    assert desk.head.status is SessionStatus.ACTIVE
    desk.tool_done()

    assert desk.head.status is SessionStatus.WAITINGFORTOOLRESULTS
    assert "act.completed" not in desk.types
    decided(desk, "reject", 0)
    (completed,) = desk.data_of("act.completed")
    assert (completed["success_count"], completed["error_count"]) == (1, 1)


def test_a_call_beside_one_that_is_at_work_is_decided_at_once() -> None:
    desk = held_back(also="look")
    assert desk.head.status is SessionStatus.ACTIVE

    decided(desk, "allow")

    assert len(desk.open(TaskKind.TOOL)) == 2


def test_one_wrong_id_refuses_all_and_changes_nothing() -> None:
    desk = held_back(calls=2)
    before = desk.view

    with pytest.raises(NotAwaited):
        decided(desk, "allow", 0, 9)

    assert desk.view == before


def test_a_decision_for_a_turn_that_waits_for_nobody_is_refused() -> None:
    desk = Desk()
    desk.say("hello")

    with pytest.raises(NotAwaited):
        decided(desk, "allow")


def test_a_decision_is_no_answer_to_a_question() -> None:
    desk = Desk()
    desk.say("ask")
    desk.answer(ReasonResult(tool_calls=(question(desk, 0),)))

    with pytest.raises(NotAwaited):
        decided(desk, "allow")


def test_an_answer_is_no_decision_and_none_to_a_call_that_is_not_there() -> None:
    desk = held_back()
    before = desk.view
    (asked,) = desk.data_of("approval.requested")

    for call_id in (str(asked["tool_call_id"]), "call_9"):
        with pytest.raises(NotAwaited):
            answered(desk, replies=(Reply(tool_call_id=call_id, status="answered", result={}),))

    assert desk.view == before


def test_silence_allows_nothing() -> None:
    desk = held_back()

    assert time_is_up(desk, APPROVAL_S) is Verdict.COMMITTED

    (result,) = desk.data_of("tool.completed")
    assert (result["status"], result["success"]) == ("timeout", False)
    assert [one["outcome"] for one in desk.data_of("approval.resolved")] == ["expired"]
    assert desk.head.status is SessionStatus.ACTIVE


def test_each_appeal_has_its_own_time() -> None:
    desk = Desk()
    desk.say("both")
    desk.answer(ReasonResult(tool_calls=(approval(desk, 0), question(desk, 1))))

    time_is_up(desk, QUESTION_S)

    (answer,) = desk.data_of("question.answered")
    assert (answer["status"], answer["answered_by"]) == ("timed_out", "timeout")
    (result,) = desk.data_of("tool.completed")
    assert result["success"] is True
    assert desk.head.status is SessionStatus.WAITINGFORTOOLRESULTS
    time_is_up(desk, APPROVAL_S - QUESTION_S)
    assert desk.head.status is SessionStatus.ACTIVE


def test_an_answer_is_the_result_of_the_call() -> None:
    desk = Desk()
    desk.say("ask")
    desk.answer(ReasonResult(tool_calls=(question(desk, 0),)))
    (asked,) = desk.data_of("question.asked")
    said: dict[str, object] = {"status": "answered", "answered_by": "user", "answers": []}

    receipt = answered(
        desk,
        replies=(Reply(tool_call_id=str(asked["tool_call_id"]), status="answered", result=said),),
    )

    assert [one.outcome for one in receipt.resolved] == ["answered"]
    (told,) = desk.data_of("question.answered")
    assert told["result"] == said
    assert desk.types[-3:] == ["act.completed", "reason.started", "output.message.started"]


def test_a_new_message_goes_on_without_the_calls() -> None:
    desk = held_back()

    desk.say("never mind")

    (result,) = desk.data_of("tool.completed")
    assert result["status"] == "cancelled"
    assert [one["outcome"] for one in desk.data_of("approval.resolved")] == ["cancelled"]
    assert desk.types[-3:] == ["act.completed", "reason.started", "output.message.started"]
    desk.reply("fine")
    assert desk.head.status is SessionStatus.IDLE


def test_a_cancel_withdraws_what_waits() -> None:
    desk = held_back()

    desk.cancel()

    assert [one["outcome"] for one in desk.data_of("approval.resolved")] == ["cancelled"]
    assert desk.types.count("tool.completed") == 1
    assert desk.head.status is SessionStatus.IDLE


def test_results_of_a_client_do_not_answer_an_appeal() -> None:
    desk = held_back()
    results = (commands.ClientToolResult(tool_call_id=call_of(desk, 0, "").id, result="paid"),)

    with pytest.raises(NotWaitingForToolResults):
        desk.do(
            intents.ClientAnswered(
                command=commands.SubmitToolResults(
                    org_id=DEFAULT_ORG_ID, session_id=desk.session_id, results=results
                )
            )
        )


def test_tools_of_the_client_come_after_what_people_decide() -> None:
    desk = Desk()
    desk.say("both")
    client = msgspec.structs.replace(call_of(desk, 1, "show"), client_side=True)
    desk.answer(ReasonResult(tool_calls=(approval(desk, 0), client)))
    assert desk.data_of("tool.call_requested") == []

    decided(desk, "reject")

    assert [part.name for part in desk.requested()] == ["show"]
    assert desk.head.status is SessionStatus.WAITINGFORTOOLRESULTS
