"""Keeps results of tools that are long out of the prompt: whole in a file, read in pieces."""

from typing import Final

from mainspring_harness.builtin.session_file_system import ID as FILES
from mainspring_harness.capability import Capability, Info, PromptContext
from mainspring_kernel.limits import KIB, TOOL_RESULT_INLINE_BYTES_MAX
from mainspring_schema.agents import CapabilityRef, ToolDefinition, ToolHints
from mainspring_schema.messages import Json

ID: Final = "tool_output_persistence"
NAME: Final = "Tool Output Persistence"
INLINE_BYTES_DEFAULT: Final = 8 * KIB
INLINE_BYTES_MIN: Final = KIB
OUTPUT_READ_BYTES_MAX: Final = 16 * KIB
"""Of one piece, so that reading does not bring back what was kept away."""
READERS: Final = frozenset({ID, FILES})
"""Whose results are pieces of what is kept already."""

READ_TOOL_OUTPUT: Final = ToolDefinition(
    name="read_tool_output",
    display_name="Read Tool Output",
    description="Reads a piece of a tool's result that was too long to be shown whole.",
    category="context",
    parameters={
        "type": "object",
        "properties": {
            "output_file": {
                "type": "string",
                "pattern": r"^(/workspace)?/outputs/[A-Za-z0-9_]{1,100}\.(txt|json)$",
                "description": "The file that the result named.",
            },
            "offset": {
                "type": "integer",
                "minimum": 0,
                "description": "Bytes to skip. Default: 0.",
            },
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": OUTPUT_READ_BYTES_MAX,
                "description": f"Bytes to read. Default: {OUTPUT_READ_BYTES_MAX}.",
            },
        },
        "required": ["output_file"],
        "additionalProperties": False,
    },
    hints=ToolHints(readonly=True, idempotent=True, capability_id=ID, capability_name=NAME),
    deferrable="never",
    policy="auto",
    effect_class="pure",
)


def inline_bytes(refs: tuple[CapabilityRef, ...]) -> int:
    """The longest result that is shown whole, of an agent that has these capabilities."""
    for ref in refs:
        if ref.ref == ID:
            asked = (ref.config or {}).get("inline_bytes_max")
            return asked if isinstance(asked, int) else INLINE_BYTES_DEFAULT
    return TOOL_RESULT_INLINE_BYTES_MAX


def _prompt(_config: Json, _context: PromptContext) -> str | None:
    return (
        "Long results of tools are cut; output_file then names where the whole of it is. Read on "
        "with read_tool_output only where the rest is needed."
    )


def _tools(_config: Json) -> tuple[ToolDefinition, ...]:
    return (READ_TOOL_OUTPUT,)


TOOL_OUTPUT_PERSISTENCE: Final = Capability(
    info=Info(
        id=ID,
        name=NAME,
        description="Keeps long results of tools as files, and lets the agent read on in them.",
        status="available",
        category="context",
        icon="archive",
        config_schema={
            "type": "object",
            "properties": {
                "inline_bytes_max": {
                    "type": "integer",
                    "minimum": INLINE_BYTES_MIN,
                    "maximum": TOOL_RESULT_INLINE_BYTES_MAX,
                    "description": (
                        f"The longest result that is shown whole. Default: {INLINE_BYTES_DEFAULT}."
                    ),
                }
            },
            "additionalProperties": False,
        },
    ),
    prompt=_prompt,
    tools=_tools,
)
