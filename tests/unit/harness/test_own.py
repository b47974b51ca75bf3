"""Which capabilities of one's own are taken, and what is said of those that are not."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import ModuleType

import pytest

from mainspring_harness.calling import CallContext, FunctionHook
from mainspring_harness.capability import Capability, Info
from mainspring_harness.errors import CapabilityUnusable
from mainspring_harness.own import installed
from mainspring_schema.agents import InitialFile, ToolDefinition
from mainspring_schema.hooks import HOOKS_MAX, Hook
from mainspring_schema.messages import Json

TOOL = ToolDefinition(name="pay", parameters={"type": "object"})
FILE = InitialFile(path="/a.md", content="a")
HOOK = Hook(point="turn_end", type="command", command="true")


async def pay(arguments: Json, call: CallContext) -> object:
    return (arguments, call)


def shop(
    id_: str = "shop",
    *,
    needs: tuple[str, ...] = (),
    config_schema: Json | None = None,
    **parts: object,
) -> Capability:
    info = Info(
        id=id_,
        name=id_,
        description=id_,
        status="available",
        dependencies=needs,
        config_schema=config_schema,
    )
    return replace(Capability(info=info), **parts)


def gives(value: object) -> Callable[..., object]:
    def given(*_: object) -> object:
        return value

    return given


def reads(member: str) -> Callable[..., object]:
    def read(config: Json, *_: object) -> object:
        return config[member]

    return read


@pytest.fixture
def module() -> Iterator[ModuleType]:
    made = ModuleType("mainspring_test_shop")
    sys.modules[made.__name__] = made
    yield made
    del sys.modules[made.__name__]


def load(module: ModuleType, found: object) -> None:
    module.__dict__["FOUND"] = found
    installed(f"{module.__name__}:FOUND")


def test_one_or_several_stand_beside_the_built_in_ones(module: ModuleType) -> None:
    module.__dict__.update(
        ONE=shop(tools=gives((TOOL,)), code={"pay": pay}, mounts=gives((FILE,))),
        MORE=[shop("a", needs=("shop", "compaction")), shop("b")],
    )

    registry = installed("mainspring_test_shop:ONE, mainspring_test_shop:MORE")

    assert registry.find("shop").code == {"pay": pay}
    assert {"a", "b", "compaction"} <= {entry.info.id for entry in registry.catalogue()}


def test_nothing_is_added_by_an_empty_setting() -> None:
    assert not installed("").with_code()


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("shop", "not of the form module:object"),
        ("nowhere.at_all:IT", "cannot be imported (ModuleNotFoundError"),
        ("mainspring_test_shop:GONE", "cannot be imported (AttributeError"),
    ],
)
@pytest.mark.usefixtures("module")
def test_what_is_not_there_is_named(entry: str, problem: str) -> None:
    with pytest.raises(CapabilityUnusable) as caught:
        installed(entry)

    assert f"MAINSPRING_CAPABILITIES: {entry}: " in caught.value.detail
    assert problem in caught.value.detail


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        ("text", "no Capability but str"),
        ([shop(), 7], "no Capability but int"),
        (shop("compaction"), "'compaction' is taken"),
        ([shop(), shop()], "'shop' is taken"),
        (shop("Shop"), "an id has small letters"),
        (shop("toolset:shop"), "an id has small letters"),
        (shop(needs=("gone",)), "unknown capability 'gone' (needed by 'shop')"),
        ([shop("a", needs=("b",)), shop("b", needs=("a",))], "a -> b -> a"),
        (shop(config_schema={"type": "nothing"}), "its config_schema is none"),
        (shop(tools=gives((TOOL,))), "its tool 'pay' has no code"),
        (shop(tools=gives((TOOL,)), code={"pay": print}), "code['pay'] is no async function"),
        (shop(tools=gives((TOOL,)), code={"pay": pay}, probes={"pay": pay}), "probed=False"),
        (shop(tools=gives(("pay",))), "TypeError: str is no ToolDefinition"),
        (shop(tools=reads("tools")), "KeyError: 'tools'"),
        (shop(prompt=gives(7)), "its prompt is no text"),
        (shop(messages=gives([])), "its messages are no tuple"),
        (shop(mounts=gives((FILE, FILE))), "two files at '/a.md'"),
        (shop(mounts=gives((InitialFile(path="../a", content=""),))), "begins with /"),
        (shop(hooks=gives((HOOK,) * (HOOKS_MAX + 1))), f"more than {HOOKS_MAX} hooks"),
        (shop(hooks=gives((Hook(point="turn_end", type="command"),))), "a command needs it"),
        (shop(hooks=gives((Hook(point="turn_end", type="function"),))), "is a FunctionHook"),
    ],
)
def test_what_does_not_fulfil_the_interface_is_refused(
    module: ModuleType, found: object, problem: str
) -> None:
    with pytest.raises(CapabilityUnusable) as caught:
        load(module, found)

    assert problem in caught.value.detail


def test_one_that_needs_a_configuration_is_not_asked_without_it(module: ModuleType) -> None:
    schema: Json = {"type": "object", "required": ["at"]}

    load(module, shop(config_schema=schema, prompt=reads("at")))


def test_a_function_hook_is_one(module: ModuleType) -> None:
    async def allow(_about: Json) -> None:
        return None

    load(module, shop(hooks=gives((FunctionHook(point="turn_end", function=allow),))))
