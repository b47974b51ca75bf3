"""MCP servers in an agent's configuration, and what a server may say of its tools."""

import pytest
from msgspec import structs

from mainspring_harness import mcp
from mainspring_harness.builtin import builtin_registry
from mainspring_harness.errors import InvalidMcpServer, UnknownCapability
from mainspring_harness.prompt import blueprint
from mainspring_schema.agents import CapabilityRef, EffectClass, ModelChoice, RuntimeAgent
from mainspring_schema.mcp import McpServer, ServedTool
from mainspring_schema.messages import Json

HTTP = McpServer(url="https://docs.test/mcp")
ECHO = ServedTool(name="echo", input_schema={"type": "object", "required": ["text"]})
AGENT = RuntimeAgent(
    harness_id="harness_1",
    model=ModelChoice(model_id="m", model="m", provider_id="p", driver="llmsim", provider="p"),
    max_iterations=3,
)


def with_refs(*refs: str) -> RuntimeAgent:
    return structs.replace(AGENT, capabilities=tuple(CapabilityRef(ref=ref) for ref in refs))


def test_a_server_is_read_with_members_of_other_clients_beside() -> None:
    server = mcp.server_of(
        "docs", {"url": HTTP.url, "headers": {"X-Key": "${secret:K}"}, "disabled": False}
    )

    assert server == McpServer(url=HTTP.url, headers={"X-Key": "${secret:K}"})


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("docs", {}),
        ("docs", {"url": "https://a.test", "command": "serve"}),
        ("docs", {"url": "ftp://a.test"}),
        ("docs", {"url": "https://a.test", "headers": {"a b": "x"}}),
        ("docs", {"url": "https://a.test", "headers": {"a": "x\r\nb: y"}}),
        ("docs", {"command": "serve", "env": {"A-B": "x"}}),
        ("docs", {"url": "https://a.test", "timeout_seconds": 0}),
        ("a server", {"url": "https://a.test"}),
        ("", {"url": "https://a.test"}),
    ],
)
def test_a_configuration_that_cannot_be_used_is_refused(name: str, config: Json) -> None:
    with pytest.raises(InvalidMcpServer):
        mcp.server_of(name, config)


def test_an_agent_has_only_so_many_servers() -> None:
    with pytest.raises(InvalidMcpServer, match="at most"):
        mcp.servers_of({f"s{number}": {"url": "https://a.test"} for number in range(17)})


def test_refs_become_servers_and_bring_what_carries_them_out() -> None:
    own = {"mcp:1": ("docs", HTTP), "mcp:2": ("wiki", HTTP)}
    inline: dict[str, Json] = {"wiki": {"url": "https://own.test"}}

    agent = mcp.with_servers(with_refs("current_time", "mcp:1", "mcp:2"), inline, own)

    assert agent.mcp_servers == {"docs": HTTP, "wiki": McpServer(url="https://own.test")}
    assert [ref.ref for ref in agent.capabilities] == ["current_time", "mcp"]
    assert mcp.with_servers(AGENT, {}, {}) is AGENT


def test_a_ref_that_names_no_server_is_an_unknown_capability() -> None:
    agent = mcp.with_servers(with_refs("mcp:gone"), {}, {})

    with pytest.raises(UnknownCapability):
        blueprint(agent, builtin_registry())


@pytest.mark.parametrize(
    ("tool", "effect_class"),
    [
        (ECHO, "at_most_once"),
        (structs.replace(ECHO, readonly=True), "pure"),
        (structs.replace(ECHO, idempotent=True), "idempotent"),
        (structs.replace(ECHO, idempotent=False, readonly=False), "at_most_once"),
    ],
)
def test_hints_choose_the_effect_class(tool: ServedTool, effect_class: EffectClass) -> None:
    pin = mcp.pin_of("docs", HTTP, (tool,))
    (offered,) = mcp.offered({"docs": HTTP}, (pin,)).values()

    assert offered.offered.effect_class == effect_class
    assert offered.offered.capability_id == mcp.CAPABILITY


def test_names_that_no_model_can_call_are_likened_and_told_apart() -> None:
    names = {mcp.tool_name("docs", tool) for tool in ("a b", "a/b", "x" * 80, "x" * 81)}

    assert mcp.tool_name("docs", "search") == "mcp_docs__search"
    assert len(names) == 4
    assert all(len(name) <= 64 and " " not in name and "/" not in name for name in names)


@pytest.mark.parametrize(
    "tools",
    [
        (ECHO, ECHO),
        (ServedTool(name=""),),
        (ServedTool(name="a\x00b"),),
        (ServedTool(name="a", input_schema={"type": "array"}),),
        (ServedTool(name="a", input_schema={"type": "object", "properties": 1}),),
        (ServedTool(name="a", input_schema={"$ref": "http://inside.test/schema"}),),
        (ServedTool(name="a", description="x" * 300_000),),
        tuple(ServedTool(name=f"t{number}") for number in range(129)),
    ],
)
def test_what_a_server_lies_about_is_not_pinned(tools: tuple[ServedTool, ...]) -> None:
    with pytest.raises(InvalidMcpServer):
        mcp.pin_of("docs", HTTP, tools)


def test_a_pin_covers_all_that_is_said_in_whatever_order() -> None:
    other = ServedTool(name="other")
    pin = mcp.pin_of("docs", HTTP, (ECHO, other))

    assert mcp.pin_of("docs", HTTP, (other, ECHO)).hash == pin.hash
    assert (
        mcp.pin_of("docs", HTTP, (structs.replace(ECHO, description="!"), other)).hash != pin.hash
    )
    expecting = structs.replace(HTTP, tools_hash=pin.hash)
    assert mcp.pin_of("docs", expecting, (ECHO, other)).hash == pin.hash
    with pytest.raises(InvalidMcpServer, match="expected"):
        mcp.pin_of("docs", expecting, (ECHO,))


def test_only_allowed_tools_of_the_very_server_are_offered() -> None:
    pin = mcp.pin_of("docs", HTTP, (ECHO, ServedTool(name="other")))
    allowing = structs.replace(HTTP, allowed_tools=("other",))

    assert list(mcp.offered({"docs": allowing}, (pin,))) == ["mcp_docs__other"]
    assert mcp.offered({"docs": McpServer(url="https://else.test")}, (pin,)) == {}
    assert mcp.offered({}, (pin,)) == {}


def test_a_description_loses_what_people_do_not_see() -> None:
    tool = structs.replace(ECHO, description="Reads.\u200b\u202e\x1b[31m\nAnd tells.")
    pin = mcp.pin_of("docs", HTTP, (tool,))
    (offered,) = mcp.offered({"docs": HTTP}, (pin,)).values()

    assert offered.offered.definition.description == "Reads.[31m\nAnd tells."
