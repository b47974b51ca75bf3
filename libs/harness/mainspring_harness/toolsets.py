"""Tools of workers of one's own, as capabilities: `toolset:<name>` is what a worker announced.

api puts the announced definitions into the ref's configuration when it takes a message, so a turn
works with the tools that were announced then, and a worker of the house builds its prompt from the
agent alone.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import structs

from mainspring_harness import arguments
from mainspring_harness.capability import (
    Applied,
    Capability,
    CatalogueEntry,
    Fact,
    Info,
    PromptContext,
)
from mainspring_harness.errors import InvalidCapabilityConfig, ToolsetUnknown
from mainspring_schema.agents import CapabilityRef, InitialFile, RuntimeAgent, ToolDefinition
from mainspring_schema.hooks import Hook
from mainspring_schema.messages import Json
from mainspring_schema.toolsets import SETTINGS, Brings, Toolset, name_of

TOOLS, INSTRUCTIONS, BRINGS = "tools", "instructions", "brings"
"""The members of the configuration that hold what was announced. What a tier writes there counts
for nothing."""
_MEMBERS: Final[Json] = {
    "allowed_tools": {
        "type": "array",
        "items": {"type": "string"},
        "description": "The tools of the set that the agent has. Default: all.",
    },
    SETTINGS: {"type": "object", "description": "What the set's own schema asks for."},
    TOOLS: {"type": "array", "description": "What was announced; filled in."},
    INSTRUCTIONS: {"type": "string", "description": "What was announced; filled in."},
    BRINGS: {"type": "object", "description": "What was announced; filled in."},
}


def capability(ref: str) -> Capability | None:
    """The capability that a ref of the form `toolset:<name>` names; None for any other."""
    name = name_of(ref)
    if name is None:
        return None
    return Capability(
        info=_info(ref, name, Brings()),
        prompt=_prompt,
        tools=_tools,
        facts=_facts,
        needs=_needs,
        mounts=_mounts,
        hooks=_hooks,
    )


def entry(toolset: Toolset) -> CatalogueEntry:
    """How the catalogue shows what was announced."""
    info = _info(toolset.ref, toolset.name, toolset.brings)
    return CatalogueEntry(info=info, tool_definitions=toolset.tools)


def _info(ref: str, name: str, brings: Brings) -> Info:
    plain = "Tools that a worker of one's own announces and carries out."
    members = dict(_MEMBERS)
    if brings.config_schema is not None:
        members[SETTINGS] = brings.config_schema
    return Info(
        id=ref,
        name=name.replace("-", " ").replace("_", " ").title(),
        description=brings.description or plain,
        status="available",
        category="toolsets",
        icon="plug",
        dependencies=brings.dependencies,
        features=brings.features,
        config_schema={"type": "object", "properties": members, "additionalProperties": False},
        risk_level=brings.risk_level,
    )


def _brings(config: Json) -> Brings:
    """What was filled in; what a tier wrote itself may be anything."""
    try:
        return msgspec.convert(config.get(BRINGS, {}), Brings)
    except msgspec.ValidationError:
        return Brings()


def _facts(config: Json, _context: PromptContext) -> tuple[Fact, ...]:
    return tuple(Fact(text=text) for text in _brings(config).facts)


def _needs(config: Json) -> tuple[str, ...]:
    return _brings(config).dependencies


def _mounts(config: Json) -> tuple[InitialFile, ...]:
    return _brings(config).mounts


def _hooks(config: Json) -> tuple[Hook, ...]:
    return _brings(config).hooks


def _prompt(config: Json, _context: PromptContext) -> str | None:
    told = config.get(INSTRUCTIONS)
    return told if isinstance(told, str) else None


def _tools(config: Json) -> tuple[ToolDefinition, ...]:
    announced = msgspec.convert(config.get(TOOLS, ()), tuple[ToolDefinition, ...])
    allowed = config.get("allowed_tools")
    if not isinstance(allowed, list):
        return announced
    return tuple(tool for tool in announced if tool.name in allowed)


def names(refs: Sequence[CapabilityRef]) -> tuple[str, ...]:
    """Of the sets that an agent has."""
    found = (name_of(ref.ref) for ref in refs)
    return tuple(dict.fromkeys(name for name in found if name is not None))


def with_toolsets(
    agent: RuntimeAgent, announced: Sequence[Toolset], *, lenient: bool = False
) -> RuntimeAgent:
    """The agent with what was announced of its sets.

    Raises ToolsetUnknown for one that never was, unless `lenient`: then it has no tools. Raises
    InvalidCapabilityConfig, InvalidToolSchema for settings that the set does not take.
    """
    return structs.replace(
        agent, capabilities=filled(agent.capabilities, announced, lenient=lenient)
    )


def filled(
    refs: Sequence[CapabilityRef], announced: Sequence[Toolset], *, lenient: bool = False
) -> tuple[CapabilityRef, ...]:
    """The refs with what was announced of their sets. Raises what `with_toolsets` raises."""
    by_ref = {toolset.ref: toolset for toolset in announced}
    return tuple(_filled(ref, by_ref, lenient=lenient) for ref in refs)


def features(applied: Sequence[Applied]) -> tuple[str, ...]:
    """The flags that a UI reads of all an agent has, each once, in the order of the alphabet."""
    found = {flag for one in applied for flag in one.capability.info.features}
    sets = (one for one in applied if name_of(one.id) is not None)
    return tuple(sorted(found.union(*(_brings(one.config).features for one in sets))))


def _filled(ref: CapabilityRef, by_ref: dict[str, Toolset], *, lenient: bool) -> CapabilityRef:
    name = name_of(ref.ref)
    if name is None:
        return ref
    toolset = by_ref.get(ref.ref)
    if toolset is None and not lenient:
        raise ToolsetUnknown(name)
    told = toolset or Toolset(name=name, tools=())
    if not lenient:
        _check_settings(ref, told.brings)
    config = {**(ref.config or {}), TOOLS: msgspec.to_builtins(told.tools)}
    config[INSTRUCTIONS] = told.instructions
    config.pop(BRINGS, None)
    if told.brings != Brings():
        # Left out where it says nothing: workers of the version before do not know it.
        config[BRINGS] = msgspec.to_builtins(told.brings)
    return structs.replace(ref, config=config)


def _check_settings(ref: CapabilityRef, brings: Brings) -> None:
    settings = (ref.config or {}).get(SETTINGS, {})
    if brings.config_schema is not None:
        found = arguments.problems(ref.ref, brings.config_schema, settings)
    else:
        found = ("takes no settings",) if settings else ()
    if found:
        raise InvalidCapabilityConfig(ref.ref, found)
