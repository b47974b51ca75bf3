"""Capabilities that a deployer adds in process: the setting names them, and they are checked first.

`MAINSPRING_CAPABILITIES` is `module:object` entries with commas between; each object is a
`Capability`, or a sequence of some. api and the workers load the same ones.
"""

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Final, TypeVar, cast

from msgspec import Struct

from mainspring_harness import arguments
from mainspring_harness.builtin import builtin_registry
from mainspring_harness.calling import FunctionHook
from mainspring_harness.capability import Capability, PromptContext
from mainspring_harness.conversation import UserMessage
from mainspring_harness.errors import CapabilityUnusable, InvalidCapabilityConfig
from mainspring_harness.registry import Registry
from mainspring_kernel.errors import MainspringError
from mainspring_schema import mounts
from mainspring_schema.agents import CapabilityRef, InitialFile, ModelChoice, ToolDefinition
from mainspring_schema.hooks import HOOKS_MAX, Hook, flaws

S = TypeVar("S", bound=Struct)
_ID: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_NOBODY: Final = PromptContext(
    model=ModelChoice(model_id="", model="", provider_id="", driver="", provider="")
)


def installed(setting: str) -> Registry:
    """The built-in capabilities and those of the setting. Raises CapabilityUnusable."""
    entries = [entry.strip() for entry in setting.split(",") if entry.strip()]
    own = [(entry, capability) for entry in entries for capability in _loaded(entry)]
    registry = builtin_registry()
    for index, (entry, capability) in enumerate(own):
        try:
            registry = builtin_registry(one for _, one in own[: index + 1])
        except ValueError as error:
            raise CapabilityUnusable(entry, str(error)) from error
        problem = next(_problems(capability), None)
        if problem is not None:
            raise CapabilityUnusable(entry, f"{capability.info.id}: {problem}")
    for entry, capability in own:
        _check_needs(entry, capability, registry)
    return registry


def _loaded(entry: str) -> tuple[Capability, ...]:
    module, colon, name = entry.partition(":")
    if not (module and colon and name):
        raise CapabilityUnusable(entry, "it is not of the form module:object")
    try:
        found = cast("object", getattr(import_module(module), name))
    except Exception as error:
        # A module of people's own: whatever it raises, the service says so and does not start.
        why = f"{type(error).__name__}: {error}"
        raise CapabilityUnusable(entry, f"it cannot be imported ({why})") from error
    several = cast("Sequence[object]", found) if isinstance(found, list | tuple) else [found]
    return tuple(_capability(entry, one) for one in several)


def _capability(entry: str, found: object) -> Capability:
    if not isinstance(found, Capability):
        raise CapabilityUnusable(entry, f"it is no Capability but {type(found).__name__}")
    return found


def _check_needs(entry: str, capability: Capability, registry: Registry) -> None:
    """Raises CapabilityUnusable for a dependency that is not there, or a circle."""
    try:
        registry.resolve([CapabilityRef(ref=capability.info.id)])
    except InvalidCapabilityConfig:
        return  # it, or what it needs, cannot go without a configuration
    except MainspringError as error:
        raise CapabilityUnusable(entry, error.detail) from error


# ── the interface ───────────────────────────────────────────────────────────────────────────────


def _problems(capability: Capability) -> Iterator[str]:
    """What is wrong with it, as far as that can be seen before anybody uses it."""
    info = capability.info
    if _ID.fullmatch(info.id) is None:
        yield "an id has small letters, digits and _, at most 64"
    if info.config_schema is not None:
        problem = arguments.schema_problem(info.config_schema)
        if problem is not None:
            yield f"its config_schema is none: {problem}"
    yield from _loose("code", capability.code)
    yield from _loose("probes", capability.probes)
    try:
        yield from _tools(capability)
        if _goes_without(capability):
            yield from _contributions(capability)
    except Exception as error:  # noqa: BLE001 - the code of people's own: the service says so and does not start
        yield f"it cannot be asked what it brings: {type(error).__name__}: {error}"


def _loose(member: str, functions: Mapping[str, object]) -> Iterator[str]:
    for name, function in functions.items():
        if not inspect.iscoroutinefunction(function):
            yield f"{member}[{name!r}] is no async function"


def _tools(capability: Capability) -> Iterator[str]:
    """Asked for the catalogue with `{}` whatever the schema says."""
    for tool in _each(capability.tools({}), ToolDefinition):
        arguments.check_schema(tool.name, tool.parameters)
        if tool.kind != "client_side" and tool.name not in capability.code:
            yield f"its tool {tool.name!r} has no code"
        if tool.probed is not (tool.name in capability.probes):
            yield f"its tool {tool.name!r}: probed={tool.probed} does not fit its probes"


def _goes_without(capability: Capability) -> bool:
    """Whether it can be had without a configuration."""
    schema = capability.info.config_schema
    fits = schema is None or not arguments.misfits(schema, {})
    return fits and not capability.config_problems({})


def _contributions(capability: Capability) -> Iterator[str]:
    """What it brings without a configuration, looked at once."""
    told = cast("object", capability.prompt({}, _NOBODY))
    if not isinstance(told, str | None):
        yield "its prompt is no text"
    capability.facts({}, _NOBODY)
    yield from mounts.problems(_each(capability.mounts({}), InitialFile))
    yield from _hooks(tuple(_each(capability.hooks({}), Hook)))
    hello = UserMessage(message_id="", content=())
    shown = cast("object", capability.messages({}, _NOBODY, (hello,)))
    if not isinstance(shown, tuple):
        yield "its messages are no tuple"


def _hooks(hooks: tuple[Hook, ...]) -> Iterator[str]:
    if len(hooks) > HOOKS_MAX:
        yield f"it has more than {HOOKS_MAX} hooks"
    for hook in hooks:
        yield from flaws(hook)
        if (hook.type == "function") is not isinstance(hook, FunctionHook):
            yield "a hook of the type function is a FunctionHook"


def _each(found: Iterable[object], type_: type[S]) -> Iterator[S]:
    """Raises TypeError for what is something else."""
    for one in found:
        if not isinstance(one, type_):
            message = f"{type(one).__name__} is no {type_.__name__}"
            raise TypeError(message)
        yield one
