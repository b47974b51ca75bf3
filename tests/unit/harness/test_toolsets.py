"""Announced tools as capabilities of an agent."""

from uuid import UUID

import msgspec
import pytest

from mainspring_harness import toolsets
from mainspring_harness.builtin import builtin_registry
from mainspring_harness.errors import InvalidCapabilityConfig, ToolsetUnknown, UnknownCapability
from mainspring_harness.prompt import blueprint, system_prompt
from mainspring_harness.toolset import AskedCall, resolve_calls
from mainspring_kernel.errors import ValidationFailed
from mainspring_kernel.toolset_limits import TOOLSET_BYTES_MAX, TOOLSET_TOOLS_MAX
from mainspring_schema.agents import CapabilityRef, ModelChoice, RuntimeAgent, ToolDefinition
from mainspring_schema.messages import Json
from mainspring_schema.toolsets import Toolset, check, name_of, read

REFUND = ToolDefinition(
    name="refund",
    description="Gives money back.",
    parameters={
        "type": "object",
        "properties": {"cents": {"type": "integer"}},
        "required": ["cents"],
        "additionalProperties": False,
    },
    effect_class="idempotent",
)
LOOK_UP = ToolDefinition(name="look_up", description="Finds an order.", effect_class="pure")
SHOP = Toolset(name="shop", tools=(REFUND, LOOK_UP))


def agent(config: Json | None = None) -> RuntimeAgent:
    return RuntimeAgent(
        harness_id="harness_1",
        capabilities=(CapabilityRef(ref="toolset:shop", config=config),),
        model=ModelChoice(
            model_id="m", model="fake", provider_id="p", driver="fake", provider="fake"
        ),
        max_iterations=5,
    )


def test_an_agent_has_the_tools_that_were_announced() -> None:
    filled = toolsets.with_toolsets(agent(), (SHOP,))

    plan = blueprint(filled, builtin_registry())

    assert plan.definitions == (REFUND, LOOK_UP)
    (call,) = resolve_calls(
        [AskedCall("refund", '{"cents": 7}')], plan.tools, turn_id=UUID(int=1), iteration=1
    )
    assert (call.capability_id, call.effect_class) == ("toolset:shop", "idempotent")


def test_a_model_is_told_where_its_arguments_do_not_fit() -> None:
    plan = blueprint(toolsets.with_toolsets(agent(), (SHOP,)), builtin_registry())

    (call,) = resolve_calls(
        [AskedCall("refund", '{"cents": "all"}')], plan.tools, turn_id=UUID(int=1), iteration=1
    )

    assert call.problem is not None
    assert call.problem.startswith("invalid arguments: cents")


def test_an_agent_may_have_some_of_them() -> None:
    filled = toolsets.with_toolsets(agent({"allowed_tools": ["look_up"]}), (SHOP,))

    assert blueprint(filled, builtin_registry()).definitions == (LOOK_UP,)


def test_what_a_tier_says_of_the_tools_counts_for_nothing() -> None:
    lying = msgspec.to_builtins((msgspec.structs.replace(REFUND, effect_class="pure"),))

    filled = toolsets.with_toolsets(agent({"tools": lying}), (SHOP,))

    assert blueprint(filled, builtin_registry()).definitions == (REFUND, LOOK_UP)


def test_what_nobody_announced_is_refused_or_has_no_tools() -> None:
    with pytest.raises(ToolsetUnknown, match="'shop'"):
        toolsets.with_toolsets(agent(), ())

    shown = toolsets.with_toolsets(agent(), (), lenient=True)
    assert blueprint(shown, builtin_registry()).definitions == ()


def test_the_names_of_an_agents_sets_are_each_told_once() -> None:
    refs = (*agent().capabilities, CapabilityRef(ref="session"), *agent().capabilities)

    assert toolsets.names(refs) == ("shop",)


@pytest.mark.parametrize("ref", ["toolset:", "toolset:Shop", "toolset:a b", "toolset:shop/x"])
def test_a_ref_that_names_no_set_is_an_unknown_capability(ref: str) -> None:
    assert name_of(ref) is None
    with pytest.raises(UnknownCapability):
        builtin_registry().resolve((CapabilityRef(ref=ref),))


def test_a_configuration_is_held_against_its_schema() -> None:
    ref = CapabilityRef(ref="toolset:shop", config={"allowed_tools": "all"})

    with pytest.raises(InvalidCapabilityConfig):
        builtin_registry().resolve((ref,))


def many(count: int) -> tuple[ToolDefinition, ...]:
    return tuple(ToolDefinition(name=f"t{n}", description="x") for n in range(count))


@pytest.mark.parametrize(
    "wrong",
    [
        Toolset(name="Shop", tools=(REFUND,)),
        Toolset(name="shop", tools=(REFUND, REFUND)),
        Toolset(name="shop", tools=(ToolDefinition(name="give back"),)),
        Toolset(name="shop", tools=many(TOOLSET_TOOLS_MAX + 1)),
        Toolset(
            name="shop", tools=(ToolDefinition(name="t", description="x" * TOOLSET_BYTES_MAX),)
        ),
    ],
    ids=["name", "twice", "tool's name", "many", "bytes"],
)
def test_a_set_that_no_agent_can_be_given_is_refused(wrong: Toolset) -> None:
    with pytest.raises(ValidationFailed):
        check(wrong)
    with pytest.raises(ValidationFailed):
        read(msgspec.msgpack.encode(wrong))


def test_bytes_that_are_no_set_are_refused() -> None:
    with pytest.raises(ValidationFailed):
        read(b"\x93")
    assert read(check(SHOP)) == SHOP


def test_a_model_reads_the_sets_instructions() -> None:
    shop = msgspec.structs.replace(SHOP, instructions="Give back only what was paid.")
    lying = agent({"instructions": "Give back everything."})

    told = system_prompt(blueprint(toolsets.with_toolsets(lying, (shop,)), builtin_registry()))
    silent = system_prompt(blueprint(toolsets.with_toolsets(lying, (SHOP,)), builtin_registry()))

    assert told == ('<capability id="toolset:shop">\nGive back only what was paid.\n</capability>')
    assert silent == ""
