"""Messages by their modes: which turn takes them, and what people do to them while they wait."""

from uuid import UUID

import msgspec
import pytest

from mainspring_engine.domain import intents
from mainspring_engine.domain.rows import NOBODY, TaskKind, TaskState
from mainspring_kernel.control_errors import MessageTaken, SessionBusy
from mainspring_kernel.errors import TooManyRequests
from mainspring_kernel.ids import DEFAULT_ORG_ID, Prefix, to_wire
from mainspring_kernel.limits import INBOX_ROWS_MAX
from mainspring_schema import commands
from mainspring_schema.delivery import (
    DeliveryMode,
    EditMessage,
    ReorderMessages,
    WithdrawMessage,
)
from mainspring_schema.grants import SessionStatus
from mainspring_schema.messages import Message, TextPart
from mainspring_schema.tasks import Failure, ReasonResult
from tests.unit.engine.desk import CONFIG, Desk
from tests.unit.engine.test_budgets import bound, budget

STOPPED = ReasonResult(
    failure=Failure(error_class="cancelled", code="cancelled", message="stopped")
)
BROKEN = ReasonResult(
    failure=Failure(error_class="invalid_request", code="boom", message="it broke")
)


def say(desk: Desk, text: str, mode: DeliveryMode) -> UUID:
    message_id = desk.ids.uuid4()
    desk.do(submitted(desk, text, mode, message_id))
    return message_id


def submitted(desk: Desk, text: str, mode: DeliveryMode, id_: UUID) -> intents.Submitted:
    message = Message(id=wire(id_), role="user", content=(TextPart(text=text),), created_at="")
    return intents.Submitted(
        command=commands.Submit(
            org_id=DEFAULT_ORG_ID,
            session_id=desk.session_id,
            message_id=id_,
            message=message,
            mode=mode,
            config_hash=CONFIG,
        )
    )


def wire(*ids: UUID) -> str:
    return " ".join(to_wire(Prefix.MESSAGE, id_) for id_ in ids)


def taken(desk: Desk) -> list[list[str]]:
    """By model call: the messages that it is the first to see."""
    return [
        msgspec.convert(data.get("consumed", []), list[str])
        for data in desk.data_of("reason.started")
    ]


def at_work() -> Desk:
    desk = Desk()
    desk.say("first")
    return desk


def edit(desk: Desk, id_: UUID, text: str) -> None:
    order = EditMessage(
        org_id=DEFAULT_ORG_ID,
        session_id=desk.session_id,
        message_id=id_,
        content=(TextPart(text=text),),
    )
    desk.do(intents.DeliveryOrdered(command=order))


def withdraw(desk: Desk, id_: UUID) -> None:
    order = WithdrawMessage(org_id=DEFAULT_ORG_ID, session_id=desk.session_id, message_id=id_)
    desk.do(intents.DeliveryOrdered(command=order))


def reorder(desk: Desk, *ids: UUID) -> None:
    order = ReorderMessages(org_id=DEFAULT_ORG_ID, session_id=desk.session_id, message_ids=ids)
    desk.do(intents.DeliveryOrdered(command=order))


# ── by mode ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", ["steer", "queue", "collect", "interrupt", "rollback", "reject"])
def test_on_an_idle_session_each_mode_begins_a_turn(mode: DeliveryMode) -> None:
    desk = Desk()

    id_ = say(desk, "hello", mode)

    assert taken(desk) == [[wire(id_)]]
    desk.reply("done")
    assert desk.head.status is SessionStatus.IDLE


def test_queued_messages_begin_a_turn_each_in_their_order() -> None:
    desk = at_work()
    one, two = say(desk, "one", "queue"), say(desk, "two", "queue")

    desk.reply("first is done")
    desk.call("add")
    desk.tool_done()
    desk.reply("one is done")
    desk.reply("two is done")

    assert taken(desk)[1:] == [[wire(one)], [], [wire(two)]]
    assert desk.types.count("turn.completed") == 3
    assert desk.head.status is SessionStatus.IDLE


def test_collected_messages_begin_one_turn_together() -> None:
    desk = at_work()
    ids = [say(desk, text, "collect") for text in ("one", "two", "three")]
    last = say(desk, "alone", "queue")

    desk.reply("first is done")
    desk.reply("all three are done")

    assert taken(desk)[1:] == [[wire(id_) for id_ in ids], [wire(last)]]


def test_a_turn_waits_for_what_steers_and_not_for_what_is_queued() -> None:
    desk = at_work()
    later = say(desk, "later", "queue")
    now = say(desk, "now", "steer")

    desk.reply("so far")
    assert desk.types.count("turn.completed") == 0
    desk.reply("done")

    assert taken(desk)[1:] == [[wire(now)], [wire(later)]]
    assert desk.types.count("turn.completed") == 1


def test_an_interrupt_cancels_what_is_at_work_and_begins_the_next_turn() -> None:
    desk = at_work()
    before, later = say(desk, "before", "steer"), say(desk, "later", "queue")

    id_ = say(desk, "now", "interrupt")
    (task,) = desk.tasks.values()
    assert task.cancelling
    desk.answer(STOPPED)
    desk.reply("done")

    assert taken(desk)[1:] == [[wire(id_)], [wire(later)]]
    (consumed,) = desk.data_of("message.consumed")
    assert consumed["message_ids"] == [wire(before)]
    (cancelled,) = desk.data_of("turn.cancelled")
    assert cancelled["reason"] == "interrupted"
    assert "rolled_back" not in cancelled


def test_an_interrupt_where_nobody_holds_anything_begins_at_once() -> None:
    desk = at_work()
    desk.call("look", client=("look",))

    id_ = say(desk, "never mind", "interrupt")

    assert taken(desk)[1:] == [[wire(id_)]]
    assert desk.data_of("tool.completed")[0]["status"] == "cancelled"


def test_a_rollback_says_that_its_turn_leaves_the_conversation() -> None:
    desk = at_work()

    id_ = say(desk, "rather this", "rollback")
    desk.answer(STOPPED)

    assert taken(desk)[1:] == [[wire(id_)]]
    assert desk.data_of("turn.cancelled")[0]["rolled_back"] is True
    assert desk.types.count("input.message") == 2, "nobody asked for a cancel in words"


def test_a_message_for_an_idle_session_is_refused_while_a_turn_is_at_work() -> None:
    desk = at_work()
    before = len(desk.types)

    with pytest.raises(SessionBusy):
        say(desk, "only if idle", "reject")

    assert len(desk.types) == before


def test_two_interrupts_in_one_flight_begin_one_turn() -> None:
    desk = at_work()
    ids = [desk.ids.uuid4() for _ in range(2)]

    desk.do_all(*(submitted(desk, "now", "interrupt", id_) for id_ in ids))
    desk.answer(STOPPED)

    assert taken(desk)[1:] == [[wire(id_) for id_ in ids]]


def test_a_cancel_takes_what_steered_and_leaves_what_is_queued() -> None:
    desk = at_work()
    steered, queued = say(desk, "so", "steer"), say(desk, "later", "queue")

    desk.cancel()
    desk.answer(STOPPED)

    (consumed,) = desk.data_of("message.consumed")
    assert consumed["message_ids"] == [wire(steered)]
    assert taken(desk)[1:] == [[wire(queued)]]


def test_a_failed_turn_leaves_what_steered_to_the_next_before_what_is_queued() -> None:
    desk = at_work()
    queued, steered = say(desk, "later", "queue"), say(desk, "so", "steer")

    desk.answer(BROKEN)
    desk.reply("done")

    assert taken(desk)[1:] == [[wire(steered)], [wire(queued)]]


def test_a_queued_message_does_not_disturb_a_turn_that_waits_for_its_client() -> None:
    desk = at_work()
    desk.call("look", client=("look",))

    say(desk, "later", "queue")

    assert desk.head.status is SessionStatus.WAITINGFORTOOLRESULTS
    assert desk.data_of("tool.completed") == []


# ── while it waits ──────────────────────────────────────────────────────────────────────────────


def test_a_withdrawn_message_is_an_input_of_no_turn() -> None:
    desk = at_work()
    gone, kept = say(desk, "gone", "queue"), say(desk, "kept", "queue")

    withdraw(desk, gone)
    assert desk.last is not None
    assert [one.workflow_id for one in desk.last.consumes] == [NOBODY]
    desk.reply("first is done")

    assert taken(desk)[1:] == [[wire(kept)]]


def test_a_withdrawn_steer_lets_its_turn_end() -> None:
    desk = at_work()
    id_ = say(desk, "so", "steer")

    withdraw(desk, id_)
    desk.reply("done")

    assert desk.head.status is SessionStatus.IDLE


def test_messages_are_taken_in_the_order_in_which_they_were_put() -> None:
    desk = at_work()
    one, two, three = (say(desk, text, "queue") for text in ("one", "two", "three"))

    reorder(desk, three, one)
    (told,) = desk.data_of("message.reordered")
    for _ in range(3):
        desk.reply("done")

    assert told["message_ids"] == [wire(three), wire(two), wire(one)]
    assert taken(desk)[1:] == [[wire(three)], [wire(two)], [wire(one)]]


def test_an_order_that_is_so_already_writes_nothing() -> None:
    desk = at_work()
    one, two = say(desk, "one", "queue"), say(desk, "two", "queue")
    before = len(desk.types)

    reorder(desk, one, two)

    assert len(desk.types) == before


def test_what_a_turn_has_taken_is_not_changed_any_more() -> None:
    desk = Desk()
    id_ = say(desk, "first", "steer")

    for change in (withdraw, reorder):
        with pytest.raises(MessageTaken):
            change(desk, id_)
    with pytest.raises(MessageTaken):
        edit(desk, id_, "other")


def test_what_a_paused_turn_stands_for_is_not_changed_any_more() -> None:
    desk = Desk()
    bound(desk, budget(desk, left=0))
    id_ = say(desk, "first", "steer")

    with pytest.raises(MessageTaken):
        withdraw(desk, id_)

    assert [row.message_id for row in desk.view.inbox] == [id_]


def test_a_session_whose_inbox_is_full_refuses_more() -> None:
    desk = at_work()
    for n in range(INBOX_ROWS_MAX):
        say(desk, str(n), "queue")

    with pytest.raises(TooManyRequests):
        say(desk, "one more", "queue")

    assert len(desk.view.inbox) == INBOX_ROWS_MAX


def test_an_edit_is_told_with_the_new_content() -> None:
    desk = at_work()
    id_ = say(desk, "a", "queue")

    edit(desk, id_, "the")

    (told,) = desk.data_of("message.edited")
    assert told == {"message_id": wire(id_), "content": [{"type": "text", "text": "the"}]}
    assert desk.open(TaskKind.REASON)[0].state is TaskState.LEASED
