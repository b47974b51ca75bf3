"""What time it is."""

from mainspring_harness.capability import Capability, Info
from mainspring_schema.agents import ToolDefinition, ToolHints
from mainspring_schema.messages import Json

GET_CURRENT_TIME = ToolDefinition(
    name="get_current_time",
    display_name="Get Current Time",
    description="Returns the current date and time.",
    category="core",
    parameters={
        "type": "object",
        "properties": {
            "timezone": {
                "type": "string",
                "description": "IANA time zone such as Europe/Kyiv. Default: UTC.",
            },
            "format": {
                "type": "string",
                "enum": ["iso8601", "unix", "human"],
                "description": "iso8601 (default), unix (whole seconds) or human.",
            },
        },
        "additionalProperties": False,
    },
    hints=ToolHints(
        readonly=True,
        idempotent=True,
        capability_id="current_time",
        capability_name="Current Time",
    ),
    policy="auto",
    effect_class="pure",
)


def _tools(_config: Json) -> tuple[ToolDefinition, ...]:
    return (GET_CURRENT_TIME,)


CURRENT_TIME = Capability(
    info=Info(
        id="current_time",
        name="Current Time",
        description="Lets the agent read the current date and time in any time zone.",
        status="available",
        category="core",
        icon="clock",
    ),
    tools=_tools,
)
