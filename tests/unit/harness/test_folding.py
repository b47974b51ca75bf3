import pytest

from mainspring_harness.folding import Origin, fold, runtime_agent
from mainspring_kernel import limits
from mainspring_schema.agents import (
    CapabilityRef,
    InitialFile,
    Layer,
    ModelChoice,
    NetworkAccess,
    ToolDefinition,
)

ROOT = Layer(
    origin="harness",
    origin_id="harness_root",
    system_prompt="root",
    capabilities=(CapabilityRef(ref="noop"), CapabilityRef(ref="current_time")),
    initial_files=(InitialFile(path="/a", content="1"), InitialFile(path="/b", content="1")),
    mcp_servers={"one": {"url": "root"}, "two": {"url": "root"}},
    model_id="model_root",
    max_iterations=5,
    parallel_tool_calls=True,
)
CHILD = Layer(origin="harness", origin_id="harness_child", system_prompt="child")
AGENT = Layer(
    origin="agent",
    origin_id="agent_1",
    name="helper",
    system_prompt="agent",
    capabilities=(CapabilityRef(ref="noop", config={"x": 1}), CapabilityRef(ref="test_math")),
    tools=(ToolDefinition(name="t", kind="client_side", description="agent's"),),
    initial_files=(InitialFile(path="/a", content="2"),),
    mcp_servers={"two": {"url": "agent"}},
    model_id="model_agent",
)
SESSION = Layer(
    origin="session",
    origin_id="session_1",
    system_prompt="session",
    tools=(
        ToolDefinition(name="u"),
        ToolDefinition(name="t", kind="client_side", description="session's"),
    ),
    parallel_tool_calls=False,
)
LAYERS = (ROOT, CHILD, AGENT, SESSION)


def test_prompts_are_appended_from_root_harness_to_session() -> None:
    folded = fold(LAYERS)

    assert folded.system_prompt == "root\n\nchild\n\nagent\n\nsession"
    assert [prompt.origin.id for prompt in folded.prompts] == [
        "harness_root",
        "harness_child",
        "agent_1",
        "session_1",
    ]


def test_a_capability_named_again_keeps_its_place_and_takes_the_later_config() -> None:
    folded = fold(LAYERS)

    refs = [(one.value.ref, one.value.config, one.origin.id) for one in folded.capabilities]
    assert refs == [
        ("noop", {"x": 1}, "agent_1"),
        ("current_time", None, "harness_root"),
        ("test_math", None, "agent_1"),
    ]


def test_a_tool_on_agent_and_session_counts_once() -> None:
    folded = fold(LAYERS)

    assert [(tool.value.name, tool.value.description) for tool in folded.tools] == [
        ("t", "session's"),
        ("u", ""),
    ]


def test_files_merge_by_path_and_servers_by_name() -> None:
    folded = fold(LAYERS)

    assert [(file.value.path, file.value.content) for file in folded.initial_files] == [
        ("/a", "2"),
        ("/b", "1"),
    ]
    assert {name: one.value["url"] for name, one in folded.mcp_servers.items()} == {
        "one": "root",
        "two": "agent",
    }


def test_the_nearest_layer_that_says_something_wins() -> None:
    folded = fold(LAYERS)

    assert folded.max_iterations.value == 5
    assert folded.max_iterations.origin.id == "harness_root"
    assert folded.parallel_tool_calls.value is False
    assert folded.parallel_tool_calls.origin.tier == "session"


@pytest.mark.parametrize(
    ("message", "layers", "default", "model", "tier"),
    [
        ("model_m", LAYERS, "model_d", "model_m", "message"),
        (None, LAYERS, "model_d", "model_agent", "agent"),
        (None, (ROOT,), "model_d", "model_root", "harness"),
        (None, (CHILD,), "model_d", "model_d", "default"),
    ],
)
def test_the_model_is_chosen_by_message_then_tiers_then_default(
    message: str | None, layers: tuple[Layer, ...], default: str, model: str, tier: str
) -> None:
    chosen = fold(layers, message_model_id=message, default_model_id=default).model_id

    assert chosen is not None
    assert (chosen.value, chosen.origin.tier) == (model, tier)


def test_without_any_model_there_is_none() -> None:
    assert fold((CHILD,)).model_id is None


@pytest.mark.parametrize(("asked", "given"), [(0, 1), (7, 7), (10**6, limits.TURN_ITERATIONS_MAX)])
def test_iterations_are_kept_within_their_bounds(asked: int, given: int) -> None:
    layer = Layer(origin="agent", origin_id="agent_1", max_iterations=asked)

    assert fold((layer,)).max_iterations.value == given


def test_iterations_have_a_default_of_ours() -> None:
    folded = fold(())

    assert folded.max_iterations.value == limits.TURN_ITERATIONS_DEFAULT
    assert folded.max_iterations.origin == Origin(tier="default")


def test_layers_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="out of order"):
        fold((SESSION, AGENT))


def test_network_rules_narrow_from_tier_to_tier() -> None:
    layers = (
        Layer(
            origin="harness",
            origin_id="h",
            network_access=NetworkAccess(allowed=("*.example.com", "api.test"), blocked=("a",)),
        ),
        Layer(
            origin="session",
            origin_id="s",
            network_access=NetworkAccess(allowed=("www.example.com", "other.test"), blocked=("b",)),
        ),
    )

    rules = fold(layers).network_access

    assert rules == NetworkAccess(allowed=("www.example.com",), blocked=("a", "b"))


def test_the_runtime_agent_holds_the_folded_values() -> None:
    model = ModelChoice(
        model_id="model_1", model="llmsim", provider_id="p", driver="llmsim", provider="Simulator"
    )

    agent = runtime_agent(fold(LAYERS), harness_id="harness_child", model=model, agent_id="agent_1")

    assert agent.system_prompt == "root\n\nchild\n\nagent\n\nsession"
    assert [ref.ref for ref in agent.capabilities] == ["noop", "current_time", "test_math"]
    assert [tool.name for tool in agent.tools] == ["t", "u"]
    assert (agent.max_iterations, agent.parallel_tool_calls) == (5, False)
