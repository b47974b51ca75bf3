"""What guardrails find, and which configurations they refuse."""

import pytest

from mainspring_harness.builtin import builtin_registry, guardrails
from mainspring_harness.errors import InvalidCapabilityConfig
from mainspring_harness.guarding import Rules, Stage, Subject, blocking, hits, judges
from mainspring_schema.agents import CapabilityRef
from mainspring_schema.messages import Json


def rules(*checks: Json, **more: object) -> Rules:
    config: Json = {"checks": list(checks), **more}
    applied = builtin_registry().resolve((CapabilityRef(ref="guardrails", config=config),))
    found = guardrails.rules(applied)
    assert found is not None
    return found


def found(check: Json, text: str, stage: Stage = "output", tool: str | None = None) -> list[str]:
    subject = Subject(stage=stage, text=text, tool_name=tool)
    return [hit.matched or hit.reason_code for hit in hits(rules(check), subject)]


def test_a_pattern_is_found_anywhere() -> None:
    check: Json = {"type": "regex", "pattern": r"(?i)\bkey-\d+", "reason_code": "key"}

    assert found(check, "It is KEY-12.") == ["key"]
    assert found(check, "It is monkey-12.") == []


def test_a_word_is_found_as_a_word_in_whatever_case() -> None:
    check: Json = {"type": "blocklist", "words": ["C++", "ass"]}

    assert found(check, "I like c++.") == ["C++"]
    assert found(check, "a class of grass") == []
    assert found(check, "ASS") == ["ass"]


def test_a_tool_is_found_by_its_name_and_what_it_is_sent() -> None:
    check: Json = {"type": "tool_pattern", "tools": ["bash", "delete_*"], "pattern": "rm -rf"}

    assert found(check, "rm -rf /", "tool_use", "bash") == ["bash"]
    assert found(check, "ls", "tool_use", "bash") == []
    assert found(check, "rm -rf /", "tool_use", "read_file") == []
    assert found(check, "rm -rf /") == []


def test_a_check_looks_at_its_stages_only() -> None:
    check: Json = {"type": "regex", "pattern": "x", "stages": ["tool_output"]}

    assert found(check, "x") == []
    assert found(check, "x", "tool_output", "t") == ["guardrail_regex"]


def test_only_an_active_check_that_is_to_block_blocks() -> None:
    both = rules(
        {"type": "regex", "pattern": "x", "action": "log"},
        {"type": "regex", "pattern": "x", "mode": "advisory"},
        {"type": "regex", "pattern": "x", "id": "third"},
    )
    all_ = hits(both, Subject(stage="output", text="x"))
    hit = blocking(all_)

    assert [one.blocks for one in all_] == [False, False, True]
    assert hit is not None
    assert (hit.check_id, all_[0].check_id) == ("third", "check_1")


def test_what_only_a_model_can_judge_is_named() -> None:
    asked = rules({"type": "llm_judge", "instructions": "Advice.", "stages": ["output"]})

    assert [index for index, _ in judges(asked, Subject(stage="output", text="x"))] == [0]
    assert judges(asked, Subject(stage="tool_use", text="x")) == ()
    assert hits(asked, Subject(stage="output", text="x")) == ()


def test_a_pattern_that_would_backtrack_forever_ends_at_once() -> None:
    check: Json = {"type": "regex", "pattern": "^(a+)+$"}

    assert found(check, "a" * 100_000 + "b") == []


@pytest.mark.parametrize(
    "check",
    [
        {"type": "regex"},
        {"type": "regex", "pattern": "(a"},
        {"type": "regex", "pattern": "(?=a)b"},
        {"type": "blocklist", "words": []},
        {"type": "tool_pattern", "pattern": "x"},
        {"type": "llm_judge"},
        {"type": "moderation"},
        {"type": "regex", "pattern": "x", "stages": ["input"]},
        {"type": "regex", "pattern": "x", "unknown": 1},
    ],
)
def test_a_configuration_that_could_not_guard_is_refused(check: Json) -> None:
    with pytest.raises(InvalidCapabilityConfig):
        rules(check)


def test_every_example_can_be_adopted() -> None:
    for example in guardrails.EXAMPLES:
        ref = CapabilityRef(ref="guardrails", config=example.config)
        assert builtin_registry().resolve((ref,))
        assert example.rules.checks
