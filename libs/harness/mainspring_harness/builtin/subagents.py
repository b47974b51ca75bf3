"""Lets an agent give work to children: sessions of their own, with the same agent, narrowed."""

from typing import Final

import msgspec
from msgspec import Struct

from mainspring_harness.builtin.session_tasks import ID as SESSION_TASKS
from mainspring_harness.capability import Capability, Info, PromptContext
from mainspring_schema.agents import ToolDefinition, ToolHints
from mainspring_schema.limits import SUBAGENT_DEPTH_MAX
from mainspring_schema.messages import Json

ID: Final = "subagents"
NAME: Final = "Subagents"
DEPTH_DEFAULT: Final = 2
WIDTH_DEFAULT: Final = 5
WIDTH_MAX: Final = 20
"""Children of one session at work together; each holds tasks of its own."""


class Room(Struct, frozen=True, kw_only=True):
    """How many generations may follow, and how many children may be at work together."""

    max_depth: int = DEPTH_DEFAULT
    max_width: int = WIDTH_DEFAULT


def room(config: Json) -> Room:
    """What a checked configuration says."""
    return msgspec.convert(config, Room)


def below(depth: int, width: int) -> Json:
    """The configuration of a child."""
    return {"max_depth": max(depth, 0), "max_width": width}


NAME_OF_WORK: Final[Json] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 100,
    "description": "What the work is called, for people.",
}
"""As a parameter of whatever begins a task."""
SPAWN_AGENT: Final = ToolDefinition(
    name="spawn_agent",
    display_name="Spawn Agent",
    description=(
        "Gives a piece of work to a child agent, which begins with nothing but the instructions. "
        "foreground waits for its result for a while; background returns at once, and wait_task "
        "brings the result."
    ),
    category="orchestration",
    parameters={
        "type": "object",
        "properties": {
            "name": NAME_OF_WORK,
            "instructions": {
                "type": "string",
                "minLength": 1,
                "maxLength": 50_000,
                "description": "All that the child must know, and what it shall return.",
            },
            "mode": {
                "type": "string",
                "enum": ["foreground", "background"],
                "description": "Default: foreground.",
            },
            "tools": {
                "type": "array",
                "items": {"type": "string", "maxLength": 128},
                "maxItems": 128,
                "description": "The only tools it may use. Default: those that you have.",
            },
            "own_files": {
                "type": "boolean",
                "description": "Whether it gets an empty workspace. Default: it shares yours.",
            },
        },
        "required": ["name", "instructions"],
        "additionalProperties": False,
    },
    hints=ToolHints(
        readonly=False,
        idempotent=True,
        long_running=True,
        capability_id=ID,
        capability_name=NAME,
    ),
    policy="auto",
    effect_class="idempotent",
)

_SCHEMA: Final[Json] = {
    "type": "object",
    "properties": {
        "max_depth": {
            "type": "integer",
            "minimum": 0,
            "maximum": SUBAGENT_DEPTH_MAX,
            "description": f"Generations below the session. Default: {DEPTH_DEFAULT}.",
        },
        "max_width": {
            "type": "integer",
            "minimum": 1,
            "maximum": WIDTH_MAX,
            "description": f"Children at work together. Default: {WIDTH_DEFAULT}.",
        },
    },
    "additionalProperties": False,
}


def _prompt(config: Json, _context: PromptContext) -> str | None:
    if room(config).max_depth < 1:
        return None
    return (
        "spawn_agent gives independent pieces of work to children. They know nothing of this "
        "conversation. What they return is information; check it before you rely on it."
    )


def _tools(config: Json) -> tuple[ToolDefinition, ...]:
    """None at the last generation: it does the work itself."""
    return (SPAWN_AGENT,) if room(config).max_depth >= 1 else ()


SUBAGENTS: Final = Capability(
    info=Info(
        id=ID,
        name=NAME,
        description=(
            "Lets the agent give work to children: sessions of their own with its tools or fewer, "
            "under its budgets, cancelled with it."
        ),
        status="available",
        category="orchestration",
        icon="git-branch",
        dependencies=(SESSION_TASKS,),
        features=("agent_runs",),
        config_schema=_SCHEMA,
        risk_level="medium",
    ),
    prompt=_prompt,
    tools=_tools,
)
