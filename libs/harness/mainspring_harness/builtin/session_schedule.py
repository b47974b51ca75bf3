"""Lets an agent come back to its session later: at a time, or again and again."""

from typing import Final

from mainspring_harness.capability import Capability, Info, PromptContext
from mainspring_schema.agents import ToolDefinition, ToolHints
from mainspring_schema.messages import Json

ID: Final = "session_schedule"
NAME: Final = "Session Schedule"
CLASS: Final = "session_schedules"
MINUTES_MIN: Final = 5
"""An agent that comes back more often than this waits for something better told otherwise."""
_MINUTES_MAX: Final = 366 * 24 * 60


def _tool(
    name: str, description: str, properties: Json, required: tuple[str, ...], *, reads: bool
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
            concurrency_class=None if reads else CLASS,
            capability_id=ID,
            capability_name=NAME,
        ),
        policy="auto",
        effect_class="pure" if reads else "idempotent",
    )


TOOLS: Final = (
    _tool(
        "create_schedule",
        "Sends a message to this session later. Give one of at, every_minutes and cron.",
        {
            "message": {
                "type": "string",
                "minLength": 1,
                "maxLength": 10_000,
                "description": "What to do then, with all that is needed to do it.",
            },
            "at": {
                "type": "string",
                "maxLength": 64,
                "description": "One time, as RFC 3339; without an offset in the time zone.",
            },
            "every_minutes": {
                "type": "integer",
                "minimum": MINUTES_MIN,
                "maximum": _MINUTES_MAX,
                "description": "Again and again, from now on.",
            },
            "cron": {
                "type": "string",
                "maxLength": 200,
                "pattern": r"^[0-9]{1,2}( [^ ]+){4}$",
                "description": "Five fields, the first a single minute: at most once an hour.",
            },
            "timezone": {
                "type": "string",
                "maxLength": 64,
                "description": "IANA name for at and cron. Default: UTC.",
            },
        },
        ("message",),
        reads=False,
    ),
    _tool(
        "cancel_schedule",
        "Cancels a schedule of this session.",
        {"schedule_id": {"type": "string", "maxLength": 64}},
        ("schedule_id",),
        reads=False,
    ),
    _tool(
        "list_schedules",
        "Lists the schedules of this session and when each comes next.",
        {},
        (),
        reads=True,
    ),
)


def _prompt(_config: Json, _context: PromptContext) -> str | None:
    return (
        "Where something is to be done later or regularly, make a schedule instead of waiting, and "
        "cancel it when it is no longer needed."
    )


def _tools(_config: Json) -> tuple[ToolDefinition, ...]:
    return TOOLS


SESSION_SCHEDULE: Final = Capability(
    info=Info(
        id=ID,
        name=NAME,
        description="Lets the agent send messages to its own session later, or regularly.",
        status="available",
        category="orchestration",
        icon="calendar-clock",
        features=("schedules",),
    ),
    prompt=_prompt,
    tools=_tools,
)
