"""Parents and children over values: a call waits without a worker, and a cancel reaches all."""

import pytest

from mainspring_engine.domain import intents
from mainspring_engine.domain.limits import JOIN_LOOK_MS_MAX, JOIN_UNLINKED_MS
from mainspring_engine.domain.materials import NotYet
from mainspring_engine.domain.rows import Closing, Outcome, TaskState
from mainspring_engine.domain.turn import lineage
from mainspring_engine.domain.turn.state import Phase
from mainspring_engine.domain.workflow.children import CANCEL, ENDED, LOST
from mainspring_kernel.ids import DEFAULT_ORG_ID
from mainspring_schema import commands
from mainspring_schema.frames import Verdict
from mainspring_schema.lineage import ChildTurn
from mainspring_schema.tasks import ReasonResult, ToolCall, ToolResult
from tests.unit.engine.desk import AGENT, OneAgent
from tests.unit.engine.family import Family, Relative


def outcome_of(desk: Relative) -> Outcome:
    assert desk.view.workflow is not None
    return desk.view.workflow.outcome


def closes_of(desk: Relative) -> list[tuple[TaskState, Closing, int | None]]:
    assert desk.last is not None
    return [(close.expected, close.closing, close.delay_ms) for close in desk.last.closes]


def delete(desk: Relative) -> None:
    command = commands.Close(org_id=DEFAULT_ORG_ID, session_id=desk.session_id)
    desk.do(intents.SessionClosed(command=command))


# ── a call that waits ───────────────────────────────────────────────────────────────────────────


def test_a_call_that_waits_for_a_child_holds_no_worker_and_keeps_the_turn_at_work() -> None:
    family = Family()

    assert closes_of(family.parent) == [(TaskState.LEASED, Closing.RETURNED, 60_000)]
    assert (family.task.state, family.parent.state.phase) == (TaskState.DELAYED, Phase.ACT)
    assert family.parent.state.joins == (family.child.turn_id,)
    assert "tool.completed" not in family.parent.types


def test_the_end_of_the_child_makes_the_call_ready() -> None:
    family = Family()
    family.child.reply("Found.")

    assert family.parent.hears(family.child) == [Verdict.COMMITTED]

    assert closes_of(family.parent) == [(TaskState.DELAYED, Closing.RETURNED, 0)]
    assert (family.parent.state.joins, family.parent.links) == ((), [])
    family.parent.tool_done(family.parent.claimed(family.task), "Found.")
    assert family.parent.data_of("tool.completed")[-1]["success"] is True


def test_news_comes_once() -> None:
    family = Family()
    family.child.reply("Found.")
    family.parent.hears(family.child)

    again = family.parent.do(family.parent.news(family.child.turn_id, ENDED))

    assert again is Verdict.STALE


def test_a_child_that_ends_before_its_call_is_given_back_is_looked_at_soon() -> None:
    family = Family(joined=False)
    family.child.reply("Found.")
    family.parent.hears(family.child)

    family.parent.gives_back(family.call, family.child.turn_id)

    assert closes_of(family.parent) == [(TaskState.LEASED, Closing.RETURNED, JOIN_UNLINKED_MS)]
    assert family.parent.state.joins == ()


def test_no_call_is_left_alone_for_longer_than_the_bound() -> None:
    family = Family(joined=False)

    family.parent.gives_back(family.call, family.child.turn_id, wait_ms=10 * JOIN_LOOK_MS_MAX)

    assert closes_of(family.parent) == [(TaskState.LEASED, Closing.RETURNED, JOIN_LOOK_MS_MAX)]


def test_news_finds_a_call_that_has_been_given_out_again_at_work() -> None:
    family = Family()
    call = family.parent.claimed(family.task)
    family.child.reply("Found.")

    family.parent.hears(family.child)

    assert closes_of(family.parent) == []
    family.parent.gives_back(call, family.child.turn_id)
    assert closes_of(family.parent) == [(TaskState.LEASED, Closing.RETURNED, JOIN_UNLINKED_MS)]


def test_news_in_the_flight_that_gives_the_call_back_rides_the_next_one() -> None:
    family = Family()
    call = family.parent.claimed(family.task)
    family.child.reply("Found.")
    family.parent.receives(family.child)
    joins = ChildTurn(turn_id=family.child.turn_id, wait_ms=60_000)
    back = family.parent.answered(ToolResult(status="success", joins=joins), call)

    with pytest.raises(NotYet):
        family.parent.do_all(back, family.parent.news(family.child.turn_id, ENDED))


def test_a_cancel_in_the_flight_that_gives_the_call_back_takes_the_call_away() -> None:
    """Nobody holds it any more, so nobody would confirm; and its child is still to end."""
    family = Family()
    call = family.parent.claimed(family.task)
    joins = ChildTurn(turn_id=family.child.turn_id, wait_ms=60_000)
    back = family.parent.answered(ToolResult(status="success", joins=joins), call)
    command = commands.Cancel(org_id=DEFAULT_ORG_ID, session_id=family.parent.session_id)

    family.parent.do_all(back, intents.Cancelled(command=command))

    assert closes_of(family.parent) == [(TaskState.LEASED, Closing.CANCELLED, None)]
    assert family.parent.last is not None
    assert family.parent.last.marks == ()
    assert (family.parent.tasks, family.parent.state.phase) == ({}, Phase.CANCELLING)


def test_begin_and_end_of_a_child_may_come_in_one_flight() -> None:
    parent, child = Relative(), Relative(seed=8)
    parent.spawn()
    child.told(parent)
    child.reply("Found.")
    came = parent.receives(child)

    parent.do_all(*came)

    assert (parent.links, parent.signals) == ([], {})


def test_a_child_that_waits_for_people_is_news_and_goes_on() -> None:
    family = Family()
    id_ = f"call_{family.child.turn_id.hex[:20]}_1_0"
    asked = ToolCall(id=id_, name="pay", arguments={}, appeal="approval", expires_s=60)
    family.child.answer(ReasonResult(tool_calls=(asked,)))

    family.parent.hears(family.child)

    assert closes_of(family.parent) == [(TaskState.DELAYED, Closing.RETURNED, 0)]
    assert family.parent.links == [family.child.turn_id]


def test_a_signal_that_was_given_up_changes_nothing() -> None:
    family = Family()

    lost = family.parent.do(family.parent.news(family.child.turn_id, LOST))

    assert lost is Verdict.STALE
    assert family.task.state is TaskState.DELAYED


def test_what_a_turn_of_a_child_left_waiting_is_its_parents_affair_too() -> None:
    family = Family(joined=False)
    family.child.say("And this?")
    (task,) = family.child.tasks.values()
    family.child.change_task(task, deaths=2)
    family.child.died(family.child.tasks[task.id])

    family.parent.hears(family.child)

    assert family.child.state.parent == family.parent.session_id
    assert family.parent.links == [family.child.turn_id]


def test_a_message_of_a_person_to_a_child_is_none_of_its_parents() -> None:
    family = Family(joined=False)
    family.child.reply("Found.")
    family.parent.hears(family.child)

    family.child.say("And you?")

    assert family.child.sent == []


# ── a cancel ────────────────────────────────────────────────────────────────────────────────────


def test_a_cancel_reaches_the_child_and_ends_with_it() -> None:
    family = Family()

    family.parent.cancel()

    assert (outcome_of(family.parent), family.parent.tasks) == (Outcome.RUNNING, {})
    family.child.hears(family.parent)
    (held,) = family.child.tasks.values()
    assert held.cancelling
    family.child.answer(ReasonResult(text="half"))
    assert family.child.data_of("turn.cancelled")[-1]["reason"] == lineage.PARENT
    family.parent.hears(family.child)
    assert outcome_of(family.parent) is Outcome.CANCELLED
    assert family.parent.data_of("tool.completed")[-1]["status"] == "cancelled"


def test_a_child_that_does_not_stop_holds_the_cancel_up_to_its_deadline() -> None:
    family = Family()
    family.parent.cancel()

    family.parent.due("cancel_deadline")

    assert outcome_of(family.parent) is Outcome.CANCELLED
    assert family.parent.data_of("tool.completed")[-1]["status"] == "cancelled"


def test_a_cancel_reaches_all_generations() -> None:
    family, grandchild = Family(), Relative(seed=9)
    (task,) = family.child.tasks.values()
    id_ = f"call_{family.child.turn_id.hex[:20]}_1_0"
    spawn = ToolCall(id=id_, name="spawn_agent", arguments={}, effect_class="idempotent")
    family.child.answer(ReasonResult(tool_calls=(spawn,)), task)
    grandchild.told(family.child)
    family.child.hears(grandchild)
    (call,) = family.child.tasks.values()
    family.child.gives_back(call, grandchild.turn_id)

    family.parent.cancel()
    family.child.hears(family.parent)
    grandchild.hears(family.child)
    grandchild.answer(ReasonResult(text="half"))
    family.child.hears(grandchild)
    family.parent.hears(family.child)

    everybody = (grandchild, family.child, family.parent)
    assert {outcome_of(desk) for desk in everybody} == {Outcome.CANCELLED}


def test_a_call_that_is_given_back_behind_the_cancel_is_cancelled() -> None:
    family = Family(joined=False)
    family.parent.cancel()

    family.parent.gives_back(family.parent.tasks[family.call.id], family.child.turn_id)

    assert outcome_of(family.parent) is Outcome.CANCELLED


def test_children_in_the_background_outlive_the_turn_and_no_cancel_of_their_session() -> None:
    family = Family(joined=False)
    family.parent.tool_done(family.call, "running")
    family.parent.reply("It is under way.")
    assert family.parent.links == [family.child.turn_id]

    receipt = family.parent.cancel()
    family.child.hears(family.parent)

    assert receipt == commands.CancelReceipt(status="no_op")
    assert family.child.state.phase is Phase.CANCELLING


def test_an_order_to_stop_is_for_the_turn_that_it_names() -> None:
    family = Family()
    family.parent.cancel()
    family.child.reply("Found.")
    family.child.say("Something else.")

    family.child.hears(family.parent)

    assert family.child.state.phase is Phase.REASON
    assert family.child.signals == {}


def test_a_deleted_session_stops_its_children_and_hears_no_more_of_them() -> None:
    family = Family()

    delete(family.parent)
    family.child.hears(family.parent)
    family.child.answer(ReasonResult(text="half"))

    assert outcome_of(family.child) is Outcome.CANCELLED
    assert family.child.sent == []


def test_a_child_that_stops_already_hears_of_the_deletion_too() -> None:
    family = Family()
    family.child.cancel()

    delete(family.parent)
    family.child.hears(family.parent)
    family.child.answer(ReasonResult(text="half"))

    assert family.child.sent == []


def test_a_turn_that_fails_stops_the_children_that_it_waits_for_and_no_other() -> None:
    parent, child, other = Relative(), Relative(seed=8), Relative(seed=9)
    parent.say("All.")
    names = ("spawn_agent", "spawn_agent", "crash")
    parent.answer(
        ReasonResult(
            tool_calls=tuple(
                ToolCall(id=f"call_{parent.turn_id.hex[:20]}_1_{n}", name=name, arguments={})
                for n, name in enumerate(names)
            )
        )
    )
    joining, beside, crashing = parent.tasks.values()
    for one in (child, other):
        one.told(parent)
        parent.hears(one)
    parent.gives_back(joining, child.turn_id)
    parent.tool_done(beside, "running")

    parent.died(parent.change_task(crashing, deaths=2))
    for one in (child, other):
        one.hears(parent)

    assert outcome_of(parent) is Outcome.FAILED
    assert (child.state.phase, other.state.phase) == (Phase.CANCELLING, Phase.REASON)


def test_an_agent_without_the_capability_looks_for_no_children() -> None:
    desk = Relative()
    desk.without_children()
    desk.say("Hello.")

    desk.cancel()

    assert desk.state.phase is Phase.CANCELLING


def test_a_child_at_work_for_somebody_else_is_linked_by_its_parents_word() -> None:
    parent, child = Relative(), Relative(seed=8)
    parent.spawn()
    child.say("Work.")

    child.told(parent)
    child.told(parent)
    parent.hears(child)

    assert parent.links == [child.turn_id]


@pytest.mark.parametrize("ends", ["cancel", "close"])
def test_a_child_of_an_earlier_turn_hears_of_it_although_its_parent_can_spawn_no_more(
    ends: str,
) -> None:
    family = Family(joined=False)
    family.parent.tool_done(family.call, "started")
    family.parent.reply("It is under way.")
    family.parent.materials.agents = OneAgent(AGENT)  # the capability was taken away
    family.parent.say("Something else.")

    if ends == "cancel":
        family.parent.cancel()
    else:
        delete(family.parent)

    told = [s.source for s in family.parent.sent if s.kind == CANCEL]
    assert told == [family.child.turn_id]
