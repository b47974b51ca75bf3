import pytest
from msgspec import UNSET

from mainspring_harness.messages_view import messages_view, result_message_id
from mainspring_kernel.ids import from_wire
from mainspring_schema.delivery import MessageConsumed, MessageEdited, MessageWithdrawn
from mainspring_schema.messages import TextPart, ToolResultPart
from tests.unit.harness.conversations import TURN, Log, message_id


def ids(log: Log) -> list[str]:
    return [message.id for message in messages_view(log.events)]


def test_messages_stand_in_the_order_the_model_reads_them() -> None:
    log = Log().input(1, "go").reason(1).input(2, "steer").answer(3, calls=["c1"]).result("c1")
    log.reason(2).answer(4, "done")

    assert ids(log) == [
        message_id(1),
        message_id(3),
        result_message_id("c1"),
        message_id(2),
        message_id(4),
    ]


def test_what_waits_is_shown_at_the_end() -> None:
    log = Log().input(1, "go").reason(1).input(2, "steer").answer(3, calls=["c1", "c2"])
    log.result("c2")

    assert ids(log) == [message_id(1), message_id(3), result_message_id("c2"), message_id(2)]


def test_an_input_of_a_cancelled_turn_stays_where_the_turn_ended() -> None:
    log = Log().input(1, "go").reason(1).input(2, "unseen")
    log.add("turn.cancelled", {"turn_id": "t"}).input(3, "next").reason(3).answer(4, "ok")

    assert ids(log) == [message_id(1), message_id(2), message_id(3), message_id(4)]


def test_an_input_consumed_after_a_cancel_is_shown_once() -> None:
    log = Log().input(1, "go").reason(1).input(2, "late")
    log.add("turn.cancelled", {"turn_id": "t"}).reason(2).answer(4, "ok")

    assert ids(log) == [message_id(1), message_id(2), message_id(4)]


def test_what_the_engine_says_of_a_cancel_stands_where_the_turn_ended() -> None:
    log = Log().input(1, "go", about=1).reason(1).add("turn.cancelled", {"turn_id": "t"})
    log.input(2, "I asked to cancel.", about=1).answer(3, "It was cancelled.")
    log.input(4, "next", about=4).reason(4).answer(5, "ok")

    assert ids(log) == [message_id(number) for number in range(1, 6)]


def test_a_turn_that_was_rolled_back_is_not_shown_but_what_waited_is() -> None:
    log = Log().input(1, "hi").add("turn.started", {}).reason(1).answer(2, "hello")
    log.input(3, "go").add("turn.started", {}).reason(3).answer(4, calls=["c1"]).result("c1")
    log.input(5, "queued").input(6, "rather")
    log.add("turn.cancelled", {"turn_id": "t", "rolled_back": True})
    log.add("turn.started", {}).reason(6).answer(7, "ok")

    assert ids(log) == [message_id(number) for number in (1, 2, 5, 6, 7)]


def cancelled_with_a_message_unseen(*, rolled_back: bool) -> Log:
    log = Log().input(1, "hi").add("turn.started", {}).reason(1).answer(2, calls=["c1"])
    log.input(3, "queued").input(4, "steer")
    consumed = MessageConsumed(turn_id=TURN, message_ids=(message_id(4),), reason="user")
    log.add("message.consumed", consumed).input(5, "rather").result("c1")
    return log.add("turn.cancelled", {"turn_id": TURN, "rolled_back": rolled_back})


def test_what_a_turn_took_along_unseen_that_was_rolled_back_is_not_shown() -> None:
    log = cancelled_with_a_message_unseen(rolled_back=True)

    assert ids(log) == [message_id(3), message_id(5)]


@pytest.mark.parametrize("read", [(), (5,)])
def test_a_fork_shows_nothing_that_waited_behind_a_cancelled_turn(read: tuple[int, ...]) -> None:
    log = cancelled_with_a_message_unseen(rolled_back=False).add("turn.started", {})
    if read:
        log.reason(*read)
    log.add("session.forked", {}).input(6, "hello").reason(6)

    shown = [message_id(1), message_id(2), result_message_id("c1"), message_id(4)]
    assert ids(log) == [*shown, *map(message_id, read), message_id(6)]


def queued_behind_a_cancelled_turn() -> Log:
    log = Log().input(1, "go").reason(1).input(2, "queued")
    return log.add("turn.cancelled", {"turn_id": "t"}).input(3, "next").reason(3).answer(4, "ok")


def test_an_input_that_waited_for_longer_than_a_cancelled_turn_stands_where_it_was_read() -> None:
    log = queued_behind_a_cancelled_turn().reason(2).answer(5, "ok")

    assert ids(log) == [message_id(number) for number in (1, 3, 4, 2, 5)]


@pytest.mark.parametrize("is_read", [True, False])
def test_what_is_edited_behind_a_cancelled_turn_is_shown_as_it_reads_now(*, is_read: bool) -> None:
    log = queued_behind_a_cancelled_turn()
    rather = (TextPart(text="rather"),)
    log.add("message.edited", MessageEdited(message_id=message_id(2), content=rather))
    if is_read:
        log.reason(2)

    (shown,) = (one for one in messages_view(log.events) if one.id == message_id(2))

    assert shown.content == rather


def test_what_is_withdrawn_behind_a_cancelled_turn_is_not_shown() -> None:
    log = queued_behind_a_cancelled_turn()
    log.add("message.withdrawn", MessageWithdrawn(message_id=message_id(2)))

    assert ids(log) == [message_id(number) for number in (1, 3, 4)]


def test_a_failure_is_shown() -> None:
    log = Log().input(1, "go").reason(1).answer(2, "Sorry.", error_code="processing_error")

    assert ids(log) == [message_id(1), message_id(2)]


def test_opaque_reasoning_is_stripped() -> None:
    log = Log().input(1, "go").reason(1).answer(2, "yes", thinking="hm", signature="sig")

    answer = messages_view(log.events)[1]

    assert (answer.thinking, answer.thinking_signature) == ("hm", UNSET)


def test_a_result_is_a_message_with_the_value_the_tool_gave() -> None:
    log = Log().input(1, "go").reason(1).answer(2, calls=["c1", "c2", "c3"])
    log.result("c1", '{"sum": 3}').result("c2", "plain").result("c3", error="no luck")

    results = messages_view(log.events)[2:]

    assert [message.role for message in results] == ["tool_result"] * 3
    assert results[0].created_at == "2023-11-14T22:13:24.000Z"
    assert [message.content[0] for message in results] == [
        ToolResultPart(tool_call_id="c1", result={"sum": 3}),
        ToolResultPart(tool_call_id="c2", result="plain"),
        ToolResultPart(tool_call_id="c3", error="no luck"),
    ]


def test_a_results_id_is_a_message_id_and_stable() -> None:
    assert from_wire("message", result_message_id("c1"))
    assert result_message_id("c1") == result_message_id("c1") != result_message_id("c2")
