"""What a capability may leave of a conversation, and what no model can be shown."""

from collections.abc import Callable

import pytest

from mainspring_harness.capability import Capability, Info, Messages, PromptContext
from mainspring_harness.conversation import AssistantMessage, ToolReply, UserMessage
from mainspring_harness.errors import MessageFilterBroken
from mainspring_harness.filtering import filtered
from mainspring_harness.prompt import blueprint
from mainspring_harness.registry import Registry
from mainspring_schema.agents import CapabilityRef, ModelChoice, RuntimeAgent
from mainspring_schema.messages import Json, TextPart, ToolCallPart

ASKED = UserMessage(message_id="m1", content=(TextPart(text="Add."),), consumed_ms=5)
CALLED = AssistantMessage(
    message_id="m2", tool_calls=(ToolCallPart(id="call_1", name="add", arguments={}),)
)
TOLD = ToolReply(tool_call_id="call_1", name="add", text="3")
SAID = AssistantMessage(message_id="m3", text="Three.")
ALL: Messages = (ASKED, CALLED, TOLD, SAID)
Filter = Callable[[Json, PromptContext, Messages], Messages]


def shown(*filters: Filter) -> Messages:
    capabilities = [
        Capability(
            info=Info(id=f"f{index}", name="f", description="f", status="available"), messages=one
        )
        for index, one in enumerate(filters)
    ]
    agent = RuntimeAgent(
        harness_id="h",
        capabilities=tuple(CapabilityRef(ref=one.info.id) for one in capabilities),
        model=ModelChoice(model_id="m", model="m", provider_id="p", driver="d", provider="p"),
        max_iterations=1,
    )
    return filtered(blueprint(agent, Registry(capabilities)), ALL)


def test_each_sees_what_the_one_before_left_and_when_the_newest_input_came() -> None:
    seen: list[tuple[int, int]] = []

    def without_the_last(_config: Json, context: PromptContext, messages: Messages) -> Messages:
        seen.append((context.at_ms, len(messages)))
        return messages[:-1]

    def as_it_is(_config: Json, context: PromptContext, messages: Messages) -> Messages:
        seen.append((context.at_ms, len(messages)))
        return messages

    assert shown(without_the_last, as_it_is) == ALL[:-1]
    assert seen == [(5, 4), (5, 3)]


def test_without_one_it_is_shown_as_it_is() -> None:
    assert shown() == ALL


@pytest.mark.parametrize(
    ("left", "problem"),
    [
        ((), "left no message"),
        ((ASKED, TOLD, SAID), "the result of call_1 without its call"),
        ((ASKED, CALLED, SAID), "left call_1 without its result"),
        ((ASKED, CALLED), "left call_1 without its result"),
    ],
)
def test_what_no_model_can_be_shown_is_refused(left: Messages, problem: str) -> None:
    def leaves(_config: Json, _context: PromptContext, _messages: Messages) -> Messages:
        return left

    with pytest.raises(MessageFilterBroken, match=problem):
        shown(leaves)


def test_one_that_raises_is_told_by_its_kind_alone() -> None:
    def broken(_config: Json, _context: PromptContext, _messages: Messages) -> Messages:
        message = "a secret"
        raise RuntimeError(message)

    with pytest.raises(MessageFilterBroken) as caught:
        shown(broken)

    assert caught.value.detail == "the message filter of 'f0': it raised RuntimeError"
