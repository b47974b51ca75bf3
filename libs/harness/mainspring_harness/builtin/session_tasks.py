"""Lets an agent look after what it has begun beside its conversation."""

from typing import Final

from mainspring_harness.capability import Capability, Info
from mainspring_schema.agents import ToolDefinition, ToolHints
from mainspring_schema.messages import Json

ID: Final = "session_tasks"
NAME: Final = "Session Tasks"
WAIT_S_DEFAULT: Final = 600
WAIT_S_MAX: Final = 3600
"""A call that waits holds no worker; whoever waits longer asks again."""
_TASK: Final[Json] = {"type": "string", "maxLength": 64, "description": "The id of the task."}


def _tool(
    name: str,
    description: str,
    properties: Json,
    required: tuple[str, ...],
    *,
    reads: bool,
    waits: bool = False,
) -> ToolDefinition:
    return ToolDefinition(
        name=name,
        display_name=name.replace("_", " ").title(),
        description=description,
        category="orchestration",
        parameters={
            "type": "object",
            "properties": properties,
            "required": list(required),
            "additionalProperties": False,
        },
        hints=ToolHints(
            readonly=reads,
            idempotent=True,
            long_running=waits or None,
            capability_id=ID,
            capability_name=NAME,
        ),
        policy="auto",
        effect_class="pure" if reads else "idempotent",
    )


TOOLS: Final = (
    _tool("list_tasks", "Lists the tasks of this session and how they stand.", {}, (), reads=True),
    _tool(
        "get_task",
        "Tells how a task stands, with its result once it is over.",
        {"task_id": _TASK},
        ("task_id",),
        reads=True,
    ),
    _tool(
        "wait_task",
        "Waits until a task is over, or the time is, and tells how it stands.",
        {
            "task_id": _TASK,
            "timeout_seconds": {
                "type": "integer",
                "minimum": 1,
                "maximum": WAIT_S_MAX,
                "description": f"Default: {WAIT_S_DEFAULT}.",
            },
        },
        ("task_id",),
        reads=True,
        waits=True,
    ),
    _tool(
        "message_task",
        "Says something to a task: it hears it at its next step, or begins to work again.",
        {
            "task_id": _TASK,
            "text": {"type": "string", "minLength": 1, "maxLength": 50_000},
        },
        ("task_id", "text"),
        reads=False,
    ),
    _tool(
        "cancel_task",
        "Ends a task and all that it has spawned.",
        {"task_id": _TASK},
        ("task_id",),
        reads=False,
    ),
)


def _tools(_config: Json) -> tuple[ToolDefinition, ...]:
    return TOOLS


SESSION_TASKS: Final = Capability(
    info=Info(
        id=ID,
        name=NAME,
        description="Lets the agent list, follow, message and cancel what it has spawned.",
        status="available",
        category="orchestration",
        icon="list-checks",
        features=("agent_runs",),
    ),
    tools=_tools,
)
