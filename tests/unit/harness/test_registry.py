import pytest

from mainspring_harness.builtin import builtin_registry
from mainspring_harness.capability import Capability, Info
from mainspring_harness.errors import (
    CapabilityConflict,
    CapabilityCycle,
    InvalidCapabilityConfig,
    TooManyCapabilities,
    UnknownCapability,
)
from mainspring_harness.registry import Registry
from mainspring_kernel import limits
from mainspring_schema.agents import CapabilityRef, ToolDefinition
from mainspring_schema.messages import Json


def named(
    id_: str, *needs: str, aliases: tuple[str, ...] = (), config_schema: Json | None = None
) -> Capability:
    info = Info(
        id=id_,
        name=id_,
        description=id_,
        status="available",
        dependencies=needs,
        aliases=aliases,
        config_schema=config_schema,
    )
    return Capability(info=info)


def refs(*names: str) -> tuple[CapabilityRef, ...]:
    return tuple(CapabilityRef(ref=name) for name in names)


def test_dependencies_come_first_and_each_once() -> None:
    registry = Registry((named("a", "c"), named("b", "c", "a"), named("c")))

    applied = registry.resolve(refs("b", "a"))

    assert [(one.id, one.needed_by) for one in applied] == [("c", "b"), ("a", None), ("b", None)]


def test_a_circle_is_named() -> None:
    registry = Registry((named("a", "b"), named("b", "c"), named("c", "b")))

    with pytest.raises(CapabilityCycle, match="b -> c -> b"):
        registry.resolve(refs("a"))


def test_an_unknown_ref_is_named() -> None:
    with pytest.raises(UnknownCapability, match="'nowhere'") as caught:
        builtin_registry().resolve(refs("nowhere"))

    assert (caught.value.code, caught.value.data) == ("unknown_capability", {"ref": "nowhere"})


def test_an_unknown_dependency_names_who_needs_it() -> None:
    with pytest.raises(UnknownCapability, match="needed by 'a'"):
        Registry((named("a", "gone"),)).resolve(refs("a"))


@pytest.mark.parametrize("count", [limits.CAPABILITIES_PER_AGENT_MAX, 101])
def test_the_closure_is_bounded(count: int) -> None:
    chain = [named(f"c{n}", f"c{n + 1}") for n in range(count - 1)] + [named(f"c{count - 1}")]
    registry = Registry(chain)

    if count <= limits.CAPABILITIES_PER_AGENT_MAX:
        assert len(registry.resolve(refs("c0"))) == count
    else:
        with pytest.raises(TooManyCapabilities):
            registry.resolve(refs("c0"))


def test_an_alias_means_its_capability() -> None:
    registry = Registry((named("shell", aliases=("old_shell",)),))

    assert [one.id for one in registry.resolve(refs("old_shell", "shell"))] == ["shell"]


def test_a_taken_name_is_refused() -> None:
    with pytest.raises(ValueError, match="taken"):
        Registry((named("a"), named("b", aliases=("a",))))


def test_config_is_checked_against_its_schema() -> None:
    schema: Json = {"type": "object", "properties": {"n": {"type": "integer"}}}
    registry = Registry((named("a", config_schema=schema),))

    assert registry.resolve((CapabilityRef(ref="a", config={"n": 1}),))[0].config == {"n": 1}
    with pytest.raises(InvalidCapabilityConfig, match="n: "):
        registry.resolve((CapabilityRef(ref="a", config={"n": "x"}),))


def test_config_for_a_capability_that_takes_none_is_refused() -> None:
    with pytest.raises(InvalidCapabilityConfig, match="takes no configuration"):
        builtin_registry().resolve((CapabilityRef(ref="noop", config={"n": 1}),))


def test_a_retired_capability_is_unknown_and_unlisted() -> None:
    info = Info(id="old", name="old", description="", status="retired")
    registry = Registry((Capability(info=info),))

    assert registry.catalogue() == ()
    with pytest.raises(UnknownCapability):
        registry.resolve(refs("old"))


def test_two_that_bring_the_same_tool_do_not_go_together() -> None:
    def bringing(id_: str) -> Capability:
        info = Info(id=id_, name=id_, description=id_, status="available")
        return Capability(info=info, tools=lambda _config: (ToolDefinition(name="look"),))

    registry = Registry((bringing("one"), bringing("two")))

    assert registry.resolve(refs("one")) != ()
    with pytest.raises(CapabilityConflict, match="'one' and 'two' both bring a tool 'look'"):
        registry.resolve(refs("one", "two"))


def test_the_built_in_ones_go_together() -> None:
    registry = builtin_registry()

    assert registry.resolve(refs(*(entry.info.id for entry in registry.catalogue())))


def test_the_catalogue_lists_the_built_in_tools() -> None:
    listed = {
        entry.info.id: [tool.name for tool in entry.tool_definitions]
        for entry in builtin_registry().catalogue()
    }

    assert sorted(listed) == [entry.info.id for entry in builtin_registry().catalogue()]
    assert listed["noop"] == []
    assert listed["test_math"] == ["add", "subtract", "multiply", "divide"]
