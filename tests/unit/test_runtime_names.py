"""A test per generation, and one against the rest of the file."""

import pytest

from mainspring_runtime import names
from mainspring_runtime.names import Generation, Instrument


@pytest.mark.parametrize(
    ("opt_in", "generation"),
    [
        ("", Generation.G2),
        ("http", Generation.G2),
        ("gen_ai_latest_experimental", Generation.G2),
        ("http, gen_ai_1_41", Generation.G1),
        ("gen_ai/dup", Generation.BOTH),
        ("gen_ai_1_41,gen_ai/dup", Generation.BOTH),
    ],
)
def test_the_generation_follows_the_opt_in(opt_in: str, generation: Generation) -> None:
    assert names.generation_of(opt_in) is generation


CALL = {
    names.OPERATION_NAME: "chat",
    names.PROVIDER_NAME: "llmsim",
    names.USAGE_CACHE_WRITE: 3,
    names.CONVERSATION_COMPACTED: True,
}


def test_g2_keeps_its_own_names() -> None:
    assert names.translate(CALL, Generation.G2) == CALL


def test_g1_gets_the_old_names_and_nothing_it_does_not_know() -> None:
    assert names.translate(CALL, Generation.G1) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "llmsim",
        "gen_ai.usage.cache_creation.input_tokens": 3,
    }


def test_both_generations_stand_side_by_side() -> None:
    both = names.translate(CALL, Generation.BOTH)

    assert both.items() >= names.translate(CALL, Generation.G1).items()
    assert both.items() >= CALL.items()


def test_a_turns_span_says_less_in_g2() -> None:
    turn = {names.OPERATION_NAME: "invoke_agent", names.AGENT_ID: "agent_1", names.AGENT_NAME: "a"}

    assert names.AGENT_ID not in names.translate(turn, Generation.G2)
    assert names.translate(turn, Generation.G1) == turn


def test_a_metric_is_recorded_under_the_names_of_its_generation() -> None:
    duration = names.MODEL_DURATION

    assert duration.emitted(Generation.G2) == ("gen_ai.client.inference.duration",)
    assert duration.emitted(Generation.G1) == ("gen_ai.client.operation.duration",)
    assert duration.emitted(Generation.BOTH) == (
        "gen_ai.client.inference.duration",
        "gen_ai.client.operation.duration",
    )
    assert names.TOKEN_USAGE.emitted(Generation.G2) == ()
    assert names.TOOL_DURATION.emitted(Generation.BOTH) == ("gen_ai.execute_tool.duration",)


def test_no_two_metrics_share_a_name_and_each_lies_in_a_known_space() -> None:
    values: list[object] = list(vars(names).values())
    instruments = [each for each in values if isinstance(each, Instrument)]

    spelled = [name for each in instruments for name in each.emitted(Generation.BOTH)]

    assert len(instruments) > 15
    assert len(spelled) == len(set(spelled))
    spaces = ("gen_ai.", "http.", "mainspring.", "process.")
    assert all(name.startswith(spaces) for name in spelled)


def test_span_names_follow_the_conventions() -> None:
    assert names.agent_span("helper") == "invoke_agent helper"
    assert names.agent_span(None) == "invoke_agent"
    assert names.chat_span("m") == "chat m"
    assert names.tool_span("add") == "execute_tool add"
