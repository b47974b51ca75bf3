"""Announced tools as capabilities of an agent."""

from uuid import UUID

import msgspec
import pytest

from mainspring_harness import toolsets
from mainspring_harness.builtin import builtin_registry
from mainspring_harness.errors import InvalidCapabilityConfig, ToolsetUnknown, UnknownCapability
from mainspring_harness.hooking import hooks
from mainspring_harness.prompt import blueprint, system_prompt
from mainspring_harness.toolset import AskedCall, resolve_calls
from mainspring_kernel.errors import ValidationFailed
from mainspring_kernel.toolset_limits import TOOLSET_BYTES_MAX, TOOLSET_NEEDS_MAX, TOOLSET_TOOLS_MAX
from mainspring_schema.agents import (
    CapabilityRef,
    InitialFile,
    ModelChoice,
    RuntimeAgent,
    ToolDefinition,
)
from mainspring_schema.hooks import Hook
from mainspring_schema.messages import Json
from mainspring_schema.toolsets import Brings, Toolset, check, name_of, read

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


SCHEMA: Json = {
    "type": "object",
    "properties": {"max_cents": {"type": "integer"}},
    "additionalProperties": False,
}
BRINGS = Brings(
    description="A shop.",
    features=("refunds",),
    risk_level="high",
    dependencies=("session_file_system",),
    facts=("Prices are in euros.",),
    mounts=(InitialFile(path="/shop/terms.md", content="30 days."),),
    hooks=(Hook(point="turn_end", type="command", command="true"),),
    config_schema=SCHEMA,
)
FULL = msgspec.structs.replace(SHOP, brings=BRINGS)


def test_what_a_set_brings_is_the_agents() -> None:
    filled = toolsets.with_toolsets(agent({"settings": {"max_cents": 5}}), (FULL,))

    plan = blueprint(filled, builtin_registry())

    assert [one.id for one in plan.applied] == ["session_file_system", "toolset:shop"]
    assert "<facts>\nPrices are in euros.\n</facts>" in system_prompt(plan)
    assert [hook.id for hook in hooks(plan.applied)] == ["toolset:shop.hook_0"]
    (shop,) = (one for one in plan.applied if one.id == "toolset:shop")
    assert shop.capability.mounts(shop.config) == BRINGS.mounts


def test_the_catalogue_shows_what_a_set_brings() -> None:
    info = toolsets.entry(FULL).info

    assert (info.description, info.features, info.risk_level) == ("A shop.", ("refunds",), "high")
    assert info.dependencies == ("session_file_system",)
    assert (info.config_schema or {})["properties"] == {
        **msgspec.convert(
            (toolsets.entry(SHOP).info.config_schema or {})["properties"], dict[str, object]
        ),
        "settings": SCHEMA,
    }


@pytest.mark.parametrize("brings", [{"dependencies": ["gone"]}, {"facts": 7}])
def test_what_a_tier_says_of_what_a_set_brings_counts_for_nothing(brings: Json) -> None:
    filled = toolsets.with_toolsets(agent({"brings": brings}), (SHOP,))

    assert [one.id for one in blueprint(filled, builtin_registry()).applied] == ["toolset:shop"]


@pytest.mark.parametrize(("shop", "settings"), [(FULL, {"max_cents": "all"}), (SHOP, {"a": 1})])
def test_settings_that_a_set_does_not_take_are_refused(shop: Toolset, settings: Json) -> None:
    with pytest.raises(InvalidCapabilityConfig):
        toolsets.with_toolsets(agent({"settings": settings}), (shop,))

    toolsets.with_toolsets(agent({"settings": settings}), (shop,), lenient=True)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (Brings(dependencies=("toolset:other",)), "only on capabilities of the house"),
        (Brings(facts=("x",) * (TOOLSET_NEEDS_MAX + 1)), "more than 32 facts"),
        (Brings(mounts=(InitialFile(path="a", content=""),)), "begins with /"),
        (Brings(hooks=(Hook(point="turn_end", type="function"),)), "a webhook or a command"),
        (Brings(hooks=(Hook(point="turn_end", type="webhook"),)), "url: a webhook needs it"),
        (
            Brings(hooks=(Hook(point="turn_end", type="command", command=":", timeout_ms=1),)),
            "timeout_ms: from 100 to 30000",
        ),
    ],
)
def test_a_set_that_brings_what_nobody_can_have_is_refused(wrong: Brings, problem: str) -> None:
    with pytest.raises(ValidationFailed, match=problem):
        check(msgspec.structs.replace(SHOP, brings=wrong))
