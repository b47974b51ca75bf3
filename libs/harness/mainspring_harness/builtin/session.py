"""What a session is called and where it stands."""

from typing import Final

from mainspring_harness.capability import Capability, Info
from mainspring_kernel.limits import DISPLAY_NAME_CHARS_MAX
from mainspring_schema.agents import ToolDefinition, ToolHints
from mainspring_schema.messages import Json

ID: Final = "session"
NAME: Final = "Session"

GET_SESSION_INFO: Final = ToolDefinition(
    name="get_session_info",
    display_name="Get Session Info",
    description="Tells the session's id, title, agent and when it began.",
    category="core",
    parameters={"type": "object", "properties": {}, "additionalProperties": False},
    hints=ToolHints(readonly=True, idempotent=True, capability_id=ID, capability_name=NAME),
    policy="auto",
    effect_class="pure",
)
WRITE_SESSION_TITLE: Final = ToolDefinition(
    name="write_session_title",
    display_name="Write Session Title",
    description="Gives the session a title by which people find it again.",
    category="core",
    parameters={
        "type": "object",
        "properties": {
            "title": {
                "type": "string",
                "minLength": 1,
                "maxLength": DISPLAY_NAME_CHARS_MAX,
                "description": "A few words that say what the session is about.",
            }
        },
        "required": ["title"],
        "additionalProperties": False,
    },
    hints=ToolHints(readonly=False, idempotent=True, capability_id=ID, capability_name=NAME),
    policy="auto",
    effect_class="idempotent",
)


def _tools(_config: Json) -> tuple[ToolDefinition, ...]:
    return (GET_SESSION_INFO, WRITE_SESSION_TITLE)


SESSION = Capability(
    info=Info(
        id=ID,
        name=NAME,
        description="Lets the agent read what its session is and give it a title.",
        status="available",
        category="core",
        icon="message-square",
    ),
    tools=_tools,
)
