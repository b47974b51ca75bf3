"""Lets an agent have one call of a tool made in the background while it goes on.

The call is a child session whose model is a *relay*: it asks for that one call, and answers with
its result. So all that holds for calls and for children holds for it.
"""

from typing import Final

import msgspec
from msgspec import Struct, structs

from mainspring_harness.builtin.ask_user import ASK
from mainspring_harness.builtin.ask_user import ID as ASK_USER
from mainspring_harness.builtin.compaction import ID as COMPACTION
from mainspring_harness.builtin.infinity_context import ID as INFINITY_CONTEXT
from mainspring_harness.builtin.loop_detection import ID as LOOP_DETECTION
from mainspring_harness.builtin.session_tasks import ID as SESSION_TASKS
from mainspring_harness.builtin.session_tasks import TOOLS as TASK_TOOLS
from mainspring_harness.builtin.structured_output import ID as STRUCTURED_OUTPUT
from mainspring_harness.builtin.subagents import ID as SUBAGENTS
from mainspring_harness.builtin.subagents import NAME_OF_WORK, SPAWN_AGENT
from mainspring_harness.builtin.tool_search import ID as TOOL_SEARCH
from mainspring_harness.builtin.tool_search import TOOL as SEARCH
from mainspring_harness.capability import Capability, Info, PromptContext
from mainspring_schema.agents import ModelChoice, RuntimeAgent, ToolDefinition, ToolHints
from mainspring_schema.messages import Json

ID: Final = "background_execution"
NAME: Final = "Background Execution"
TOOL: Final = "spawn_background"
WIDTH_DEFAULT: Final = 5
WIDTH_MAX: Final = 20
"""Tasks of one session at work together; each call holds a slot of a worker for all its time."""
LIMIT_S_DEFAULT: Final = 600
LIMIT_S_MAX: Final = 6 * 3600
"""Of one call: what takes longer is work for a workflow."""
RELAY: Final = ModelChoice(
    model_id="relay", model="relay", provider_id="relay", driver="relay", provider="relay"
)
"""No model: its driver asks for the call that the message names."""
ITERATIONS: Final = 2
"""Of a turn of the relay: the call, and what came of it."""


class Limits(Struct, frozen=True, kw_only=True):
    """How many tasks may be at work together, and how long a call may take."""

    max_width: int = WIDTH_DEFAULT
    max_seconds: int = LIMIT_S_DEFAULT


class Relayed(Struct, frozen=True, kw_only=True):
    """What the message of a background call says: the tool, and the arguments."""

    tool: str
    arguments: Json


def limits(config: Json) -> Limits:
    """What a checked configuration says."""
    return msgspec.convert(config, Limits)


def refusal(tool: str, offered: frozenset[str]) -> str | None:
    """Why a tool cannot be called in the background; None where it can."""
    if tool in _FOREGROUND:
        return f"{tool} cannot be called in the background"
    return None if tool in offered else f"there is no tool {tool!r}"


def relayed(agent: RuntimeAgent, limit_s: int) -> RuntimeAgent:
    """The agent as it makes one call: its tools and rules, without what shapes a conversation."""
    kept = tuple(ref for ref in agent.capabilities if ref.ref not in _OF_CONVERSATIONS)
    return structs.replace(
        agent,
        model=RELAY,
        judge=agent.model,
        system_prompt="",
        capabilities=kept,
        max_iterations=ITERATIONS,
        call_limit_s=limit_s,
    )


_FOREGROUND: Final = frozenset(
    {TOOL, SPAWN_AGENT.name, ASK.name, SEARCH} | {tool.name for tool in TASK_TOOLS}
)
"""Tools that work on the conversation itself, or wait without a worker anyway."""
_OF_CONVERSATIONS: Final = frozenset(
    {
        ID,
        ASK_USER,
        COMPACTION,
        INFINITY_CONTEXT,
        LOOP_DETECTION,
        SESSION_TASKS,
        STRUCTURED_OUTPUT,
        SUBAGENTS,
        TOOL_SEARCH,
    }
)


def _tool(bounds: Limits) -> ToolDefinition:
    return ToolDefinition(
        name=TOOL,
        display_name="Spawn Background",
        description=(
            "Has one of your tools called in the background and returns at once. You are told when "
            "it is over; get_task brings its result, wait_task waits for it, cancel_task ends it."
        ),
        category="orchestration",
        parameters={
            "type": "object",
            "properties": _parameters(bounds.max_seconds),
            "required": ["name", "tool", "arguments"],
            "additionalProperties": False,
        },
        hints=ToolHints(readonly=False, idempotent=True, capability_id=ID, capability_name=NAME),
        policy="auto",
        effect_class="idempotent",
    )


def _parameters(seconds_max: int) -> Json:
    return {
        "name": NAME_OF_WORK,
        "tool": {"type": "string", "maxLength": 128, "description": "The name of the tool."},
        "arguments": {"type": "object", "description": "Its arguments."},
        "timeout_seconds": {
            "type": "integer",
            "minimum": 1,
            "maximum": seconds_max,
            "description": f"Ends the call after so long. Default: {seconds_max}.",
        },
        "wake": {
            "type": "boolean",
            "description": "Whether you are told when it is over. Default: true.",
        },
    }


_SCHEMA: Final[Json] = {
    "type": "object",
    "properties": {
        "max_width": {
            "type": "integer",
            "minimum": 1,
            "maximum": WIDTH_MAX,
            "description": f"Tasks of a session at work together. Default: {WIDTH_DEFAULT}.",
        },
        "max_seconds": {
            "type": "integer",
            "minimum": 1,
            "maximum": LIMIT_S_MAX,
            "description": f"How long a call may take. Default: {LIMIT_S_DEFAULT}.",
        },
    },
    "additionalProperties": False,
}


def _prompt(_config: Json, _context: PromptContext) -> str | None:
    return (
        "spawn_background calls a tool that takes long while you go on. Do not wait for it unless "
        "you need its result now: you are told when it is over."
    )


def _tools(config: Json) -> tuple[ToolDefinition, ...]:
    return (_tool(limits(config)),)


BACKGROUND_CALLS: Final = Capability(
    info=Info(
        id=ID,
        name=NAME,
        description=(
            "Lets the agent have calls of its tools made in the background, durably: each is a "
            "task of the session, bounded in time and number, and its end wakes the session."
        ),
        status="available",
        category="orchestration",
        icon="hourglass",
        dependencies=(SESSION_TASKS,),
        features=("agent_runs",),
        config_schema=_SCHEMA,
        risk_level="medium",
    ),
    prompt=_prompt,
    tools=_tools,
)
