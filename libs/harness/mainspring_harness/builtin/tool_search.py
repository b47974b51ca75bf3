"""Many tools at the price of few: most are named only, until the agent looks for them."""

from typing import Final

from mainspring_harness.capability import Capability, Info, PromptContext
from mainspring_schema.agents import ToolDefinition, ToolHints
from mainspring_schema.messages import Json

ID: Final = "tool_search"
NAME: Final = "Tool Search"
TOOL: Final = "tool_search"
TOOLS_MIN_DEFAULT: Final = 15
"""Fewer tools cost less than looking for them."""
FOUND_MAX: Final = 10

TOOL_SEARCH_TOOL: Final = ToolDefinition(
    name=TOOL,
    display_name="Tool Search",
    description=(
        "Finds tools by words or by name and shows how they are called. A tool that is found can "
        "be called from the next step on."
    ),
    category="context",
    parameters={
        "type": "object",
        "properties": {
            "query": {
                "type": "string",
                "minLength": 1,
                "maxLength": 500,
                "description": "What the tool should do, or names of tools.",
            },
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": FOUND_MAX,
                "description": "Default: 5.",
            },
        },
        "required": ["query"],
        "additionalProperties": False,
    },
    hints=ToolHints(readonly=True, idempotent=True, capability_id=ID, capability_name=NAME),
    deferrable="never",
    policy="auto",
    effect_class="pure",
)


def tools_min(config: Json) -> int:
    """From how many tools on they are only named."""
    asked = config.get("tools_min")
    return asked if isinstance(asked, int) else TOOLS_MIN_DEFAULT


def _prompt(_config: Json, _context: PromptContext) -> str | None:
    return (
        "Some tools are shown without their arguments. Look them up with tool_search before you "
        "call them."
    )


def _tools(_config: Json) -> tuple[ToolDefinition, ...]:
    return (TOOL_SEARCH_TOOL,)


TOOL_SEARCH: Final = Capability(
    info=Info(
        id=ID,
        name=NAME,
        description="Shows an agent with many tools only those in full that it looks for.",
        status="available",
        category="context",
        icon="search",
        aliases=("auto_tool_search",),
        config_schema={
            "type": "object",
            "properties": {
                "tools_min": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": 1_000,
                    "description": (
                        f"From how many tools on they are only named. Default: {TOOLS_MIN_DEFAULT}."
                    ),
                }
            },
            "additionalProperties": False,
        },
    ),
    prompt=_prompt,
    tools=_tools,
)
