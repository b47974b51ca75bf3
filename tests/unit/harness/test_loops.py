import pytest

from mainspring_harness.builtin import loop_detection
from mainspring_harness.builtin.loop_detection import LOOP_DETECTION
from mainspring_harness.capability import Applied
from mainspring_harness.conversation import AssistantMessage, PromptMessage, ToolReply, UserMessage
from mainspring_harness.loops import MARK, without_loops
from mainspring_schema.messages import ToolCallPart
from mainspring_schema.tasks import ToolCall

ASKED = UserMessage(message_id="m", content=())


def made(
    text: str, arguments: dict[str, object] | None = None, name: str = "look"
) -> list[PromptMessage]:
    """A call and its outcome."""
    part = ToolCallPart(id=f"call_{text}", name=name, arguments=arguments or {"a": 1})
    return [
        AssistantMessage(message_id="m", tool_calls=(part,)),
        ToolReply(tool_call_id=part.id, name=name, text=text),
    ]


def refused(*rounds: list[PromptMessage], call: ToolCall | None = None) -> bool:
    wanted = call or ToolCall(id="c", name="look", arguments={"a": 1})
    messages: list[PromptMessage] = [ASKED, *(one for round_ in rounds for one in round_)]
    (checked,) = without_loops([wanted], messages, threshold=3)
    return checked.problem is not None and checked.problem.startswith(MARK)


def test_the_third_call_with_the_same_outcome_is_refused() -> None:
    assert not refused()
    assert not refused(made("same"))
    assert refused(made("same"), made("same"))


def test_a_call_whose_outcome_changes_is_no_loop() -> None:
    assert not refused(made("one"), made("two"), made("three"))
    assert not refused(made("same"), made("same"), made("new"))


def test_other_arguments_in_between_end_a_loop_and_other_tools_do_not() -> None:
    assert not refused(made("same"), made("other", {"a": 2}), made("same"))
    assert refused(made("same"), made("x", name="other"), made("same"))


def test_a_refusal_is_one_more_round() -> None:
    assert refused(made("same"), made("same"), made(f'{{"error":"{MARK}: ..."}}'))


def test_what_people_ask_for_again_is_done_again() -> None:
    assert not refused(made("same"), [*made("same"), ASKED])


def test_a_call_that_has_a_problem_keeps_it() -> None:
    call = ToolCall(id="c", name="look", arguments={"a": 1}, problem="unknown tool")

    assert not refused(made("same"), made("same"), call=call)


@pytest.mark.parametrize(("config", "expected"), [({}, 3), ({"threshold": 5}, 5)])
def test_the_threshold_is_that_of_the_configuration(
    config: dict[str, object], expected: int
) -> None:
    applied = Applied(capability=LOOP_DETECTION, config=config)

    assert loop_detection.threshold((applied,)) == expected
    assert loop_detection.threshold(()) is None
