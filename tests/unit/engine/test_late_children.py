"""A child that begins after its call was cancelled, or its parent's turn has ended."""

import msgspec
import pytest

from mainspring_engine.domain import intents
from mainspring_engine.domain.rows import Outcome
from mainspring_engine.domain.turn.state import Phase
from mainspring_engine.domain.workflow.children import CANCEL
from mainspring_schema.delivery import DeliveryMode
from mainspring_schema.tasks import ToolResult
from tests.unit.engine.family import Relative


def say_as(desk: Relative, mode: DeliveryMode) -> None:
    said = desk.said("Rather that.").command
    desk.do(intents.Submitted(command=msgspec.structs.replace(said, mode=mode)))


def test_a_child_that_begins_behind_the_cancel_of_its_call_is_stopped() -> None:
    parent, child = Relative(), Relative(seed=8)
    call = parent.spawn()
    child.told(parent)
    parent.cancel()
    parent.answer(ToolResult(status="cancelled"), parent.tasks[call.id])

    parent.hears(child)
    child.hears(parent)

    assert parent.links == []
    assert parent.view.workflow is not None
    assert parent.view.workflow.outcome is Outcome.CANCELLED
    (held,) = child.tasks.values()
    assert held.cancelling


@pytest.mark.parametrize("mode", ["interrupt", "rollback"])
def test_a_child_that_begins_behind_an_interrupt_of_its_call_is_stopped(mode: DeliveryMode) -> None:
    parent, child = Relative(), Relative(seed=8)
    call = parent.spawn()
    child.told(parent, wakes="it")
    say_as(parent, mode)
    parent.answer(ToolResult(status="cancelled"), parent.tasks[call.id])
    assert parent.state.phase is Phase.REASON

    parent.hears(child)
    child.hears(parent)

    assert parent.links == []
    (held,) = child.tasks.values()
    assert held.cancelling


def test_a_child_of_a_turn_that_was_stopped_some_turns_ago_is_stopped_too() -> None:
    parent, child = Relative(), Relative(seed=8)
    call = parent.spawn()
    child.told(parent)
    say_as(parent, "interrupt")
    parent.answer(ToolResult(status="cancelled"), parent.tasks[call.id])
    parent.reply("Rather that, then.")
    parent.say("Go on.")

    parent.hears(child)

    assert [signal.kind for signal in parent.sent] == [CANCEL]


def test_a_child_of_a_turn_that_ended_well_goes_on_although_it_is_heard_of_late() -> None:
    parent, child = Relative(), Relative(seed=8)
    call = parent.spawn()
    child.told(parent)
    parent.tool_done(call, "running")
    parent.reply("It is under way.")
    parent.say("Go on.")

    parent.hears(child)

    assert (parent.links, parent.sent) == ([child.turn_id], [])
