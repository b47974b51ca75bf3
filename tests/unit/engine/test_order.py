"""Calls of one concurrency class, one after the other, decision by decision."""

import msgspec
import pytest

from mainspring_engine.domain import intents
from mainspring_engine.domain.rows import Effect, OpenTask
from mainspring_engine.domain.turn.state import OpenCall, Phase, without
from mainspring_kernel.errors import NotAwaited, NotWaitingForToolResults
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema import commands
from mainspring_schema.appeals import AnswerAppeals, Decision, Ruling
from mainspring_schema.frames import Verdict
from mainspring_schema.tasks import ReasonResult, ToolCall, ToolResult
from tests.unit.engine.desk import Desk


class _View(msgspec.Struct):
    name: str


def call_of(desk: Desk, index: int, name: str, class_: str | None = "desk") -> ToolCall:
    id_ = f"call_{desk.turn_id.hex[:20]}_{desk.state.iteration}_{index}"
    return ToolCall(id=id_, name=name, arguments={"n": index}, concurrency_class=class_)


def asked(
    *classes: str | None, appeals: tuple[int, ...] = (), client: tuple[int, ...] = ()
) -> Desk:
    """A turn whose model asked for calls `a`, `b`, … of these classes."""
    desk = Desk()
    desk.say("go")
    calls = [call_of(desk, n, "abcdefgh"[n], one) for n, one in enumerate(classes)]
    for index in appeals:
        calls[index] = msgspec.structs.replace(calls[index], appeal="approval", expires_s=900)
    for index in client:
        calls[index] = msgspec.structs.replace(calls[index], client_side=True)
    desk.answer(ReasonResult(tool_calls=tuple(calls)))
    return desk


def begun(desk: Desk) -> list[str]:
    """Which calls have begun, in that order."""
    views = [msgspec.convert(data["tool_call"], _View) for data in desk.data_of("tool.started")]
    return [view.name for view in views]


def at_work(desk: Desk) -> list[str]:
    return sorted(step.rpartition(":")[2] for id_, step in desk.steps.items() if id_ in desk.tasks)


def task_of(desk: Desk, index: int) -> OpenTask:
    (call,) = (call for call in desk.state.calls if call.index == index)
    assert call.task_id is not None
    return desk.tasks[call.task_id]


def rule(desk: Desk, *rulings: tuple[int, Decision], edited: bool = False) -> object:
    command = AnswerAppeals(
        org_id=DEFAULT_ORG_ID,
        session_id=desk.session_id,
        rulings=tuple(
            Ruling(
                tool_call_id=call_of(desk, index, "").id,
                decision=decision,
                arguments={"n": 7} if edited else None,
            )
            for index, decision in rulings
        ),
        replies=(),
    )
    return desk.do(intents.AppealsAnswered(command=command))


def test_calls_of_one_class_are_made_one_after_the_other_in_the_order_asked() -> None:
    desk = asked("desk", "desk", "desk")
    assert begun(desk) == ["a"]

    desk.tool_done()
    assert begun(desk) == ["a", "b"]
    desk.tool_done()
    desk.tool_done()

    assert begun(desk) == ["a", "b", "c"]
    assert desk.state.phase is Phase.REASON
    (acted,) = desk.data_of("act.completed")
    assert (acted["success_count"], acted["error_count"]) == (3, 0)


def test_other_classes_and_calls_without_one_go_on_beside() -> None:
    desk = asked("desk", "desk", "shop", None, "desk", None)
    assert begun(desk) == ["a", "c", "d", "f"]

    desk.tool_done(task_of(desk, 2))
    desk.tool_done(task_of(desk, 3))
    assert at_work(desk) == ["0", "5"]
    desk.tool_done(task_of(desk, 0))

    assert begun(desk) == ["a", "c", "d", "f", "b"]
    assert at_work(desk) == ["1", "5"]


def test_a_call_that_fails_lets_the_next_one_begin() -> None:
    desk = asked("desk", "desk")

    desk.answer(ToolResult(status="error", error="no"))

    assert begun(desk) == ["a", "b"]


def test_the_next_one_begins_when_what_became_of_a_lost_call_is_not_known() -> None:
    desk = asked("desk", "desk")

    desk.died(desk.change_task(task_of(desk, 0), effect=Effect.AT_MOST_ONCE, started=True))

    (ended,) = desk.data_of("tool.completed")
    assert "is not known" in str(ended["error"])
    assert begun(desk) == ["a", "b"]


def test_a_call_with_a_problem_holds_nobody_up() -> None:
    desk = Desk()
    desk.say("go")
    bad = msgspec.structs.replace(call_of(desk, 0, "a"), problem="invalid arguments")

    desk.answer(ReasonResult(tool_calls=(bad, call_of(desk, 1, "b"))))

    assert begun(desk) == ["a", "b"]
    assert len(desk.tasks) == 1


def test_the_clients_calls_are_its_own_affair() -> None:
    desk = asked("desk", "desk", client=(0,))
    assert begun(desk) == ["b"]

    desk.tool_done()

    assert [call.name for call in desk.requested()] == ["a"]


def test_a_cancel_ends_what_has_not_begun() -> None:
    desk = asked("desk", "desk", "desk")

    desk.cancel()
    ended = desk.data_of("tool.completed")
    assert [data["status"] for data in ended] == ["cancelled", "cancelled"]
    desk.answer(ToolResult(status="cancelled", error="cancelled by the user"))

    assert begun(desk) == ["a"]
    assert "turn.cancelled" in desk.types
    assert desk.tasks == {}


def test_a_turn_that_fails_gives_each_its_result() -> None:
    desk = asked("desk", "desk")

    desk.died(task_of(desk, 0))

    assert "turn.failed" in desk.types
    assert len(desk.data_of("tool.completed")) == 2
    assert desk.tasks == {}


# ── people ──────────────────────────────────────────────────────────────────────────────────────


def test_a_call_waits_for_one_before_it_that_waits_for_leave() -> None:
    desk = asked("desk", "desk", appeals=(0,))
    assert desk.tasks == {}

    rule(desk, (0, "allow"))
    assert begun(desk) == ["a"]
    desk.tool_done()

    assert begun(desk) == ["a", "b"]


def test_a_refusal_lets_the_next_one_begin() -> None:
    desk = asked("desk", "desk", appeals=(0,))

    rule(desk, (0, "reject"))

    assert begun(desk) == ["b"]
    assert desk.state.phase is Phase.ACT


def test_leave_does_not_let_a_call_overtake() -> None:
    desk = asked("desk", "desk", "desk", appeals=(1,))

    rule(desk, (1, "allow"))
    assert begun(desk) == ["a"]
    desk.tool_done()
    desk.tool_done()

    assert begun(desk) == ["a", "b", "c"]


def test_who_was_behind_a_refused_call_comes_behind_the_one_before() -> None:
    desk = asked("desk", "desk", "desk", appeals=(1,))

    rule(desk, (1, "reject"))
    assert begun(desk) == ["a"]
    desk.tool_done()

    assert begun(desk) == ["a", "c"]


def test_a_call_whose_turn_has_come_still_waits_for_leave() -> None:
    desk = asked("desk", "desk", appeals=(1,))

    desk.tool_done()
    assert begun(desk) == ["a"]
    assert desk.state.phase is Phase.CLIENT
    rule(desk, (1, "allow"), edited=True)

    assert begun(desk) == ["a", "b"]


def test_several_rulings_at_once_keep_the_order() -> None:
    desk = asked("desk", "desk", "desk", appeals=(0, 1, 2))

    rule(desk, (2, "allow"), (0, "reject"), (1, "allow"))
    assert begun(desk) == ["b"]
    desk.tool_done()

    assert begun(desk) == ["b", "c"]


def test_silence_lets_the_next_one_begin() -> None:
    desk = asked("desk", "desk", "desk", appeals=(0, 1))
    assert desk.state.timer_id is not None
    desk.clock.advance(900)

    desk.do(
        intents.TimerDue(
            session_id=desk.session_id,
            org_id=DEFAULT_ORG_ID,
            workflow_id=desk.turn_id,
            timer_id=desk.state.timer_id,
            kind="appeal",
        )
    )

    assert begun(desk) == ["c"]


def test_arguments_of_a_call_that_has_to_wait_cannot_be_changed_yet() -> None:
    desk = asked("desk", "desk", appeals=(0, 1))

    with pytest.raises(NotAwaited, match="once the call before it"):
        rule(desk, (0, "allow"), (1, "allow"), edited=True)

    assert desk.tasks == {}
    assert len(desk.state.calls) == 2


def test_a_new_message_goes_on_without_those_that_wait_behind_a_person() -> None:
    desk = asked("desk", "desk", appeals=(0,))

    desk.say("never mind")

    assert begun(desk) == []
    assert [data["status"] for data in desk.data_of("tool.completed")] == ["cancelled"] * 2
    assert desk.state.phase is Phase.REASON


def test_no_client_brings_the_result_of_a_call_that_waits() -> None:
    desk = asked("desk", "desk", appeals=(0,))
    item = commands.ClientToolResult(tool_call_id=call_of(desk, 1, "").id, result="mine")
    command = commands.SubmitToolResults(
        org_id=DEFAULT_ORG_ID, session_id=desk.session_id, results=(item,)
    )

    with pytest.raises(NotWaitingForToolResults):
        desk.do(intents.ClientAnswered(command=command))


# ── tools of workers of one's own ───────────────────────────────────────────────────────────────


def test_an_announced_tool_is_waited_for_from_when_its_turn_has_come() -> None:
    desk = Desk()
    desk.say("go")
    announced = msgspec.structs.replace(call_of(desk, 1, "b"), capability_id="toolset:mine")
    desk.answer(ReasonResult(tool_calls=(call_of(desk, 0, "a"), announced)))
    assert desk.state.timer_id is None

    desk.clock.advance(100)
    desk.tool_done()

    (call,) = desk.state.calls
    assert call.due_s > 100
    assert desk.state.timer_id is not None


# ── the chain ───────────────────────────────────────────────────────────────────────────────────


def test_a_call_that_is_not_open_leaves_the_chain_as_it_is() -> None:
    calls = (OpenCall(0, "a", None), OpenCall(2, "c", None, behind=0))

    assert without(calls, 1) == calls


def test_two_results_in_one_flight_begin_each_call_once() -> None:
    desk = asked("desk", "desk", "shop", "shop")
    first, third = task_of(desk, 0), task_of(desk, 2)
    done = ToolResult(status="success", result="ok")

    verdicts = desk.do_all(desk.answered(done, first), desk.answered(done, third))

    assert verdicts == [Verdict.COMMITTED, Verdict.COMMITTED]
    assert begun(desk) == ["a", "c", "b", "d"]
