"""How a long conversation is told shorter: by laws that hold for every one."""

from hypothesis import given
from hypothesis import strategies as st

from mainspring_harness.builtin import builtin_registry, compaction
from mainspring_harness.compacting import (
    SHRINKS_TO,
    SUMMARY_TOKENS_MAX,
    Compacted,
    Masked,
    Rules,
    Strategy,
    Summarise,
    next_step,
    size,
    summarised,
    view,
)
from mainspring_harness.conversation import (
    AssistantMessage,
    FactsMessage,
    PromptMessage,
    ToolReply,
    UserMessage,
)
from mainspring_schema.agents import CapabilityRef
from mainspring_schema.messages import Json, TextPart, ToolCallPart


def user(text: str) -> UserMessage:
    return UserMessage(message_id=text[:8], content=(TextPart(text=text),))


def call(number: int, chars: int) -> list[PromptMessage]:
    part = ToolCallPart(id=f"c{number}", name="look", arguments={"n": number})
    return [
        AssistantMessage(message_id=f"a{number}", text="I look.", tool_calls=(part,)),
        ToolReply(tool_call_id=part.id, name="look", text="y" * chars),
    ]


def work(rounds: int, chars: int) -> list[PromptMessage]:
    return [user("Do it."), *(one for n in range(rounds) for one in call(n, chars))]


def talk(rounds: int, chars: int) -> list[PromptMessage]:
    return [
        one
        for n in range(rounds)
        for one in (user(f"{n} {'u' * chars}"), AssistantMessage(message_id="a", text="a" * chars))
    ]


def test_what_fits_is_left_alone() -> None:
    assert next_step(work(3, 100), None, Rules(budget_tokens=1_000)) is None
    assert view(work(3, 100), None) == tuple(work(3, 100))


def test_old_outputs_are_left_out_first() -> None:
    messages = work(10, 4_000)
    step = next_step(messages, None, Rules(budget_tokens=5_000))

    assert isinstance(step, Masked)
    told = view(messages, step.made)
    outputs = [one.text for one in told if isinstance(one, ToolReply)]
    assert len(told) == len(messages)
    assert [len(text) == 4_000 for text in outputs] == [False] * 8 + [True] * 2
    assert "4000 characters" in outputs[0]
    assert next_step(messages, step.made, Rules(budget_tokens=5_000)) is None


def test_a_summary_stands_for_the_old_part_and_the_newest_input_stays() -> None:
    messages = work(60, 600)
    rules = Rules(budget_tokens=5_000, strategy="summarization")
    step = next_step(messages, None, rules)

    assert isinstance(step, Summarise)
    told = view(messages, summarised(step, "All was looked at."))
    summary = told[0]
    assert isinstance(summary, FactsMessage)
    assert summary.text.startswith("[CONVERSATION_SUMMARY]")
    assert summary.text.endswith("All was looked at.")
    assert told[1] == messages[0]
    assert told[2:] == tuple(messages[step.covers :])
    assert "User: Do it." in step.text
    assert 'Assistant calls look: {"n":0}' in step.text


def test_a_second_summary_takes_up_the_first() -> None:
    messages = talk(40, 800)
    rules = Rules(budget_tokens=8_000)
    first = next_step(messages, None, rules)
    assert isinstance(first, Summarise)
    made = summarised(first, "What the first one said.")

    longer = [*messages, *talk(40, 800)]
    second = next_step(longer, made, rules)
    assert isinstance(second, Summarise)
    assert "What the first one said." in second.text
    assert second.covers > first.covers


def test_what_cannot_shrink_is_not_tried() -> None:
    one_long = [user("x" * 100_000)]
    masking = Rules(budget_tokens=100, strategy="observation_masking")

    assert next_step(one_long, None, Rules(budget_tokens=100)) is None
    assert next_step(talk(40, 800), None, masking) is None


STRATEGIES = st.sampled_from(["auto", "observation_masking", "summarization"])


@given(
    rounds=st.lists(st.tuples(st.booleans(), st.integers(0, 5_000)), max_size=40),
    budget=st.integers(10, 30_000),
    keep=st.integers(0, 4),
    strategy=STRATEGIES,
)
def test_it_shrinks_strictly_or_stops_and_parts_no_result_from_its_call(
    rounds: list[tuple[bool, int]], budget: int, keep: int, strategy: Strategy
) -> None:
    messages = [user("Begin.")]
    for number, (calls, chars) in enumerate(rounds):
        messages += call(number, chars) if calls else [user("u" * chars)]
    rules = Rules(budget_tokens=budget, keep_outputs=keep, strategy=strategy)
    made: Compacted | None = None

    for _ in range(10):
        before = view(messages, made)
        match next_step(messages, made, rules):
            case None:
                break
            case Masked(made=found):
                made = found
            case Summarise() as step:
                made = summarised(step, "s" * 5 * SUMMARY_TOKENS_MAX * 4)
        after = view(messages, made)
        assert size(after) < size(before)
        check_pairs(after)
    else:
        message = "it did not come to an end"
        raise AssertionError(message)


def check_pairs(messages: tuple[PromptMessage, ...]) -> None:
    called: set[str] = set()
    for message in messages:
        if isinstance(message, AssistantMessage):
            called.update(part.id for part in message.tool_calls)
        if isinstance(message, ToolReply):
            called.remove(message.tool_call_id)
    assert called == set()
    assert any(isinstance(message, UserMessage) for message in messages)


def test_an_agent_chooses_its_rules() -> None:
    config: Json = {
        "strategy": "summarization",
        "context_tokens": 2_000,
        "budget_percent": 0.5,
        "proactive": False,
        "observation_masking": {"keep_recent_tool_outputs": 5},
        "summarization": {"instructions": "Keep names."},
    }
    applied = builtin_registry().resolve((CapabilityRef(ref="compaction", config=config),))

    assert compaction.rules(()) is None
    assert compaction.rules(applied) == Rules(
        strategy="summarization", budget_tokens=1_000, keep_outputs=5, proactive=False,
        instructions="Keep names.",
    )  # fmt: skip
    assert SHRINKS_TO < 1
