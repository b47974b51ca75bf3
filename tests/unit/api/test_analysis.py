"""Findings: each rule finds what it is for, and a sound agent has none."""

import pytest

from mainspring_api.domain.analysis import LONG_PROMPT_CHARS, Analysed, analyse
from mainspring_harness.builtin import builtin_registry
from mainspring_harness.capability import Capability, Info
from mainspring_harness.registry import Registry
from mainspring_schema.agents import CapabilityRef, ToolDefinition

TIME = CapabilityRef(ref="current_time")
TOOL = ToolDefinition(name="look_up", description="Looks up.")


def rules(agent: Analysed) -> list[str]:
    return [finding.rule_id for finding in analyse(agent, builtin_registry())]


def test_a_sound_agent_has_no_findings() -> None:
    agent = Analysed(
        system_prompt="You help.",
        capabilities=(TIME,),
        tools=(TOOL,),
        mcp_servers={"docs": {"url": "https://docs.test/mcp"}, "own": {"command": "serve"}},
    )

    assert rules(agent) == []


@pytest.mark.parametrize(
    ("agent", "rule"),
    [
        (Analysed(system_prompt=" "), "prompt.empty"),
        (Analysed(system_prompt="x" * (LONG_PROMPT_CHARS + 1)), "prompt.long"),
        (Analysed(system_prompt="Use sk-abcdefghijklmnop1234."), "prompt.secret"),
        (Analysed(system_prompt="Hello {{name}}."), "prompt.placeholder"),
        (
            Analysed(system_prompt="x", capabilities=(CapabilityRef(ref="nobody"),)),
            "capability.unknown_capability",
        ),
        (Analysed(system_prompt="x", capabilities=(TIME, TIME)), "capability.repeated"),
        (
            Analysed(system_prompt="x", capabilities=(CapabilityRef(ref="noop", config={"a": 1}),)),
            "capability.invalid_capability_config",
        ),
        (Analysed(system_prompt="x", tools=(TOOL, TOOL)), "tool.repeated"),
        (Analysed(system_prompt="x", tools=(ToolDefinition(name="t"),)), "tool.undescribed"),
        (
            Analysed(
                system_prompt="x",
                tools=(ToolDefinition(name="t", description="T", parameters={"type": 3}),),
            ),
            "tool.schema",
        ),
        (
            Analysed(
                system_prompt="x",
                capabilities=(TIME,),
                tools=(ToolDefinition(name="get_current_time", description="Mine."),),
            ),
            "tool.shadows",
        ),
        (Analysed(system_prompt="x", mcp_servers={"a": {}}), "mcp.unreachable"),
        (
            Analysed(system_prompt="x", mcp_servers={"a": {"url": "http://a.test"}}),
            "mcp.plain_http",
        ),
        (
            Analysed(system_prompt="x", mcp_servers={"a b": {"url": "https://a.test"}}),
            "mcp.invalid",
        ),
    ],
)
def test_each_rule_finds_its_fault(agent: Analysed, rule: str) -> None:
    assert rules(agent) == [rule]


def test_two_capabilities_that_bring_the_same_tool_are_told() -> None:
    def bringing(id_: str) -> Capability:
        info = Info(id=id_, name=id_, description=id_, status="available")
        return Capability(info=info, tools=lambda _config: (TOOL,))

    registry = Registry((bringing("first"), bringing("second")))
    refs = (CapabilityRef(ref="first"), CapabilityRef(ref="second"))

    (finding,) = analyse(Analysed(system_prompt="x", capabilities=refs), registry)

    assert (finding.rule_id, finding.severity) == ("capability.capability_conflict", "error")
    assert "'first' and 'second' both bring" in finding.message


def test_a_server_of_the_organization_is_not_looked_for() -> None:
    ref = CapabilityRef(ref="mcp:" + "0" * 32)

    assert rules(Analysed(system_prompt="x", capabilities=(ref, TIME))) == []


def test_a_secret_is_shown_where_it_stands_and_not_repeated() -> None:
    (finding,) = analyse(Analysed(system_prompt="key: ghp_" + "a" * 30), builtin_registry())

    assert (finding.at, finding.start, finding.end) == ("system_prompt", 5, 39)
    assert "ghp_" not in finding.message


def test_a_prompt_full_of_beginnings_of_tokens_is_read_once() -> None:
    agent = Analysed(system_prompt="eyJ-" * 130_000)  # minutes, were each read to the end

    assert rules(agent) == ["prompt.long"]


def test_a_token_is_found_behind_other_words() -> None:
    token = ".".join(("eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiIxMjM0In0", "dozjgNryP4J3jVmN"))

    assert rules(Analysed(system_prompt=f"Authorization: Bearer {token}")) == ["prompt.secret"]
