"""Tool calls under budgets of seconds, decision by decision."""

import msgspec
import pytest

from mainspring_engine.domain import intents
from mainspring_engine.domain.answers import Resumption
from mainspring_engine.domain.rows import OpenTask, Standing, TaskKind
from mainspring_engine.domain.turn.spending import SECONDS_HELD
from mainspring_engine.domain.turn.state import Phase
from mainspring_kernel.errors import NotAwaited
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema.appeals import AnswerAppeals, Decision, Ruling
from mainspring_schema.budgets import MICRO
from mainspring_schema.grants import SessionStatus
from mainspring_schema.tasks import ReasonResult, ToolCall, ToolResult
from tests.unit.engine.desk import Desk
from tests.unit.engine.test_budgets import bound, budget, resume, spending

HELD = MICRO * SECONDS_HELD


def asked(desk: Desk, *calls: ToolCall) -> None:
    desk.answer(ReasonResult(tool_calls=tuple(calls)))


def call(desk: Desk, index: int = 0, **fields: object) -> ToolCall:
    plain = ToolCall(id=f"call_{desk.turn_id.hex[:20]}_1_{index}", name="add", arguments={})
    return msgspec.structs.replace(plain, **fields)


def rule(desk: Desk, id_: str, decision: Decision = "allow", **more: object) -> object:
    ruling = Ruling(tool_call_id=id_, decision=decision)
    command = AnswerAppeals(
        org_id=DEFAULT_ORG_ID,
        session_id=desk.session_id,
        rulings=(msgspec.structs.replace(ruling, **more),),
    )
    return desk.do(intents.AppealsAnswered(command=command))


def holding(seconds: Standing, *tasks: OpenTask) -> Standing:
    """The budget as it is read while the calls hold of it."""
    return msgspec.structs.replace(seconds, own={task.id: HELD for task in tasks})


def begun(desk: Desk, *names: str, left: float) -> Standing:
    """A turn whose model has asked for tools."""
    bound(desk, budget(desk, "seconds", left=1e6))
    desk.say("add")
    seconds = budget(desk, "seconds", left=left)
    bound(desk, seconds)
    desk.call(*names)
    return seconds


def test_each_call_of_an_answer_holds_time_in_the_step_that_begins_it() -> None:
    desk = Desk()

    seconds = begun(desk, "add", "add", left=1e6)

    tools = desk.open(TaskKind.TOOL)
    held = [(hold.task_id, hold.budget_id, hold.amount) for hold in spending(desk).holds]
    assert held == [(task.id, seconds.id, HELD) for task in tools]
    assert len(tools) == 2


def test_a_call_holds_no_more_than_it_may_take() -> None:
    desk = Desk()
    bound(desk, budget(desk, "seconds", left=1e6))
    desk.say("add")

    asked(desk, call(desk, limit_s=5))

    assert [hold.amount for hold in spending(desk).holds] == [5 * MICRO]


def test_a_call_is_charged_what_its_worker_says_it_took() -> None:
    desk = Desk()
    begun(desk, "add", left=1e6)
    (task,) = desk.open(TaskKind.TOOL)

    desk.answer(ToolResult(status="error", error="no", duration_ms=1500))

    assert spending(desk).ended == (task.id,)
    (charge,) = spending(desk).charges
    assert (charge.task_id, charge.currency, charge.amount) == (task.id, "seconds", 1_500_000)


def test_a_call_whose_worker_was_lost_gives_back_what_it_held() -> None:
    desk = Desk()
    begun(desk, "add", left=1e6)
    (task,) = desk.open(TaskKind.TOOL)

    desk.died(desk.change_task(task, started=True))

    assert spending(desk).ended == (task.id,)
    assert spending(desk).charges == ()


@pytest.mark.parametrize("capability", ["subagents", "session_tasks", "background_execution"])
def test_a_call_that_is_about_children_holds_nothing(capability: str) -> None:
    desk = Desk()
    bound(desk, budget(desk, "seconds", left=1e6))
    desk.say("add")
    bound(desk, budget(desk, "seconds", left=0))

    asked(desk, call(desk, capability_id=capability))

    assert spending(desk).holds == ()
    assert len(desk.open(TaskKind.TOOL)) == 1


def test_only_time_keeps_a_tool_call_from_being_made() -> None:
    desk = Desk()
    bound(desk, budget(desk, left=1))
    desk.say("add")
    bound(desk, budget(desk, left=0))

    desk.call("add")

    assert (len(desk.open(TaskKind.TOOL)), desk.head.paused) == (1, False)


def test_a_call_without_room_pauses_the_session_and_is_made_once_it_is_resumed() -> None:
    desk = Desk()
    seconds = begun(desk, "add", left=0)
    assert (desk.head.status, desk.head.paused) == (SessionStatus.IDLE, True)
    assert (desk.state.phase, desk.tasks) == (Phase.PAUSED, {})
    (told,) = desk.data_of("budget.exhausted")
    assert (told["currency"], told["balance"]) == ("seconds", 0)
    assert "tool.started" not in desk.types

    too_early = resume(desk)
    bound(desk, msgspec.structs.replace(seconds, balance=MICRO))
    in_time, held = resume(desk), spending(desk).holds
    again = resume(desk)

    assert (too_early, in_time) == (Resumption.SHORT, Resumption.RESUMED)
    assert again is Resumption.NOT_PAUSED
    assert (desk.head.status, desk.head.paused) == (SessionStatus.ACTIVE, False)
    (task,) = desk.open(TaskKind.TOOL)
    assert [hold.task_id for hold in held] == [task.id]
    desk.tool_done()
    desk.reply("done")
    assert [desk.types.count(one) for one in ("tool.started", "tool.completed")] == [1, 1]
    assert desk.types[-2:] == ["turn.completed", "session.idled"]


def test_calls_side_by_side_hold_no_more_than_there_is() -> None:
    desk = Desk()

    seconds = begun(desk, "add", "add", "add", left=2 * SECONDS_HELD + 1)

    first, second = desk.open(TaskKind.TOOL)
    assert not desk.head.paused
    bound(desk, holding(seconds, first, second))
    desk.answer(ToolResult(status="success", duration_ms=500), first)
    assert len(desk.open(TaskKind.TOOL)) == 2, "one has ended and made room for the third"
    assert desk.types.count("tool.started") == 3


def test_the_only_call_takes_the_rest_and_those_beside_it_follow_one_by_one() -> None:
    desk = Desk()
    seconds = begun(desk, "add", "add", left=3)
    (first,) = desk.open(TaskKind.TOOL)

    bound(desk, holding(seconds, first))
    desk.answer(ToolResult(status="success", duration_ms=1000), first)

    (second,) = desk.open(TaskKind.TOOL)
    assert second.id != first.id
    assert not desk.head.paused


def test_a_turn_rests_where_the_calls_at_work_leave_no_room_for_the_last() -> None:
    desk = Desk()
    seconds = begun(desk, "add", "add", left=3)
    (first,) = desk.open(TaskKind.TOOL)

    bound(desk, holding(seconds, first))
    desk.answer(ToolResult(status="success", duration_ms=3000), first)
    assert desk.head.paused
    bound(desk, seconds)
    resume(desk)
    desk.tool_done()

    assert desk.types.count("tool.completed") == 2
    assert desk.state.phase is Phase.REASON


def test_more_room_lets_a_call_begin_while_another_is_at_work() -> None:
    desk = Desk()
    seconds = begun(desk, "add", "add", left=3)
    (first,) = desk.open(TaskKind.TOOL)
    more = msgspec.structs.replace(seconds, balance=1000 * MICRO)

    bound(desk, holding(more, first))
    answer = resume(desk)

    assert answer is Resumption.RESUMED
    assert len(desk.open(TaskKind.TOOL)) == 2
    assert "budget.resumed" not in desk.types, "it has not rested"


def test_a_message_to_a_turn_that_rests_before_a_call_takes_nothing_from_it() -> None:
    desk = Desk()
    seconds = begun(desk, "add", left=0)

    assert desk.say("and?").steered
    bound(desk, msgspec.structs.replace(seconds, balance=MICRO))
    resume(desk)
    desk.tool_done()

    assert desk.types.count("tool.completed") == 1
    assert len(desk.data_of("reason.started")) == 2


def test_a_turn_that_rests_before_a_call_is_cancelled_without_it() -> None:
    desk = Desk()
    begun(desk, "add", left=0)

    desk.cancel()

    (done,) = desk.data_of("tool.completed")
    assert (done["status"], desk.head.paused) == ("cancelled", False)
    assert "turn.cancelled" in desk.types


def test_a_call_of_the_client_is_asked_for_once_the_others_have_had_room() -> None:
    desk = Desk()
    bound(desk, budget(desk, "seconds", left=1e6))
    desk.say("add")
    seconds = budget(desk, "seconds", left=0)
    bound(desk, seconds)
    desk.call("add", "ask", client=("ask",))
    assert (desk.head.paused, "tool.call_requested" in desk.types) == (True, False)

    bound(desk, msgspec.structs.replace(seconds, balance=MICRO))
    resume(desk)
    desk.tool_done()

    assert [one.name for one in desk.requested()] == ["ask"]


def test_calls_of_one_class_keep_their_order_where_the_first_had_to_wait_for_room() -> None:
    desk = Desk()
    bound(desk, budget(desk, "seconds", left=1e6))
    desk.say("add")
    bound(desk, seconds := budget(desk, "seconds", left=0))
    asked(desk, *(call(desk, index, concurrency_class="db") for index in range(2)))

    bound(desk, msgspec.structs.replace(seconds, balance=1000 * MICRO))
    resume(desk)
    (first,) = desk.open(TaskKind.TOOL)
    desk.tool_done(first)

    (second,) = desk.open(TaskKind.TOOL)
    assert [desk.steps[task.id] for task in (first, second)] == ["tool:1:0", "tool:1:1"]


# ── people ──────────────────────────────────────────────────────────────────────────────────────


def waiting(desk: Desk) -> ToolCall:
    """A call that waits for leave, and holds nothing meanwhile."""
    bound(desk, budget(desk, "seconds", left=1e6))
    desk.say("add")
    wanted = call(desk, appeal="approval", expires_s=600)
    asked(desk, wanted)
    assert spending(desk).holds == ()
    return wanted


def test_a_call_that_is_allowed_without_room_rests_and_nobody_is_asked_again() -> None:
    desk = Desk()
    wanted = waiting(desk)
    bound(desk, seconds := budget(desk, "seconds", left=0))

    rule(desk, wanted.id)
    assert (desk.state.phase, desk.head.paused) == (Phase.PAUSED, True)
    bound(desk, msgspec.structs.replace(seconds, balance=MICRO))
    resume(desk)

    assert len(desk.open(TaskKind.TOOL)) == 1
    assert desk.types.count("approval.requested") == 1


def test_changed_arguments_are_refused_while_no_task_could_carry_them() -> None:
    desk = Desk()
    wanted = waiting(desk)
    bound(desk, budget(desk, "seconds", left=0))

    with pytest.raises(NotAwaited, match="once a budget has room"):
        rule(desk, wanted.id, arguments={"n": 2})


def test_a_call_without_room_may_begin_while_another_waits_for_people() -> None:
    desk = Desk()
    bound(desk, budget(desk, "seconds", left=1e6))
    desk.say("add")
    bound(desk, seconds := budget(desk, "seconds", left=0))
    asked(desk, call(desk, 0), call(desk, 1, appeal="approval", expires_s=600))
    assert desk.head.status is SessionStatus.WAITINGFORTOOLRESULTS

    early = resume(desk)
    bound(desk, msgspec.structs.replace(seconds, balance=MICRO))
    late = resume(desk)

    assert (early, late) == (Resumption.SHORT, Resumption.RESUMED)
    assert len(desk.open(TaskKind.TOOL)) == 1
