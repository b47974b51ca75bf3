"""What a session is called and where it stands."""

from mainspring_schema.holdings import GetSession, NameSession, SessionInfo
from mainspring_schema.messages import Json
from mainspring_worker.ports.tool import ToolContext, ToolOutcome


async def get_session_info(_arguments: Json, context: ToolContext) -> ToolOutcome:
    """As people see it."""
    return ToolOutcome(result=_shown(await context.resources.ask(GetSession())))


async def write_session_title(arguments: Json, context: ToolContext) -> ToolOutcome:
    """By which people find it."""
    title = " ".join(str(arguments["title"]).split())
    return ToolOutcome(result=_shown(await context.resources.change(NameSession(title=title))))


def _shown(info: SessionInfo) -> Json:
    return {
        "session_id": info.session_id,
        "title": info.title,
        "agent_id": info.agent_id,
        "harness_id": info.harness_id,
        "created_at_ms": info.created_ms,
    }
