"""What of a long conversation a prompt shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring_harness.builtin import builtin_registry, infinity_context
from mainspring_harness.conversation import (
    AssistantMessage,
    FactsMessage,
    PromptMessage,
    ToolReply,
    UserMessage,
)
from mainspring_harness.errors import InvalidCapabilityConfig
from mainspring_harness.windows import Window, begin, shown, tokens
from mainspring_schema.agents import CapabilityRef
from mainspring_schema.messages import Json, TextPart, ToolCallPart


def user(number: int, chars: int = 40) -> UserMessage:
    return UserMessage(message_id=f"m{number}", content=(TextPart(text="x" * chars),))


def call(number: int) -> list[PromptMessage]:
    part = ToolCallPart(id=f"c{number}", name="look", arguments={})
    return [
        AssistantMessage(message_id=f"a{number}", tool_calls=(part,)),
        ToolReply(tool_call_id=part.id, name="look", text="y" * 40),
    ]


def long(rounds: int) -> list[PromptMessage]:
    return [one for n in range(rounds) for one in (user(n), *call(n))]


def test_a_conversation_that_fits_is_shown_whole() -> None:
    messages = long(5)

    assert shown(messages, Window()) == tuple(messages)


def test_the_end_is_shown_with_a_notice_of_what_is_hidden() -> None:
    messages = long(200)

    view = shown(messages, Window(budget_tokens=1_000, first=1))
    notice = view[1]
    assert isinstance(notice, FactsMessage)
    assert view[0] == messages[0]
    assert f"Messages 2 to {len(messages) - len(view) + 2} of" in notice.text
    assert view[2:] == tuple(messages[-(len(view) - 2) :])
    assert sum(tokens(one) for one in view[2:]) <= 1_000


def test_the_window_moves_in_strides_so_that_the_prefix_stays() -> None:
    messages = long(200)
    starts = {len(messages[:n]) - len(shown(messages[:n], Window(budget_tokens=2_000))) + 1
              for n in range(500, 520)}  # fmt: skip

    assert len(starts) <= 3


def test_recent_messages_are_shown_whatever_they_take() -> None:
    messages: list[PromptMessage] = [user(n, 4_000) for n in range(20)]

    view = shown(messages, Window(budget_tokens=500, recent_min=4))
    assert view[1:] == tuple(messages[-4:])


def test_what_the_turn_was_asked_is_shown_however_long_it_works() -> None:
    work = [one for n in range(50) for one in call(n)]
    messages = [*long(3), user(99), *work]

    _, notice, asked, *rest = shown(messages, Window(budget_tokens=500, recent_min=4, first=1))
    assert asked == user(99)
    assert isinstance(notice, FactsMessage)
    assert "but for the newest request, which follows" in notice.text
    assert rest == messages[-len(rest) :]
    # At the beginning of the conversation it is shown already, and then not twice.
    view = shown([user(0), *work], Window(budget_tokens=500, recent_min=4, first=1))
    assert view.count(user(0)) == 1


@given(rounds=st.integers(0, 60), budget=st.integers(1, 2_000), first=st.integers(0, 16))
def test_no_result_is_shown_without_its_call(rounds: int, budget: int, first: int) -> None:
    view = shown(long(rounds), Window(budget_tokens=budget, recent_min=1, first=first))

    called: set[str] = set()
    for message in view:
        if isinstance(message, AssistantMessage):
            called.update(part.id for part in message.tool_calls)
        if isinstance(message, ToolReply):
            assert message.tool_call_id in called
            called.remove(message.tool_call_id)
    assert called == set()


def test_a_place_between_call_and_result_moves_before_the_call() -> None:
    messages = long(2)

    assert [begin(messages, at) for at in range(7)] == [0, 1, 1, 3, 4, 4, 6]


def test_an_agent_chooses_its_window() -> None:
    config: Json = {
        "context_budget_tokens": 900,
        "keep_first_messages": 2,
        "max_recent_messages": 20,
    }
    applied = builtin_registry().resolve((CapabilityRef(ref="infinity_context", config=config),))

    assert infinity_context.window(()) is None
    assert infinity_context.window(applied) == Window(budget_tokens=900, recent_max=20, first=2)
    with pytest.raises(InvalidCapabilityConfig):
        builtin_registry().resolve(
            (CapabilityRef(ref="infinity_context",
                           config={"min_recent_messages": 5, "max_recent_messages": 4}),)
        )  # fmt: skip
