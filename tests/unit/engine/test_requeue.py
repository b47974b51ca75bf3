"""A turn that takes up what another one died of."""

from uuid import UUID

import pytest

from mainspring_engine.domain.answers import TakeUp
from mainspring_engine.domain.intents import Requeued
from mainspring_engine.domain.rows import Outcome, TaskKind
from mainspring_engine.domain.turn.state import Phase
from mainspring_kernel.ids import Prefix, to_wire
from mainspring_schema.codec import pack
from mainspring_schema.messages import Controls
from mainspring_schema.tasks import ReasonTask
from tests.unit.engine.desk import CONFIG, Desk
from tests.unit.engine.family import Family

TURN = UUID(int=77)


@pytest.fixture
def dead() -> Desk:
    """A session whose turn died of its model call."""
    desk = Desk()
    desk.say("hello")
    (task,) = desk.open(TaskKind.REASON)
    desk.died(task)
    assert desk.view.workflow is not None
    assert desk.view.workflow.outcome is Outcome.FAILED
    return desk


def requeued(desk: Desk, *, dead_turn: UUID | None = None, turn: UUID = TURN) -> Requeued:
    return Requeued(
        session_id=desk.session_id,
        org_id=desk.head.org_id,
        task_id=UUID(int=5),
        workflow_id=turn,
        dead_workflow_id=dead_turn or desk.turn_id,
        input_message_id=desk.state.input_message_id,
        config_hash=CONFIG,
        controls=Controls(verbosity="high"),
    )


def test_a_new_turn_begins_with_the_input_of_the_dead_one_and_says_so(dead: Desk) -> None:
    dead_turn, asked = dead.turn_id, dead.data_of("turn.started")[0]["input_message_id"]
    before = len(dead.types)

    answer = dead.do(requeued(dead))

    assert answer is TakeUp.BEGUN
    assert dead.turn_id == TURN
    assert dead.types[before:] == [
        "session.activated", "turn.started", "reason.started", "output.message.started",
    ]  # fmt: skip
    started = dead.data_of("turn.started")[-1]
    assert started["input_message_id"] == asked
    assert started["requeued_from"] == {
        "turn_id": to_wire(Prefix.TURN, dead_turn),
        "task_id": to_wire(Prefix.TASK, UUID(int=5)),
    }
    assert dead.view.workflow is not None
    assert dead.view.workflow.ordinal == 2


def test_its_model_call_takes_in_no_message_a_second_time_and_keeps_the_controls(
    dead: Desk,
) -> None:
    dead.do(requeued(dead))

    assert "consumed" not in dead.data_of("reason.started")[-1]
    assert dead.last is not None
    assert (dead.last.accepts, dead.last.consumes) == ((), ())
    (task,) = dead.last.tasks
    assert task.payload == pack(
        ReasonTask(
            turn_id=TURN,
            iteration=1,
            message_id=dead.state.message_id,
            through_seq=dead.head.last_seq,
            config_hash=CONFIG,
            controls=Controls(verbosity="high"),
        )
    )


def test_it_goes_on_to_its_own_outcome(dead: Desk) -> None:
    dead.do(requeued(dead))

    dead.reply("at last")

    assert dead.types[-2:] == ["turn.completed", "session.idled"]
    assert dead.types.count("turn.failed") == 1


def test_the_same_order_again_begins_no_second_turn(dead: Desk) -> None:
    order = requeued(dead)
    dead.do(order)
    count = len(dead.types)

    while_running = dead.do(order)
    dead.reply("at last")
    once_ended = dead.do(order)

    assert (while_running, once_ended) == (TakeUp.THERE, TakeUp.THERE)
    assert len(dead.types) > count
    assert dead.types.count("turn.started") == 2


def test_a_conversation_that_has_gone_on_is_left_alone(dead: Desk) -> None:
    order = requeued(dead)
    dead.say("never mind")
    count = len(dead.types)

    while_running = dead.do(order)
    dead.reply("fine")
    once_ended = dead.do(order)

    assert (while_running, once_ended) == (TakeUp.SUPERSEDED, TakeUp.SUPERSEDED)
    assert dead.types.count("turn.started") == 2
    assert len(dead.types) > count


def test_a_letter_of_an_older_turn_is_superseded(dead: Desk) -> None:
    first = dead.turn_id
    dead.say("again")
    (task,) = dead.open(TaskKind.REASON)
    dead.died(task)

    assert dead.do(requeued(dead, dead_turn=first)) is TakeUp.SUPERSEDED
    assert dead.do(requeued(dead)) is TakeUp.BEGUN


def test_a_turn_in_the_place_of_a_childs_is_stopped_with_its_parent() -> None:
    family = Family(joined=False)
    family.child.died(*family.child.open(TaskKind.REASON))
    family.parent.hears(family.child)
    assert family.parent.links == []

    family.child.do(requeued(family.child))
    family.parent.hears(family.child)
    assert family.parent.links == [TURN]
    family.parent.cancel()
    family.child.hears(family.parent)

    assert family.child.turn_id == TURN
    assert family.child.state.phase is Phase.CANCELLING
