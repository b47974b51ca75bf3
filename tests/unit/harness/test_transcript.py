import pytest

from mainspring_harness.conversation import (
    AssistantMessage,
    PromptMessage,
    ToolReply,
    UserMessage,
)
from mainspring_harness.errors import TranscriptBroken
from mainspring_harness.messages_view import messages_view
from mainspring_harness.transcript import Transcript
from mainspring_schema.appeals import ApprovalResolved, Decision
from mainspring_schema.delivery import MessageEdited, MessageWithdrawn
from mainspring_schema.messages import TextPart, text_of
from tests.unit.harness.conversations import TURN, Log, message_id


def fold(log: Log) -> Transcript:
    transcript = Transcript()
    transcript.take(log.events)
    return transcript


def sketch(messages: tuple[PromptMessage, ...]) -> list[str]:
    """Who says what, in one word each."""
    words: list[str] = []
    for message in messages:
        match message:
            case UserMessage():
                words.append(f"user {message.text}")
            case AssistantMessage():
                calls = " ".join(call.id for call in message.tool_calls)
                words.append(f"model {message.text}{calls}")
            case ToolReply():
                words.append(f"tool {message.tool_call_id} {message.text}")
            case _:
                words.append("facts")
    return words


def test_an_input_stands_where_it_was_consumed() -> None:
    log = Log().input(1, "first").reason(1).input(2, "steer").answer(3, calls=["c1"]).result("c1")
    log.reason(2).answer(4, "done")

    assert sketch(fold(log).messages()) == [
        "user first",
        "model c1",
        "tool c1 3",
        "user steer",
        "model done",
    ]


def test_an_input_nobody_consumed_is_in_no_prompt() -> None:
    log = Log().input(1, "first").reason(1).input(2, "waiting")

    assert sketch(fold(log).messages()) == ["user first"]


def test_results_stand_in_call_order() -> None:
    log = Log().input(1, "go").reason(1).answer(2, calls=["c1", "c2", "c3"])
    log.result("c3", "z").result("c1", "x").result("c2", "y")

    assert sketch(fold(log).messages())[2:] == ["tool c1 x", "tool c2 y", "tool c3 z"]


def test_no_prompt_while_a_call_lacks_its_result() -> None:
    log = Log().input(1, "go").reason(1).answer(2, calls=["c1", "c2"]).result("c2")

    with pytest.raises(TranscriptBroken, match="without a result: c1"):
        fold(log).messages()


def test_a_model_call_beside_an_open_call_is_refused() -> None:
    log = Log().input(1, "go").reason(1).answer(2, calls=["c1"]).reason()

    with pytest.raises(TranscriptBroken, match="c1"):
        fold(log)


def test_only_the_first_result_of_a_call_counts() -> None:
    log = Log().input(1, "go").reason(1).answer(2, calls=["c1"]).result("c1", "x").result("c1", "y")

    assert sketch(fold(log).messages())[2:] == ["tool c1 x"]


def test_an_error_is_what_the_model_reads() -> None:
    log = Log().input(1, "go").reason(1).answer(2, calls=["c1"]).result("c1", error="no luck")

    reply = fold(log).messages()[2]

    assert isinstance(reply, ToolReply)
    assert (reply.text, reply.status) == ('{"error":"no luck"}', "error")


def test_the_text_of_a_failure_is_not_the_models() -> None:
    log = Log().input(1, "go").reason(1).answer(2, "Sorry.", error_code="processing_error")

    assert sketch(fold(log).messages()) == ["user go"]


def test_reasoning_is_kept_with_the_provider_that_made_it() -> None:
    log = Log().input(1, "go").reason(1).answer(2, "yes", thinking="hm", signature="sig")

    answer = fold(log).messages()[1]

    assert isinstance(answer, AssistantMessage)
    assert (answer.thinking, answer.thinking_signature) == ("hm", "sig")
    assert answer.model is not None
    assert answer.model.provider_id == "provider_1"


def test_a_gap_is_refused() -> None:
    log = Log().input(1, "go").reason(1).answer(2, "yes")
    transcript = Transcript()

    with pytest.raises(TranscriptBroken, match="event 3 follows 1"):
        transcript.take([log.events[0], log.events[2]])


def test_events_taken_before_are_passed_over() -> None:
    log = Log().input(1, "go").reason(1).answer(2, "yes")
    transcript = fold(log)

    transcript.take(log.events)

    assert sketch(transcript.messages()) == ["user go", "model yes"]
    assert transcript.position == 3


def test_a_payload_that_cannot_be_read_names_its_event() -> None:
    log = Log().add("input.message", {"message": 1})

    with pytest.raises(TranscriptBroken, match="event 1 "):
        fold(log)


def test_a_copy_goes_its_own_way() -> None:
    log = Log().input(1, "go").reason(1)
    transcript = fold(log)
    twin = transcript.copy()

    twin.take(log.answer(2, "yes").events)

    assert sketch(transcript.messages()) == ["user go"]
    assert sketch(twin.messages()) == ["user go", "model yes"]
    assert transcript.digest != twin.digest


def test_a_cancelled_turns_unseen_input_may_still_be_taken_up() -> None:
    log = Log().input(1, "go").input(2, "late").reason(1)
    log.add("turn.cancelled", {"turn_id": "t"}).reason(2)

    assert sketch(fold(log).messages()) == ["user go", "user late"]


def resolved(call: str, decision: Decision, *, a: int | None = None) -> ApprovalResolved:
    return ApprovalResolved(
        turn_id=TURN,
        tool_call_id=call,
        tool_name="add",
        outcome="allowed",
        decision=decision,
        arguments=None if a is None else {"a": a},
    )


def test_a_model_reads_its_call_as_a_person_has_edited_it() -> None:
    log = Log().input(1, "add").reason(1).answer(2, calls=["c1", "c2"])
    log.add("approval.resolved", resolved("c2", "allow", a=9)).result("c2").result("c1")

    once = fold(log)
    twice = Transcript()
    for event in log.events:
        twice = twice.copy()
        twice.take([event])

    asked = once.messages()[1]
    assert isinstance(asked, AssistantMessage)
    assert [call.arguments for call in asked.tool_calls] == [{"a": 1, "b": 2}, {"a": 9}]
    assert (twice.messages(), twice.digest) == (once.messages(), once.digest)


def test_only_decisions_for_good_are_kept() -> None:
    log = Log().input(1, "add").reason(1).answer(2, calls=["c1", "c2"])
    log.add("approval.resolved", resolved("c1", "allow"))
    assert fold(log).rules == {}

    log.add("approval.resolved", resolved("c2", "allow_always"))

    assert fold(log).copy().rules == {"add": "allow_always"}


def test_a_waiting_message_is_read_as_it_was_edited_and_a_withdrawn_one_by_nobody() -> None:
    log = Log().input(1, "a").input(2, "gone")
    edited = MessageEdited(message_id=message_id(1), content=(TextPart(text="the"),))
    log.add("message.edited", edited)
    log.add("message.withdrawn", MessageWithdrawn(message_id=message_id(2)))
    log.reason(1, 2)

    assert sketch(fold(log).messages()) == ["user the"]
    assert [text_of(message.content) for message in messages_view(log.events)] == ["the"]


def test_a_turn_that_is_rolled_back_leaves_the_conversation_and_what_it_told_shorter() -> None:
    log = Log().add("turn.started", {}).input(1, "first").reason(1).answer(2, "one")
    log.add("turn.started", {}).input(3, "second").reason(3).answer(4, calls=["c1"]).result("c1")
    log.add("context.compacted", {"covers": 3, "summary": "all of it"})
    log.add("turn.cancelled", {"reason": "rolled_back", "rolled_back": True})
    log.add("turn.started", {}).input(5, "rather").reason(5)

    transcript = fold(log)

    assert sketch(transcript.messages()) == ["user first", "model one", "user rather"]
    assert transcript.made is None
    assert transcript.copy().digest == transcript.digest


def test_a_turn_that_is_only_cancelled_stays_in_the_conversation() -> None:
    log = Log().add("turn.started", {}).input(1, "first").reason(1).answer(2, "so far")
    log.add("turn.cancelled", {"reason": "user"})

    assert sketch(fold(log).messages()) == ["user first", "model so far"]
