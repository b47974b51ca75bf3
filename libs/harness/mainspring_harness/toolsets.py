"""Tools of workers of one's own, as capabilities: `toolset:<name>` is what a worker announced.

api puts the announced definitions into the ref's configuration when it takes a message, so a turn
works with the tools that were announced then, and a worker of the house builds its prompt from the
agent alone.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import structs

from mainspring_harness.capability import Capability, CatalogueEntry, Info, PromptContext
from mainspring_harness.errors import ToolsetUnknown
from mainspring_schema.agents import CapabilityRef, RuntimeAgent, ToolDefinition
from mainspring_schema.messages import Json
from mainspring_schema.toolsets import Toolset, name_of

TOOLS, INSTRUCTIONS = "tools", "instructions"
"""The members of the configuration that hold what was announced. What a tier writes there counts
for nothing."""
_SCHEMA: Final[Json] = {
    "type": "object",
    "properties": {
        "allowed_tools": {
            "type": "array",
            "items": {"type": "string"},
            "description": "The tools of the set that the agent has. Default: all.",
        },
        TOOLS: {"type": "array", "description": "What was announced; filled in."},
        INSTRUCTIONS: {"type": "string", "description": "What was announced; filled in."},
    },
    "additionalProperties": False,
}


def capability(ref: str) -> Capability | None:
    """The capability that a ref of the form `toolset:<name>` names; None for any other."""
    name = name_of(ref)
    return None if name is None else Capability(info=_info(ref, name), prompt=_prompt, tools=_tools)


def entry(toolset: Toolset) -> CatalogueEntry:
    """How the catalogue shows what was announced."""
    return CatalogueEntry(info=_info(toolset.ref, toolset.name), tool_definitions=toolset.tools)


def _info(ref: str, name: str) -> Info:
    return Info(
        id=ref,
        name=name.replace("-", " ").replace("_", " ").title(),
        description="Tools that a worker of one's own announces and carries out.",
        status="available",
        category="toolsets",
        icon="plug",
        config_schema=_SCHEMA,
        risk_level="medium",
    )


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

    Raises ToolsetUnknown for one that never was, unless `lenient`: then it has no tools.
    """
    by_ref = {toolset.ref: toolset for toolset in announced}
    return structs.replace(
        agent,
        capabilities=tuple(_filled(ref, by_ref, lenient=lenient) for ref in agent.capabilities),
    )


def _filled(ref: CapabilityRef, by_ref: dict[str, Toolset], *, lenient: bool) -> CapabilityRef:
    name = name_of(ref.ref)
    if name is None:
        return ref
    toolset = by_ref.get(ref.ref)
    if toolset is None and not lenient:
        raise ToolsetUnknown(name)
    told = toolset or Toolset(name=name, tools=())
    filled = {TOOLS: msgspec.to_builtins(told.tools), INSTRUCTIONS: told.instructions}
    return structs.replace(ref, config={**(ref.config or {}), **filled})
